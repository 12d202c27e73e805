/* What is mounted: the standard file systems, -v, --mount, --tmpfs, the image's volumes. */
#include "container/draft.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/firn.h"
#include "container/mount-options.h"
#include "store/image.h"

static struct json *array_at(struct json *parent, const char *key)
{
    if (!js_get(parent, key))
        js_set(parent, key, js_array());
    return js_get(parent, key);
}

/* Later ones replace earlier ones at the same place: users' mounts come after the standard ones. */
static void put_mount(struct draft *d, const char *type, const char *source, const char *target,
                      char *const *options)
{
    struct json *mounts = array_at(d->spec, "mounts");
    for (size_t i = js_count(mounts); i-- > 0;)
        if (string_equal(js_get_string(js_at(mounts, i), "destination"), target))
            js_remove_at(mounts, i);
    struct json *o = js_object();
    js_set(o, "destination", js_string(target));
    js_set(o, "type", js_string(type));
    js_set(o, "source", js_string(source));
    js_set(o, "options", js_strings(options));
    js_push(mounts, o);
}

static void put_standard(struct draft *d, const char *type, const char *source, const char *target,
                         const char *options)
{
    _cleanup_strv_ char **list = strv_split(options, ',');
    put_mount(d, type, source, target, list);
}

static void draft_standard(struct draft *d)
{
    bool privileged = d->options->privileged;
    put_standard(d, "proc", "proc", "/proc", "nosuid,noexec,nodev");
    put_standard(d, "tmpfs", "tmpfs", "/dev", "nosuid,strictatime,mode=755,size=65536k");
    put_standard(d, "sysfs", "sysfs", "/sys",
                 privileged ? "nosuid,noexec,nodev,rw" : "nosuid,noexec,nodev,ro");
    put_standard(d, "devpts", "devpts", "/dev/pts",
                 "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
    if (string_equal(js_get_string(d->own, "ipc"), "host"))
        put_standard(d, "bind", "/dev/mqueue", "/dev/mqueue", "bind,nosuid,noexec,nodev");
    else
        put_standard(d, "mqueue", "mqueue", "/dev/mqueue", "nosuid,noexec,nodev");
    put_standard(d, "cgroup", "cgroup", "/sys/fs/cgroup",
                 privileged ? "rprivate,nosuid,noexec,nodev,relatime,rw"
                            : "rprivate,nosuid,noexec,nodev,relatime,ro");
}

static void draft_read_only(struct draft *d)
{
    static const char *const writable[] = {"/run", "/tmp", "/var/tmp"};
    js_set(draft_object(d->spec, "root"), "readonly", js_bool(d->options->read_only));
    if (!d->options->read_only || !d->options->read_only_tmpfs)
        return;
    for (size_t i = 0; i < ARRAY_LEN(writable); i++)
        put_standard(d, "tmpfs", "tmpfs", writable[i], "rw,rprivate,nosuid,nodev,tmpcopyup");
}

/* --- what users ask for -------------------------------------------------------------------- */

struct request {
    const char *type; /* bind, volume, tmpfs */
    char *source;     /* host path, volume name; NULL: anonymous */
    char *target;
    char **options;
};

static void request_clear(struct request *q)
{
    free(q->source);
    free(q->target);
    strv_free(q->options);
}
#define _cleanup_request_ _cleanup_(request_clear)

static int check_target(char **target, struct error *err)
{
    if (!**target)
        return error_kind_set(err, ERROR_USAGE, "container directory cannot be empty");
    if (**target != '/')
        return error_kind_set(err, ERROR_USAGE,
                              "invalid container path \"%s\", must be an absolute path", *target);
    char *clean = mount_clean_path(*target);
    free(*target);
    *target = clean;
    if (strcmp(clean, "/") == 0)
        return error_kind_set(err, ERROR_USAGE,
                              "invalid container path \"/\": destination can't be '/'");
    return 0;
}

static int check_volume_name(const char *name, struct error *err)
{
    bool good = isalnum((unsigned char)*name);
    for (const char *p = name; *p && good; p++)
        good = isalnum((unsigned char)*p) || strchr("_.-", *p);
    return good ? 0
                : error_kind_set(err, ERROR_USAGE,
                                 "running volume create option: names must match "
                                 "[a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument");
}

static void put_volume(struct draft *d, const char *name, const char *target, char *const *options)
{
    struct json *o = js_object();
    char random[ID_HEX_SIZE];
    if (!name)
        random_id(random);
    js_set(o, "volumeName", js_string(name ? name : random));
    js_set(o, "dest", js_string(target));
    js_set(o, "options", js_strings(options));
    if (!name)
        js_set(o, "setAnonymous", js_bool(true));
    js_push(array_at(d->config, "namedVolumes"), o);
}

static int check_bind_source(struct request *q, struct error *err)
{
    char resolved[PATH_MAX];
    if (*q->source != '/') {
        if (!realpath(q->source, resolved))
            return error_errno(err, errno, "statfs %s", q->source);
        free(q->source);
        q->source = xstrdup(resolved);
    }
    struct stat st;
    if (stat(q->source, &st) < 0)
        return error_errno(err, errno, "statfs %s", q->source);
    return 0;
}

static int put_request(struct draft *d, struct request *q, struct error *err)
{
    int r = check_target(&q->target, err);
    if (r < 0)
        return r;
    struct json *seen = array_at(d->config, "userVolumes");
    JSON_FOREACH(seen, i)
    {
        if (string_equal(js_text(js_at(seen, i)), q->target))
            return error_kind_set(err, ERROR_USAGE, "%s: duplicate mount destination", q->target);
    }
    js_push(seen, js_string(q->target));
    r = mount_options_complete(q->type, &q->options, err);
    if (r < 0)
        return r;
    if (strcmp(q->type, "tmpfs") == 0) {
        put_mount(d, "tmpfs", "tmpfs", q->target, q->options);
        return 0;
    }
    if (strcmp(q->type, "volume") == 0) {
        r = q->source ? check_volume_name(q->source, err) : 0;
        if (r == 0)
            put_volume(d, q->source, q->target, q->options);
        return r;
    }
    r = check_bind_source(q, err);
    if (r == 0)
        put_mount(d, "bind", q->source, q->target, q->options);
    return r;
}

/* -v SRC:DST[:OPTIONS], NAME:DST[:OPTIONS], DST. */
static int add_volume(struct draft *d, const char *text, struct error *err)
{
    _cleanup_strv_ char **parts = strv_split(text, ':');
    _cleanup_request_ struct request q = {0};
    size_t n = strv_length(parts);
    if (n > 3 || (n > 1 && !*parts[0]))
        return error_kind_set(err, ERROR_USAGE,
                              "incorrect volume format, should be [host-dir:]ctr-dir[:option]: %s",
                              text);
    q.type = n > 1 && (*parts[0] == '/' || *parts[0] == '.') ? "bind" : "volume";
    q.source = n > 1 ? xstrdup(parts[0]) : NULL;
    q.target = xstrdup(n > 1 ? parts[1] : parts[0]);
    if (n == 3)
        q.options = strv_split(parts[2], ',');
    return put_request(d, &q, err);
}

static int add_tmpfs(struct draft *d, const char *text, struct error *err)
{
    _cleanup_request_ struct request q = {.type = "tmpfs"};
    const char *colon = strchr(text, ':');
    q.target = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
    if (colon && colon[1])
        q.options = strv_split(colon + 1, ',');
    return put_request(d, &q, err);
}

static int add_mount_field(struct request *q, const char *field, struct error *err)
{
    _cleanup_free_ char *key = NULL;
    const char *value = option_split(field, &key);
    if (strcmp(key, "src") == 0 || strcmp(key, "source") == 0) {
        free(q->source);
        q->source = value && *value ? xstrdup(value) : NULL;
    } else if (strcmp(key, "dst") == 0 || strcmp(key, "target") == 0 ||
               strcmp(key, "destination") == 0) {
        free(q->target);
        q->target = xstrdup(value ? value : "");
    } else if (strcmp(key, "ro") == 0 || strcmp(key, "readonly") == 0) {
        strv_add(&q->options, option_bool(value) ? "ro" : "rw");
    } else if (strcmp(key, "rw") == 0) {
        strv_add(&q->options, option_bool(value) ? "rw" : "ro");
    } else if (strcmp(key, "bind-propagation") == 0 && value) {
        strv_add(&q->options, value);
    } else if (strcmp(key, "tmpfs-size") == 0 && value) {
        strv_addf(&q->options, "size=%s", value);
    } else if (strcmp(key, "tmpfs-mode") == 0 && value) {
        strv_addf(&q->options, "mode=%s", value);
    } else if (strcmp(key, "notmpcopyup") == 0 || strcmp(key, "tmpcopyup") == 0) {
        strv_add(&q->options, key);
    } else if (strcmp(key, "bind-nonrecursive") == 0) {
        strv_add(&q->options, "bind");
    } else {
        return error_kind_set(err, ERROR_USAGE, "%s: invalid mount option", field);
    }
    return 0;
}

static int add_mount(struct draft *d, const char *text, struct error *err)
{
    static const char *const types[] = {"bind", "volume", "tmpfs"};
    _cleanup_strv_ char **fields = strv_split(text, ',');
    _cleanup_request_ struct request q = {.type = "volume"};
    STRV_FOREACH(field, fields)
    {
        const char *type = string_after(*field, "type=");
        if (!type) {
            int r = add_mount_field(&q, *field, err);
            if (r < 0)
                return r;
            continue;
        }
        q.type = NULL;
        for (size_t i = 0; i < ARRAY_LEN(types); i++)
            if (strcmp(types[i], type) == 0)
                q.type = types[i];
        if (!q.type)
            return error_kind_set(err, ERROR_USAGE,
                                  "mount type %s is not supported: use bind, volume or tmpfs",
                                  type);
    }
    if (!q.target || (strcmp(q.type, "bind") == 0 && !q.source))
        return error_kind_set(
            err, ERROR_USAGE,
            "%s: incorrect mount format: should be --mount "
            "type=<bind|tmpfs|volume>,[src=<host-dir|volume-name>,]target=<ctr-dir>"
            "[,options]",
            text);
    return put_request(d, &q, err);
}

static bool target_taken(struct draft *d, const char *target)
{
    struct json *seen = js_get(d->config, "userVolumes");
    JSON_FOREACH(seen, i)
    {
        if (string_equal(js_text(js_at(seen, i)), target))
            return true;
    }
    return false;
}

static int draft_image_volumes(struct draft *d, struct error *err)
{
    _cleanup_strv_ char **volumes = image_volumes(d->image);
    STRV_FOREACH(volume, volumes)
    {
        _cleanup_free_ char *target = mount_clean_path(*volume);
        if (target_taken(d, target) || strcmp(target, "/") == 0)
            continue;
        _cleanup_strv_ char **options = NULL;
        int r = mount_options_complete("volume", &options, err);
        if (r < 0)
            return r;
        put_volume(d, NULL, target, options);
    }
    return 0;
}

static int draft_init_binary(struct draft *d, struct error *err)
{
    if (!d->options->init)
        return 0;
    _cleanup_free_ char *own = NULL;
    const char *path = d->options->init_path;
    if (!path) {
        static const char *const places[] = {"/usr/libexec/podman/catatonit", "/usr/bin/catatonit",
                                             "/usr/lib/podman/catatonit"};
        for (size_t i = 0; i < ARRAY_LEN(places) && !path; i++)
            path = path_exists(places[i]) ? places[i] : NULL;
    }
    if (!path)
        return error_set(err, ENOENT,
                         "container-init binary not found on the host: install "
                         "catatonit, or give --init-path");
    if (!path_exists(path))
        return error_errno(err, errno, "container-init binary not found on the host: stat %s",
                           path);
    put_standard(d, "bind", path, "/run/podman-init", "bind,ro");
    return 0;
}

int draft_mounts(struct draft *d, struct error *err)
{
    draft_standard(d);
    draft_read_only(d);
    const struct {
        char *const *list;
        int (*add)(struct draft *d, const char *text, struct error *err);
    } kinds[] = {
        {d->options->volumes, add_volume},
        {d->options->mounts, add_mount},
        {d->options->tmpfs, add_tmpfs},
    };
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        STRV_FOREACH(text, kinds[i].list)
        {
            r = kinds[i].add(d, *text, err);
            if (r < 0)
                return r;
        }
    r = draft_image_volumes(d, err);
    return r < 0 ? r : draft_init_binary(d, err);
}
