#include "container/seccomp-cache.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/io.h"
#include "container/draft.h"
#include "container/firn.h"
#include "container/runtime.h"
#include "format/image.h"

enum { FILTER_MAX = 8 * 4096 }; /* the kernel's limit: 4096 instructions */

static char *cache_path(const struct container *c, const char *key)
{
    return xasprintf("%s/seccomp/%s", c->firn->runroot, key);
}

char *seccomp_cache_key(struct container *c, const struct json *spec)
{
    const struct json *profile = js_path(spec, "linux", "seccomp", NULL);
    struct error ignored;
    _cleanup_free_ char *runtime = profile ? runtime_path(c, &ignored) : NULL;
    struct stat st;
    if (!runtime || !runtime_keeps_filters(c) || stat(runtime, &st) < 0)
        return NULL;
    _cleanup_free_ char *text = js_dump(profile, 0);
    _cleanup_free_ char *program =
        xasprintf("%s %lld %lld", runtime, (long long)st.st_size, (long long)st.st_mtim.tv_sec);
    struct digest d;
    char hex[DIGEST_HEX_SIZE];
    digest_init(&d);
    digest_add(&d, program, strlen(program) + 1);
    digest_add(&d, text, strlen(text));
    digest_finish(&d, hex);
    return xstrdup(hex);
}

static char *base64(const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    _cleanup_buf_ struct buf b = {0};
    for (size_t i = 0; i < size; i += 3) {
        unsigned n = data[i] << 16;
        n |= i + 1 < size ? data[i + 1] << 8 : 0;
        n |= i + 2 < size ? data[i + 2] : 0;
        const char group[] = {digits[n >> 18], digits[n >> 12 & 63],
                              i + 1 < size ? digits[n >> 6 & 63] : '=',
                              i + 2 < size ? digits[n & 63] : '='};
        buf_add(&b, group, sizeof(group));
    }
    return buf_take(&b);
}

bool seccomp_cache_use(struct container *c, const char *key, struct json *spec)
{
    _cleanup_buf_ struct buf b = {0};
    _cleanup_free_ char *path = cache_path(c, key);
    struct error ignored;
    if (file_read_at(AT_FDCWD, path, FILTER_MAX, &b, &ignored) < 0 || !b.size || b.size % 8)
        return false;
    _cleanup_free_ char *text = base64((const unsigned char *)b.data, b.size);
    js_set(draft_object(spec, "annotations"), "run.oci.seccomp_bpf_data", js_string(text));
    return true;
}

void seccomp_cache_keep(struct container *c, const char *key)
{
    _cleanup_buf_ struct buf b = {0};
    _cleanup_free_ char *from = runtime_state_file(c, "seccomp.bpf");
    _cleanup_free_ char *to = cache_path(c, key);
    _cleanup_free_ char *directory = path_join(c->firn->runroot, "seccomp");
    struct error ignored;
    if (file_read_at(AT_FDCWD, from, FILTER_MAX, &b, &ignored) < 0 || !b.size || b.size % 8)
        return;
    if (mkdir_parents(directory, 0700, &ignored) == 0)
        file_write_atomic(to, b.data, b.size, 0600, false, &ignored);
}

/* ---- the filter of a running container ---- */

#define KEPT "seccomp.bpf"

void seccomp_filter_read(const struct container *c, struct buf *b)
{
    _cleanup_free_ char *kept = container_run_path(c, KEPT);
    _cleanup_free_ char *runtimes = runtime_state_file(c, KEPT);
    struct error ignored;
    if (file_read_at(AT_FDCWD, kept, FILTER_MAX, b, &ignored) < 0) {
        buf_clear(b);
        if (file_read_at(AT_FDCWD, runtimes, FILTER_MAX, b, &ignored) < 0)
            buf_clear(b);
    }
    if (b->size % 8)
        buf_clear(b);
}

/* The one that was installed before all others, if all processes agree. */
static const ProtobufCBinaryData *first_filter(const SeccompEntry *e)
{
    const ProtobufCBinaryData *found = NULL;
    for (size_t i = 0; i < e->n_seccomp_filters; i++) {
        if (e->seccomp_filters[i]->has_prev)
            continue;
        if (found)
            return NULL;
        found = &e->seccomp_filters[i]->filter;
    }
    return found;
}

static int write_filter(struct container *c, const ProtobufCBinaryData *filter, struct error *err)
{
    _cleanup_free_ char *kept = container_run_path(c, KEPT);
    _cleanup_free_ char *runtimes = runtime_state_file(c, KEPT);
    int r = file_write_atomic(kept, filter->data, filter->len, 0600, false, err);
    if (r == 0 && runtime_keeps_filters(c))
        r = file_write_atomic(runtimes, filter->data, filter->len, 0600, false, err);
    return r;
}

int seccomp_filter_keep(struct container *c, const struct json *spec, int dirfd, struct error *err)
{
    _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
    _cleanup_message_ SeccompEntry *e = NULL;
    char name[IMAGE_NAME_MAX];
    if (!js_path(spec, "linux", "seccomp", NULL) ||
        faccessat(dirfd, image_name(IMAGE_SECCOMP, 0, name), F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    int r = image_open(dirfd, IMAGE_SECCOMP, 0, &reader, err);
    if (r == 0)
        r = image_next_as(reader, &seccomp_entry__descriptor, (void **)&e, err);
    const ProtobufCBinaryData *filter = r > 0 ? first_filter(e) : NULL;
    return r < 0 || !filter ? (r < 0 ? r : 0) : write_filter(c, filter, err);
}
