#include "container/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/json.h"
#include "base/strv.h"
#include "container/capability.h"
#include "container/port.h"

int judged_images_open(int dirfd, const char *name, struct judged_images *ret, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    ret->fd = openat(dirfd, "checkpoint", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ret->fd < 0)
        return error_errno(err, errno, "the checkpoint of container %s has no images", name);
    if (faccessat(ret->fd, "descriptors.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    int r = file_read_at(ret->fd, "descriptors.json", 65536, &text, err);
    return r < 0 ? r
                 : js_parse(text.data, text.size, "descriptors.json of the checkpoint",
                            &ret->descriptors, err);
}

void judged_images_close(struct judged_images *i)
{
    if (i->fd >= 0)
        close(i->fd);
    js_unref(i->descriptors);
    *i = JUDGED_IMAGES_NONE;
}

struct engine_restore_options judged_engine_options(const struct json *config,
                                                    const struct judged_images *images,
                                                    const struct restore_options *options)
{
    return (struct engine_restore_options){
        .name = js_get_string(config, "name"),
        .capabilities =
            capability_mask(js_path(config, "spec", "process", "capabilities", "bounding", NULL)),
        .stdio = {js_text(js_at(images->descriptors, 0)), js_text(js_at(images->descriptors, 1)),
                  js_text(js_at(images->descriptors, 2))},
        .tcp_established = options->tcp_established,
        .tcp_close = options->tcp_close,
        .file_locks = options->file_locks,
    };
}

/* Volumes are made where they are missing. */
static bool is_volume(const struct json *config, const char *where)
{
    const struct json *list = js_get(config, "namedVolumes");
    JSON_FOREACH(list, i)
    {
        if (string_equal(js_get_string(js_at(list, i), "dest"), where))
            return true;
    }
    return false;
}

void judge_mounts(const struct json *config, struct refusals *no)
{
    const struct json *list = js_path(config, "spec", "mounts", NULL);
    JSON_FOREACH(list, i)
    {
        const struct json *mount = js_at(list, i);
        const char *source = js_get_string(mount, "source");
        const char *where = js_get_string(mount, "destination");
        struct stat st;
        if (!source || source[0] != '/' || !where || is_volume(config, where))
            continue;
        if (stat(source, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
            refusals_add(no, "container %s needs %s for its mount at %s, and that is not here",
                         js_get_string(config, "name"), source, where);
    }
}

/* Of a container with a network of its own; those of others are judged with its sockets. */
static void judge_ports(const struct json *config, const struct restore_options *options,
                        struct refusals *no)
{
    struct port_sockets sockets = {0};
    struct error why = {0};
    if (!options->check || (options->publish && !options->import_path))
        return;
    if (ports_reserve(js_get(config, "newPortMappings"), &sockets, &why) < 0)
        refusals_add(no,
                     "container %s publishes a port that is taken: %s; --publish gives it "
                     "another",
                     js_get_string(config, "name"), why.text);
    port_sockets_close(&sockets);
}

int judge_restore(const struct json *config, int dirfd, const struct page_stream *pages,
                  const struct restore_options *options, struct refusals *no, struct error *err)
{
    _cleanup_judged_images_ struct judged_images images = JUDGED_IMAGES_NONE;
    int r = judged_images_open(dirfd, js_get_string(config, "name"), &images, err);
    if (r < 0)
        return refusals_take_any(no, r, err);
    struct engine_restore_options o = judged_engine_options(config, &images, options);
    o.pages = pages;
    bool host_network = string_equal(js_get_string(config, "networkMode"), "host");
    judge_ports(config, options, no);
    return restore_judge(&o, images.fd, host_network, no, err);
}
