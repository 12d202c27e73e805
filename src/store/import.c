#include "store/import.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "store/blob.h"
#include "store/event.h"
#include "store/platform.h"
#include "store/reference.h"

/* The tarball, copied into the store's temporary directory. */
struct tarball {
    char *path;
    char digest[DIGEST_HEX_SIZE];  /* of the file */
    char diff_id[DIGEST_HEX_SIZE]; /* of its decompressed content */
    int64_t created;
};

static void tarball_clear(struct tarball *t)
{
    free(t->path);
}

static bool is_url(const char *source)
{
    return string_starts(source, "http://") || string_starts(source, "https://");
}

static int download(const char *url, const char *path, struct error *err)
{
    char *argv[] = {(char *)"curl",
                    (char *)"-fsSL",
                    (char *)"--output",
                    (char *)path,
                    (char *)"--",
                    (char *)url,
                    NULL};
    _cleanup_buf_ struct buf said = {0};
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stderr_to = &said;
    int status = spawn_run(&s, err);
    buf_trim(&said);
    if (status > 0)
        return error_set(err, EIO, "cannot download %s: %s", url,
                         said.size ? said.data : "curl failed");
    return status;
}

static int copy(int from, const char *what, int to, struct tarball *t, struct error *err)
{
    size_t room = 256 << 10;
    _cleanup_free_ char *chunk = xmalloc(room);
    struct digest d;
    digest_init(&d);
    for (;;) {
        ssize_t n = read_full(from, chunk, room);
        if (n < 0)
            return error_errno(err, (int)-n, "cannot read %s", what);
        digest_add(&d, chunk, (size_t)n);
        int r = write_full(to, chunk, (size_t)n);
        if (r < 0)
            return error_errno(err, -r, "cannot write %s", t->path);
        if ((size_t)n < room)
            break;
    }
    digest_finish(&d, t->digest);
    return 0;
}

/* The time of the file makes the image's id the same each time; a pipe has none. */
static int64_t time_of(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return now_ns();
    return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

static int fetch(const char *source, const char *dir, struct tarball *t, struct error *err)
{
    _cleanup_free_ char *downloaded = path_join(dir, "download");
    t->path = path_join(dir, "layer");
    int r = is_url(source) ? download(source, downloaded, err) : 0;
    if (r < 0)
        return r;
    bool std = string_equal(source, "-");
    const char *path = is_url(source) ? downloaded : source;
    _cleanup_close_ int from =
        std ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return error_errno(err, errno, "open %s", source);
    struct stat st;
    if (fstat(from, &st) == 0 && S_ISDIR(st.st_mode))
        return error_set(err, EISDIR, "%s is a directory, a tarball is wanted", source);
    _cleanup_close_ int to = open(t->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return error_errno(err, errno, "cannot create %s", t->path);
    t->created = time_of(from);
    return copy(from, std ? "stdin" : source, to, t, err);
}

static int find_diff_id(struct tarball *t, struct error *err)
{
    _cleanup_blob_ struct blob *blob = NULL;
    int r = blob_open(t->path, &blob, err);
    if (r < 0 || !string_equal(blob_compression(blob), "none"))
        return r < 0 ? r : blob_finish(blob, t->diff_id, err);
    memcpy(t->diff_id, t->digest, sizeof(t->diff_id));
    return 0;
}

static struct json *history(const struct import_options *o, const struct tarball *t,
                            const char *created)
{
    struct json *list = js_array(), *entry = js_object();
    _cleanup_free_ char *by = xasprintf("/bin/sh -c #(nop) ADD file:%s in / ", t->digest);
    _cleanup_free_ char *comment =
        o->message ? xstrdup(o->message) : xasprintf("Imported from %s", o->source);
    js_set(entry, "created", js_string(created));
    js_set(entry, "created_by", js_string(by));
    js_set(entry, "comment", js_string(comment));
    js_push(list, entry);
    return list;
}

static struct json *rootfs(const struct tarball *t)
{
    struct json *o = js_object(), *ids = js_array();
    _cleanup_free_ char *diff_id = xasprintf("sha256:%s", t->diff_id);
    js_push(ids, js_string(diff_id));
    js_set(o, "type", js_string("layers"));
    js_set(o, "diff_ids", ids);
    return o;
}

static int apply_changes(const struct import_options *o, struct json *config, struct error *err)
{
    int r = 0;
    STRV_FOREACH(change, o->changes)
    if (r >= 0)
        r = import_apply_change(config, *change, err);
    return r;
}

/* Wrong changes come out before any work is done. */
static int check_changes(const struct import_options *o, struct error *err)
{
    _cleanup_json_ struct json *scratch = js_object();
    return apply_changes(o, scratch, err);
}

static int make_config(const struct import_options *o, const struct tarball *t, struct json **ret,
                       struct error *err)
{
    _cleanup_json_ struct json *c = js_object();
    _cleanup_free_ char *created = time_rfc3339(t->created);
    struct json *config = js_object();
    js_set(c, "created", js_string(created));
    js_set(c, "architecture", js_string(o->arch ? o->arch : platform_arch()));
    if (o->variant)
        js_set(c, "variant", js_string(o->variant));
    js_set(c, "os", js_string(o->os ? o->os : "linux"));
    js_set(c, "config", config);
    js_set(c, "rootfs", rootfs(t));
    js_set(c, "history", history(o, t, created));
    int r = apply_changes(o, config, err);
    if (r < 0)
        return r;
    *ret = take_ptr(c);
    return 0;
}

static int add(struct store *s, const struct import_options *o, const struct tarball *t,
               const struct json *config, const char *name, struct image **ret, struct error *err)
{
    _cleanup_free_ char *text = js_dump(config, 0);
    struct image_blob blob = {.path = t->path, .digest = t->digest, .verified = true};
    struct image_source source = {
        .config = text,
        .config_size = strlen(text),
        .blobs = &blob,
        .blob_count = 1,
        .name = name,
    };
    int r = image_add(s, &source, ret, err);
    if (r < 0)
        return r;
    char *blobs[] = {(char *)t->diff_id, NULL};
    progress_image(&o->progress, blobs, (*ret)->id);
    return 0;
}

int import_image(struct store *s, const struct import_options *o, struct image **ret,
                 struct error *err)
{
    _cleanup_free_ char *name = NULL;
    _cleanup_json_ struct json *config = NULL;
    _cleanup_temp_dir_ char *dir = NULL;
    _cleanup_(tarball_clear) struct tarball t = {0};
    int r = o->name ? reference_normalize(o->name, &name, err) : 0;
    if (r >= 0)
        r = check_changes(o, err);
    if (r >= 0)
        r = store_temp_dir(s, "import", &dir, err);
    if (r >= 0)
        r = fetch(o->source, dir, &t, err);
    if (r >= 0)
        r = find_diff_id(&t, err);
    if (r >= 0)
        r = make_config(o, &t, &config, err);
    if (r < 0)
        return r;
    r = add(s, o, &t, config, name, ret, err);
    if (r >= 0)
        event_emit_image(s, "import", *ret, name);
    return r;
}
