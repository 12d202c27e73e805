#include "store/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "format/decompress.h"

struct blob {
    int fd;
    char *path;
    struct decompressor *content;
    struct digest digest;
};

char *blob_path(const struct store *s, const char *hex)
{
    return store_path(s, "images/blobs/sha256/%s", hex);
}

static int ensure_place(const struct store *s, struct error *err)
{
    _cleanup_free_ char *dir = store_path(s, "images/blobs/sha256");
    if (path_exists(dir))
        return 0;
    _cleanup_free_ char *layout = store_path(s, "images/oci-layout");
    static const char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    int r = mkdir_parents(dir, 0700, err);
    return r < 0 ? r : file_write_atomic(layout, version, strlen(version), 0600, false, err);
}

static int verify(const char *path, const char *hex, bool verified, struct error *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", path);
    char is[DIGEST_HEX_SIZE];
    int64_t n = verified ? 0 : digest_of_fd(fd, path, is, err);
    if (n < 0)
        return (int)n;
    if (!verified && !string_equal(is, hex))
        return error_set(err, EBADMSG, "blob sha256:%s is damaged: its digest is sha256:%s", hex,
                         is);
    return fdatasync(fd) < 0 ? error_errno(err, errno, "cannot write %s", path) : 0;
}

int blob_take(struct store *s, const char *path, const char *hex, bool verified, struct error *err)
{
    _cleanup_free_ char *place = blob_path(s, hex);
    if (path_exists(place))
        return 0;
    int r = verify(path, hex, verified, err);
    if (r >= 0)
        r = ensure_place(s, err);
    if (r >= 0 && (chmod(path, 0600) < 0 || (link(path, place) < 0 && errno != EEXIST)))
        r = error_errno(err, errno, "cannot link %s to %s", path, place);
    return r;
}

int blob_write(struct store *s, const void *data, size_t size, char hex[static DIGEST_HEX_SIZE],
               struct error *err)
{
    digest_of(data, size, hex);
    _cleanup_free_ char *place = blob_path(s, hex);
    if (path_exists(place))
        return 0;
    int r = ensure_place(s, err);
    return r < 0 ? r : file_write_atomic(place, data, size, 0600, true, err);
}

static int is_used(struct store *s, const char *hex, int64_t *ret, struct error *err)
{
    _cleanup_free_ char *digest = xasprintf("sha256:%s", hex);
    return database_number(s->db, 0, ret, err,
                           "SELECT EXISTS (SELECT 1 FROM images WHERE id = ? OR digest = ?) "
                           "OR EXISTS (SELECT 1 FROM image_layers WHERE blob = ?)",
                           "sss", hex, digest, hex);
}

/* Under the image lock nobody else writes here, so half-written files are leftovers too. */
int blob_prune(struct store *s, struct error *err)
{
    _cleanup_free_ char *place = store_path(s, "images/blobs/sha256");
    _cleanup_closedir_ DIR *dir = opendir(place);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        int64_t used = 0;
        if (e->d_name[0] == '.')
            continue;
        int r = is_used(s, e->d_name, &used, err);
        if (r < 0)
            return r;
        if (!used && unlinkat(dirfd(dir), e->d_name, 0) < 0)
            return error_errno(err, errno, "cannot remove blob %s", e->d_name);
    }
    return 0;
}

int blob_open(const char *path, struct blob **ret, struct error *err)
{
    _cleanup_blob_ struct blob *b = xcalloc(1, sizeof(*b));
    b->path = xstrdup(path);
    b->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (b->fd < 0)
        return error_errno(err, errno, "cannot open %s", path);
    digest_init(&b->digest);
    int r = decompressor_open_fd(b->fd, path, &b->content, err);
    if (r < 0)
        return r;
    *ret = take_ptr(b);
    return 0;
}

ssize_t blob_read(struct blob *b, void *data, size_t size, struct error *err)
{
    ssize_t n = decompressor_read(b->content, data, size, err);
    if (n > 0)
        digest_add(&b->digest, data, (size_t)n);
    return n;
}

int blob_finish(struct blob *b, char hex[static DIGEST_HEX_SIZE], struct error *err)
{
    size_t room = 64 << 10;
    _cleanup_free_ char *rest = xmalloc(room);
    ssize_t n;
    while ((n = blob_read(b, rest, room, err)) > 0)
        ;
    if (n < 0)
        return (int)n;
    digest_finish(&b->digest, hex);
    return 0;
}

const char *blob_compression(const struct blob *b)
{
    return decompressor_kind(b->content);
}

void blob_close(struct blob *b)
{
    if (!b)
        return;
    decompressor_free(b->content);
    if (b->fd >= 0)
        close(b->fd);
    free(b->path);
    free(b);
}
