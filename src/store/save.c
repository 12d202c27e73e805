#include "store/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "format/pack.h"
#include "store/event.h"
#include "store/layout.h"
#include "store/transport.h"

static int write_fd(void *context, const void *data, size_t size)
{
    return write_full(*(int *)context, data, size);
}

static int write_oci_archive(struct store *s, const struct image *image, char *const *names, int fd,
                             struct error *err)
{
    _cleanup_temp_dir_ char *tmp = NULL;
    int r = store_temp_dir(s, "save", &tmp, err);
    if (r >= 0)
        r = layout_write(s, LAYOUT_OCI, tmp, image, names, true, err);
    if (r < 0)
        return r;
    _cleanup_close_ int dir = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_errno(err, errno, "cannot open %s", tmp);
    return pack_tree(dir, &(struct pack_options){0}, write_fd, &fd, err);
}

/* An archive is written beside its place and renamed, unless that is a device or a pipe. */
struct output {
    const char *path; /* NULL: stdout */
    char *aside;
    int fd;
};

static void output_discard(struct output *o)
{
    if (o->aside)
        unlink(o->aside);
    if (o->fd >= 0)
        close(o->fd);
    free(o->aside);
}

static int output_open(const char *path, struct output *o, struct error *err)
{
    struct stat st;
    if (!path || string_equal(path, "-")) {
        o->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        return o->fd < 0 ? error_errno(err, errno, "cannot write to stdout") : 0;
    }
    o->path = path;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        o->fd = open(path, O_WRONLY | O_CLOEXEC);
        return o->fd < 0 ? error_errno(err, errno, "open %s", path) : 0;
    }
    o->aside = xasprintf("%s.%d.new", path, (int)getpid());
    o->fd = open(o->aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (o->fd >= 0)
        return 0;
    int code = errno;
    free(take_ptr(o->aside));
    return error_errno(err, code, "open %s", path);
}

static int output_commit(struct output *o, struct error *err)
{
    if (o->aside && rename(o->aside, o->path) < 0)
        return error_errno(err, errno, "cannot rename %s to %s", o->aside, o->path);
    free(take_ptr(o->aside));
    return 0;
}

static int write_archive(struct store *s, enum layout layout, const struct saved_image *images,
                         size_t count, const char *path, const struct progress *p,
                         struct error *err)
{
    _cleanup_(output_discard) struct output out = {.fd = -1};
    int r = output_open(path, &out, err);
    if (r >= 0)
        r = layout == LAYOUT_DOCKER
                ? save_docker_archive(s, images, count, out.fd, p, err)
                : write_oci_archive(s, images[0].image, images[0].names, out.fd, err);
    if (r >= 0 && layout != LAYOUT_DOCKER)
        progress_image(p, images[0].image->blobs, images[0].image->id);
    return r < 0 ? r : output_commit(&out, err);
}

static int write_directory(struct store *s, enum layout layout, const struct saved_image *saved,
                           const char *path, bool convert, const struct progress *p,
                           struct error *err)
{
    if (!path || string_equal(path, "-"))
        return error_kind_set(err, ERROR_USAGE,
                              "a directory cannot be written to stdout: use --output");
    if (path_exists(path) && rmdir(path) < 0)
        return error_errno(err, errno, "cannot write an image to %s", path);
    int r = mkdir_parents(path, 0755, err);
    if (r >= 0)
        r = layout_write(s, layout, path, saved->image, saved->names, convert, err);
    if (r >= 0)
        progress_image(p, saved->image->blobs, saved->image->id);
    return r;
}

int save_transport(struct store *s, const struct transport *t, const struct image *image,
                   char *const *names, const char *format, const struct progress *p,
                   struct error *err)
{
    struct saved_image saved = {.image = image, .names = (char **)names};
    if (t->kind == TRANSPORT_ARCHIVE)
        return write_archive(s, t->layout, &saved, 1, t->path, p, err);
    return write_directory(s, t->layout, &saved, t->path, string_equal(format, "v2s2"), p, err);
}

static const struct format {
    const char *name;
    bool directory;
    enum layout layout;
} formats[] = {
    {"docker-archive", false, LAYOUT_DOCKER},
    {"oci-archive", false, LAYOUT_OCI},
    {"oci-dir", true, LAYOUT_OCI},
    {"docker-dir", true, LAYOUT_DIR},
};

static const struct format *find_format(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (!name || string_equal(name, formats[i].name))
            return &formats[i];
    return NULL;
}

/* What is to be saved. An image asked for by several names comes once, with all of them. */
struct selection {
    struct image_list images;
    struct saved_image *saved; /* as many as images */
};

static void selection_clear(struct selection *all)
{
    for (size_t i = 0; i < all->images.count; i++)
        strv_free(all->saved[i].names);
    free(all->saved);
    image_list_free(&all->images);
}

static struct saved_image *find_saved(struct selection *all, const char *id)
{
    for (size_t i = 0; i < all->images.count; i++)
        if (string_equal(all->images.items[i]->id, id))
            return &all->saved[i];
    return NULL;
}

static int select_image(struct store *s, const char *text, struct selection *all, struct error *err)
{
    _cleanup_image_ struct image *image = NULL;
    _cleanup_free_ char *name = NULL;
    int r = image_lookup_name(s, text, &image, &name, err);
    if (r < 0)
        return r;
    struct saved_image *saved = find_saved(all, image->id);
    if (!saved) {
        size_t n = all->images.count;
        all->images.items = xrealloc(all->images.items, (n + 1) * sizeof(*all->images.items));
        all->saved = xrealloc(all->saved, (n + 1) * sizeof(*all->saved));
        all->saved[n] = (struct saved_image){.image = image};
        saved = &all->saved[n];
        all->images.items[all->images.count++] = take_ptr(image);
    }
    if (name && !strchr(name, '@') && !strv_contains(saved->names, name))
        strv_take(&saved->names, take_ptr(name));
    return 0;
}

int save_images(struct store *s, const struct save_options *o, struct error *err)
{
    _cleanup_(selection_clear) struct selection all = {0};
    const struct format *format = find_format(o->format);
    if (!format)
        return error_kind_set(err, ERROR_USAGE,
                              "unknown format \"%s\": must be one of oci-archive, oci-dir, "
                              "docker-archive, docker-dir",
                              o->format);
    int r = 0;
    STRV_FOREACH(name, o->images)
    if (r >= 0)
        r = select_image(s, *name, &all, err);
    if (r < 0)
        return r;
    if (all.images.count != 1 && format->layout != LAYOUT_DOCKER)
        return error_kind_set(err, ERROR_USAGE,
                              "multi-image archives need the format docker-archive");
    r = format->directory
            ? write_directory(s, format->layout, all.saved, o->output, true, &o->progress, err)
            : write_archive(s, format->layout, all.saved, all.images.count, o->output, &o->progress,
                            err);
    for (size_t i = 0; r >= 0 && i < all.images.count; i++)
        event_emit_image(s, "save", all.images.items[i], NULL);
    return r;
}
