#include "container/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/diff.h"
#include "container/event.h"
#include "container/firn.h"
#include "container/pause.h"
#include "container/rootfs.h"
#include "container/signals.h"
#include "container/state.h"
#include "format/pack.h"
#include "store/import.h"
#include "store/reference.h"

/* One commit at work. */
struct work {
    struct container *c;
    const struct commit_options *options;
    struct image *base;
    char *directory; /* temporary */
    char *layer;     /* the new layer's tar, in it */
    char digest[DIGEST_HEX_SIZE];
    char *created;
    char *name; /* normalized */
    struct json *config;
};

static void work_clear(struct work *w)
{
    if (w->base)
        image_release(w->base);
    store_temp_discard(&w->directory);
    free(w->layer);
    free(w->created);
    free(w->name);
    js_unref(w->config);
}

/* ---- the layer ---- */

struct output {
    int fd;
    struct digest digest;
};

static int write_output(void *context, const void *data, size_t size)
{
    struct output *o = context;
    digest_add(&o->digest, data, size);
    return write_full(o->fd, data, size);
}

/* The empty files that mounts stood on are no change of the container's. */
static enum pack_verdict choose(void *context, const char *path, const struct stat *st,
                                struct tar_entry *e)
{
    _cleanup_free_ char *absolute = xasprintf("/%s", path);
    bool placeholder = S_ISREG(st->st_mode) && st->st_size == 0 && diff_is_ours(absolute);
    return placeholder ? PACK_SKIP : PACK_TAKE;
}

static int open_upper(const struct container *c, struct error *err)
{
    _cleanup_free_ char *upper = container_path(c, "upper");
    int r = mkdir_parents(upper, 0700, err);
    if (r < 0)
        return r;
    int fd = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_errno(err, errno, "cannot open %s", upper) : fd;
}

static int pack(struct work *w, struct output *out, struct error *err)
{
    struct pack_options o = {.flags = PACK_WHITEOUTS, .filter = choose};
    if (!w->options->squash) {
        _cleanup_close_ int fd = open_upper(w->c, err);
        return fd < 0 ? fd : pack_tree(fd, &o, write_output, out, err);
    }
    _cleanup_rootfs_ struct rootfs root = ROOTFS_INIT;
    o.flags = PACK_NO_OVERLAY_XATTRS;
    int r = rootfs_open(w->c, &root, err);
    return r < 0 ? r : pack_tree(root.fd, &o, write_output, out, err);
}

static int make_layer(struct work *w, struct error *err)
{
    int r = store_temp_dir(w->c->firn->store, "commit", &w->directory, err);
    if (r < 0)
        return r;
    w->layer = path_join(w->directory, "layer");
    _cleanup_close_ int fd = open(w->layer, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, errno, "cannot create %s", w->layer);
    struct output out = {.fd = fd};
    digest_init(&out.digest);
    r = pack(w, &out, err);
    digest_finish(&out.digest, w->digest);
    return r;
}

/* ---- the config ---- */

static struct json *object_at(struct json *o, const char *key)
{
    if (!js_is_object(js_get(o, key)))
        js_set(o, key, js_object());
    return js_get(o, key);
}

static struct json *list_at(struct json *o, const char *key)
{
    if (!js_is_array(js_get(o, key)))
        js_set(o, key, js_array());
    return js_get(o, key);
}

static void copy(struct json *to, const char *key, const struct json *value)
{
    if (value)
        js_set(to, key, js_copy(value));
    else
        js_remove(to, key);
}

static void add_volumes(const struct container *c, struct json *config)
{
    const struct json *volumes = js_get(c->config, "userVolumes");
    JSON_FOREACH(volumes, i)
    if (js_text(js_at(volumes, i)))
        js_set(object_at(config, "Volumes"), js_text(js_at(volumes, i)), js_object());
}

/* What the container runs becomes what containers of the image run. */
static void take_over(const struct work *w, struct json *config)
{
    static const char *const own[] = {"TERM=", "container=", "HOSTNAME=", "HOME="};
    const struct container *c = w->c;
    const struct json *process = js_path(c->config, "spec", "process", NULL);
    _cleanup_strv_ char **all = js_get_strings(process, "env"), **env = NULL;
    STRV_FOREACH(pair, all)
    {
        bool ours = false;
        for (size_t i = 0; i < ARRAY_LEN(own); i++)
            ours |= string_starts(*pair, own[i]);
        if (!ours)
            strv_add(&env, *pair);
    }
    js_set(config, "Env", js_strings(env));
    copy(config, "Cmd", js_get(c->config, "command"));
    copy(config, "Entrypoint", js_get(c->config, "entrypoint"));
    if (js_count(js_get(c->config, "labels")))
        copy(config, "Labels", js_get(c->config, "labels"));
    if (js_get_string(c->config, "user"))
        copy(config, "User", js_get(c->config, "user"));
    copy(config, "WorkingDir", js_get(process, "cwd"));
    const char *signal = signal_name(container_stop_signal(c));
    if (signal && container_stop_signal(c) != 15)
        js_set(config, "StopSignal", js_string(signal));
    if (w->options->include_volumes)
        add_volumes(c, config);
}

static void add_history(const struct work *w, struct json *config)
{
    struct json *entry = js_object();
    _cleanup_strv_ char **command = container_command(w->c);
    _cleanup_free_ char *by = strv_join(command, " ");
    js_set(entry, "created", js_string(w->created));
    js_set(entry, "created_by", js_string(by));
    if (w->options->author)
        js_set(entry, "author", js_string(w->options->author));
    if (w->options->message)
        js_set(entry, "comment", js_string(w->options->message));
    if (w->options->squash)
        js_set(config, "history", js_array());
    js_push(list_at(config, "history"), entry);
}

static int make_config(struct work *w, struct error *err)
{
    w->created = time_rfc3339(now_ns());
    w->config = js_copy(w->base->config);
    js_set(w->config, "created", js_string(w->created));
    if (w->options->author)
        js_set(w->config, "author", js_string(w->options->author));
    struct json *config = object_at(w->config, "config");
    take_over(w, config);
    int r = 0;
    STRV_FOREACH(change, w->options->changes)
    if (r == 0)
        r = import_apply_change(config, *change, err);
    if (r < 0)
        return r;
    add_history(w, w->config);
    struct json *rootfs = object_at(w->config, "rootfs");
    if (w->options->squash || !js_get(rootfs, "type"))
        js_set(rootfs, "type", js_string("layers"));
    if (w->options->squash)
        js_set(rootfs, "diff_ids", js_array());
    _cleanup_free_ char *diff_id = xasprintf("sha256:%s", w->digest);
    js_push(list_at(rootfs, "diff_ids"), js_string(diff_id));
    return 0;
}

/* ---- all of it ---- */

static int add_image(struct work *w, struct image **ret, struct error *err)
{
    size_t below = w->options->squash ? 0 : strv_length(w->base->blobs);
    _cleanup_free_ struct image_blob *blobs = xcalloc(below + 1, sizeof(*blobs));
    for (size_t i = 0; i < below; i++)
        blobs[i].digest = w->base->blobs[i];
    blobs[below] = (struct image_blob){.path = w->layer, .digest = w->digest, .verified = true};
    _cleanup_free_ char *text = js_dump(w->config, 0);
    const struct image_source source = {
        .config = text,
        .config_size = strlen(text),
        .blobs = blobs,
        .blob_count = below + 1,
        .name = w->name,
        .docker = string_equal(w->options->format, "docker"),
    };
    return image_add(w->c->firn->store, &source, ret, err);
}

static int check(struct work *w, struct error *err)
{
    const struct commit_options *o = w->options;
    _cleanup_json_ struct json *scratch = js_object();
    bool docker = string_equal(o->format, "docker");
    if (o->format && !docker && !string_equal(o->format, "oci"))
        return error_kind_set(err, ERROR_USAGE, "unrecognized image format \"%s\"", o->format);
    if (o->message && !docker)
        return error_kind_set(err, ERROR_USAGE,
                              "messages are only compatible with the docker image format (-f "
                              "docker)");
    int r = o->name ? reference_normalize(o->name, &w->name, err) : 0;
    STRV_FOREACH(change, o->changes)
    if (r == 0)
        r = import_apply_change(scratch, *change, err);
    return r;
}

/* Files are of one instant only while nobody writes. */
static int make_layer_paused(struct work *w, struct error *err)
{
    struct container_status s;
    int r = container_status(w->c, &s, err);
    bool pauses = r == 0 && w->options->pause && s.state == CONTAINER_RUNNING;
    if (pauses)
        r = container_pause(w->c, err);
    if (r == 0)
        r = make_layer(w, err);
    if (pauses)
        container_unpause(w->c, NULL);
    return r;
}

int container_commit(struct container *c, const struct commit_options *options, struct image **ret,
                     struct error *err)
{
    _cleanup_(work_clear) struct work w = {.c = c, .options = options};
    int r = check(&w, err);
    if (r == 0)
        r = image_by_id(c->firn->store, container_image_id(c), &w.base, err);
    if (r >= 0)
        r = make_layer_paused(&w, err);
    if (r >= 0)
        r = make_config(&w, err);
    if (r >= 0)
        r = add_image(&w, ret, err);
    if (r >= 0)
        container_event(c, "commit");
    return r < 0 ? r : 0;
}
