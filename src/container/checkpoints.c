#include "container/checkpoints.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/checkpoint.h"
#include "container/firn.h"
#include "container/state.h"
#include "engine/engine.h"
#include "format/archive.h"
#include "format/image.h"
#include "store/store.h"

#define PAGE     UINT64_C(4096)
#define DUMP_MAX (16u << 20)

/* ---- what its images say ---- */

static uint64_t pages_of(int images, enum image_kind kind, uint64_t number)
{
    _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
    _cleanup_message_ PagemapHead *head = NULL;
    uint64_t pages = 0;
    if (image_open(images, kind, number, &reader, NULL) < 0 ||
        image_next_as(reader, &pagemap_head__descriptor, (void **)&head, NULL) <= 0)
        return 0;
    for (;;) {
        _cleanup_message_ PagemapEntry *e = NULL;
        if (image_next_as(reader, &pagemap_entry__descriptor, (void **)&e, NULL) <= 0)
            return pages;
        pages += e->has_nr_pages ? e->nr_pages : e->compat_nr_pages;
    }
}

static struct json *describe_process(int images, const PstreeEntry *p, uint64_t *memory)
{
    _cleanup_message_ CoreEntry *core = NULL;
    uint64_t own = pages_of(images, IMAGE_PAGEMAP, p->pid) * PAGE;
    struct json *o = js_object();
    image_get(images, IMAGE_CORE, p->pid, (void **)&core, NULL);
    js_set(o, "Pid", js_int(p->pid));
    js_set(o, "Parent", js_int(p->ppid));
    js_set(o, "Command", js_string(core && core->tc && core->tc->comm ? core->tc->comm : ""));
    js_set(o, "Threads", js_int((int64_t)p->n_threads));
    js_set(o, "Memory", js_int((int64_t)own));
    *memory += own;
    return o;
}

/* Memory that is shared has page maps of its own, by numbers of its own. */
static uint64_t shared_memory(int images)
{
    static const char before[] = "pagemap-shmem-";
    uint64_t bytes = 0;
    int fd = openat(images, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *e; d && (e = readdir(d));)
        if (string_starts(e->d_name, before))
            bytes += pages_of(images, IMAGE_PAGEMAP_SHMEM,
                              strtoull(e->d_name + sizeof(before) - 1, NULL, 10)) *
                     PAGE;
    return bytes;
}

static int describe_images(int images, struct json *ret, struct error *err)
{
    _cleanup_(image_freep) struct image *tree = NULL;
    int r = image_load(images, IMAGE_PSTREE, 0, &tree, err);
    if (r < 0)
        return r;
    uint64_t memory = shared_memory(images);
    struct json *processes = js_array();
    for (size_t i = 0; i < tree->count; i++)
        js_push(processes, describe_process(images, tree->messages[i], &memory));
    js_set(ret, "Memory", js_int((int64_t)memory));
    js_set(ret, "Processes", processes);
    return 0;
}

/* ---- whose it is, and where ---- */

static void set_owner(struct json *o, const struct json *config)
{
    static const struct {
        const char *key, *from;
    } keys[] = {{"Container", "id"},
                {"Name", "name"},
                {"Image", "rootfsImageName"},
                {"ImageID", "rootfsImageID"}};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *text = js_get_string(config, keys[i].from);
        js_set(o, keys[i].key, js_string(text ? text : ""));
    }
}

static void set_place(struct json *o, const char *path, int64_t created, uint64_t size)
{
    _cleanup_free_ char *time = time_rfc3339(created);
    js_set(o, "Path", js_string(path));
    js_set(o, "Created", js_string(time));
    js_set(o, "Size", js_int((int64_t)size));
}

static int64_t modified(const struct stat *st)
{
    return st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

static int open_local(const struct container *c, struct error *err)
{
    _cleanup_free_ char *path = container_path(c, LOCAL_CHECKPOINT);
    int fd = checkpoint_exists(c) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return error_kind_set(err, ERROR_NOT_FOUND, "container %s has no local checkpoint",
                              c->name);
    return fd;
}

bool checkpoint_exists(const struct container *c)
{
    _cleanup_free_ char *path = container_path(c, LOCAL_CHECKPOINT "/inventory.img");
    return path_exists(path);
}

int checkpoint_describe(const struct container *c, struct json **ret, struct error *err)
{
    _cleanup_close_ int images = open_local(c, err);
    if (images < 0)
        return images;
    _cleanup_free_ char *path = container_path(c, "checkpoint");
    struct stat st;
    if (fstatat(images, "inventory.img", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, errno, "cannot read %s", path);
    _cleanup_json_ struct json *o = js_object();
    set_owner(o, c->config);
    set_place(o, path, modified(&st), tree_size(path));
    int r = describe_images(images, o, err);
    if (r == 0)
        *ret = take_ptr(o);
    return r;
}

/* ---- archives ---- */

static int describe_extracted(int dirfd, const char *path, const struct stat *archive,
                              struct json *o, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    _cleanup_json_ struct json *config = NULL;
    int r = file_read_at(dirfd, "config.dump", DUMP_MAX, &text, err);
    if (r == 0)
        r = js_parse(text.data, text.size, "config.dump", &config, err);
    if (r < 0)
        return error_wrap(err, "%s", path);
    set_owner(o, config);
    set_place(o, path, modified(archive), (uint64_t)archive->st_size);
    _cleanup_close_ int images = openat(dirfd, "checkpoint", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (images < 0)
        return error_errno(err, errno, "%s holds no images", path);
    r = describe_images(images, o, err);
    return r < 0 ? error_wrap(err, "%s", path) : 0;
}

int checkpoint_describe_archive(struct firn *firn, const char *path, struct json **ret,
                                struct error *err)
{
    _cleanup_(archive_reader_freep) struct archive_reader *reader = NULL;
    _cleanup_temp_dir_ char *place = NULL;
    _cleanup_json_ struct json *o = js_object();
    struct stat st;
    if (stat(path, &st) < 0)
        return error_errno(err, errno, "cannot open checkpoint archive %s", path);
    int r = store_temp_dir(firn->store, "inspect", &place, err);
    _cleanup_close_ int dirfd = r < 0 ? -1 : open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r == 0)
        r = archive_reader_open(path, NULL, &reader, err);
    if (r == 0)
        r = archive_reader_extract(reader, dirfd, err);
    if (r == 0)
        r = describe_extracted(dirfd, path, &st, o, err);
    if (r == 0)
        *ret = take_ptr(o);
    return r;
}

/* ---- removing ---- */

void checkpoint_drop_connections(const struct container *c)
{
    _cleanup_free_ char *images = container_path(c, LOCAL_CHECKPOINT);
    _cleanup_close_ int fd = open(images, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        connections_forget(fd);
}

static int remove_locked(struct container *c, bool force, struct error *err)
{
    _cleanup_free_ char *local = container_path(c, "checkpoint");
    _cleanup_free_ char *images = container_path(c, LOCAL_CHECKPOINT);
    _cleanup_close_ int fd = open_local(c, err);
    if (fd < 0)
        return fd;
    bool needed = c->facts.checkpointed && string_equal(c->facts.checkpoint_path, images);
    if (needed && !force)
        return error_kind_set(err, ERROR_STATE,
                              "container %s is checkpointed and without its checkpoint could only "
                              "begin anew; to remove it all the same use --force",
                              c->name);
    checkpoint_drop_connections(c);
    int r = remove_tree(local, err);
    if (r < 0 || !needed)
        return r;
    c->facts.checkpointed = false;
    free(take_ptr(c->facts.checkpoint_path));
    return container_save_facts(c, err);
}

int checkpoint_remove(struct container *c, bool force, struct error *err)
{
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    return remove_locked(locked, force, err);
}
