#include "store/load.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "format/unpack.h"
#include "store/event.h"
#include "store/transport.h"

#define MAX_ENTRIES 10000

/* Images are files and directories; anything else in an archive is nothing we need. */
static int unpack_archive(int fd, const char *what, const char *dir, struct error *err)
{
    struct unpack_options options = {
        .flags = UNPACK_NO_OWNER | UNPACK_SKIP_DEVICES,
        .max_entries = MAX_ENTRIES,
    };
    _cleanup_close_ int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return error_errno(err, errno, "cannot open %s", dir);
    return unpack_fd(fd, what, dirfd, &options, NULL, err);
}

/* As Podman says it. */
static int unknown(struct error *err)
{
    return error_set(err, EINVAL,
                     "payload does not match any of the supported image formats:\n"
                     " * oci: no index.json or oci-layout\n"
                     " * oci-archive: no index.json or oci-layout in the archive\n"
                     " * docker-archive: no manifest.json in the archive\n"
                     " * dir: no manifest.json");
}

/* Unpacks into a directory that is removed when the images are taken. */
static int take_archive(struct store *s, int fd, const char *what, enum layout kind,
                        struct layout_options o, struct image_list *ret, struct error *err)
{
    _cleanup_temp_dir_ char *tmp = NULL;
    struct error why = {0};
    int r = store_temp_dir(s, "load", &tmp, err);
    if (r < 0)
        return r;
    r = unpack_archive(fd, what, tmp, &why);
    enum layout found = layout_detect(tmp);
    if (found == LAYOUT_NONE || (kind && found != kind && r >= 0))
        return kind && r < 0 ? error_set(err, why.code, "%s", why.text) : unknown(err);
    if (r < 0)
        return error_set(err, why.code, "%s", why.text);
    o.ours = true;
    return layout_take(s, found, tmp, &o, ret, err);
}

static int take_directory(struct store *s, const char *dir, enum layout kind,
                          struct layout_options o, struct image_list *ret, struct error *err)
{
    enum layout found = layout_detect(dir);
    if (found == LAYOUT_NONE || (kind && found != kind))
        return unknown(err);
    o.ours = false;
    return layout_take(s, found, dir, &o, ret, err);
}

static int take_path(struct store *s, const char *path, enum layout kind,
                     const struct layout_options *o, struct image_list *ret, struct error *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, errno, "open %s", path);
    return S_ISDIR(st.st_mode) ? take_directory(s, path, kind, *o, ret, err)
                               : take_archive(s, fd, path, kind, *o, ret, err);
}

/* "oci:DIR" and "dir:DIR" give the image the name of the directory when it says none itself. */
static char *name_of_path(const char *path)
{
    const char *name = strrchr(path, '/');
    return xstrdup(name && name[1] ? name + 1 : path);
}

int load_transport(struct store *s, const struct transport *t, const struct layout_options *o,
                   struct image_list *ret, struct error *err)
{
    int r = take_path(s, t->path, t->layout, o, ret, err);
    if (r < 0 || t->kind != TRANSPORT_DIRECTORY || ret->items[ret->count - 1]->names[0])
        return r;
    struct image **last = &ret->items[ret->count - 1];
    _cleanup_free_ char *name = name_of_path(t->path), *id = xstrdup((*last)->id);
    if (image_tag(s, id, name, NULL) < 0)
        return 0;
    image_release(take_ptr(*last));
    r = image_by_id(s, id, last, err);
    ret->count -= r < 0;
    return r;
}

static char *name_of(const struct image *i)
{
    size_t names = strv_length(i->names);
    return names ? xstrdup(i->names[names - 1]) : xasprintf("sha256:%s", i->id);
}

int load_images(struct store *s, const struct load_options *o, char ***ret_names, struct error *err)
{
    _cleanup_image_list_ struct image_list list = {0};
    struct layout_options layout = {.progress = o->progress};
    bool std = !o->input || string_equal(o->input, "-");
    int r = std ? take_archive(s, STDIN_FILENO, "stdin", LAYOUT_NONE, layout, &list, err)
                : take_path(s, o->input, LAYOUT_NONE, &layout, &list, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.count; i++) {
        event_emit_image(s, "loadfromarchive", list.items[i], NULL);
        strv_take(ret_names, name_of(list.items[i]));
    }
    return 0;
}
