#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/config-network.h"
#include "container/config.h"
#include "container/create.h"
#include "container/firn.h"
#include "container/import-config.h"
#include "container/job.h"
#include "container/judge.h"
#include "container/restore.h"
#include "container/revive.h"
#include "engine/engine.h"
#include "format/archive.h"
#include "store/image.h"
#include "store/registry.h"
#include "store/volume.h"

/* An archive, as far as it was read: up to its pages, or, if they do not come last, all of it. */
struct unpacked {
    struct archive_reader *archive;
    char *path;
    int dirfd;
};

struct result {
    struct restore_stats stats;
    char id[65];
};

/* ---- what has to be there ---- */

/* By the digest it had there: the same image, whatever it is called here. */
static int find_image(struct firn *firn, const struct json *config, int dirfd,
                      const struct restore_options *o, struct error *err)
{
    const char *id = js_get_string(config, "rootfsImageID"), *archive = o->import_path;
    const char *name = js_get_string(config, "rootfsImageName");
    _cleanup_image_ struct image *image = NULL;
    if (image_by_id(firn->store, id, &image, NULL) == 0)
        return 0;
    _cleanup_free_ char *digest = import_image_digest(dirfd);
    const char *tag = name ? strrchr(name, ':') : NULL;
    size_t length = tag && !strchr(tag, '/') ? (size_t)(tag - name) : name ? strlen(name) : 0;
    _cleanup_free_ char *exact =
        digest && length ? xasprintf("%.*s@%s", (int)length, name, digest) : NULL;
    struct error why = {0};
    const struct registry_options options = {0};
    bool remote = name && *name && !string_starts(name, "localhost/");
    if (o->check)
        return error_set(err, ENOENT, "%s needs image %s (%.12s), which is not here%s", archive,
                         name && *name ? name : "<none>", id,
                         remote ? " (a restore tries to pull it)" : ": bring it with `firn load`");
    int r =
        remote ? registry_pull(firn->store, exact ? exact : name, &options, &image, &why) : -ENOENT;
    if (r < 0)
        return error_set(err, ENOENT,
                         "%s needs image %s (%.12s), which is not here%s%s: bring it with `firn "
                         "load` or `firn pull`",
                         archive, name && *name ? name : "<none>", id,
                         remote ? " and cannot be pulled: " : "", remote ? why.text : "");
    if (strcmp(image->id, id) == 0)
        return 0;
    return error_set(err, ENOENT,
                     "%s needs image %s with id %.12s, but that name is now image %.12s", archive,
                     name, id, image->id);
}

static int check_id(struct firn *firn, const char *id, struct error *err)
{
    _cleanup_container_ struct container *same = NULL;
    if (container_lookup(firn, id, &same, NULL) < 0 || strcmp(same->id, id) != 0)
        return 0;
    return error_kind_set(err, ERROR_CONFLICT,
                          "creating container storage: that ID is already in use");
}

static int check_name(struct firn *firn, const char *name, struct error *err)
{
    _cleanup_container_ struct container *same = NULL;
    if (container_lookup(firn, name, &same, NULL) < 0 || strcmp(same->name, name) != 0)
        return 0;
    return error_kind_set(err, ERROR_CONFLICT,
                          "creating container storage: the container name \"%s\" is already in "
                          "use by %s. You have to remove that container to be able to reuse "
                          "that name: that name is already in use",
                          name, same->id);
}

static int check_volume(struct firn *firn, const char *name, struct error *err)
{
    int there = volume_exists(firn->store, name, err);
    return there <= 0 ? there
                      : error_kind_set(err, ERROR_CONFLICT,
                                       "volume with name %s already exists. Use --ignore-volumes "
                                       "to not restore content of volumes",
                                       name);
}

static int check_free(struct firn *firn, const struct json *config, const struct restore_options *o,
                      struct refusals *no, struct error *err)
{
    int r = check_id(firn, js_get_string(config, "id"), err);
    if (r == 0) /* else the name is most probably its, too */
        r = check_name(firn, js_get_string(config, "name"), err);
    r = refusals_take_any(no, r, err);
    const struct json *volumes = js_get(config, "namedVolumes");
    for (size_t i = 0; r == 0 && !o->ignore_volumes && i < js_count(volumes); i++) {
        const char *name = js_get_string(js_at(volumes, i), "volumeName");
        r = refusals_take_any(no, check_volume(firn, name, err), err);
    }
    return r;
}

static int next_pages(void *context, uint32_t *number, uint64_t *size, struct error *err)
{
    return archive_reader_pages(context, number, size, err);
}

static int read_pages(void *context, const void **data, size_t *size, struct error *err)
{
    return archive_reader_data(context, data, size, err);
}

/* Only when something is missing, or the user asks, are the images looked through twice. */
static int judge(struct firn *firn, const struct json *config, const struct unpacked *from,
                 const struct restore_options *o, struct error *err)
{
    struct refusals no = {0};
    const struct page_stream pages = {from->archive, next_pages, read_pages};
    int r = refusals_take_any(&no, find_image(firn, config, from->dirfd, o, err), err);
    if (r == 0)
        r = check_free(firn, config, o, &no, err);
    judge_mounts(config, &no);
    if (r == 0 && (o->check || no.count))
        r = judge_restore(config, from->dirfd,
                          archive_reader_has_pages(from->archive) ? &pages : NULL, o, &no, err);
    if (r == 0)
        r = refusals_report(&no, err, "%s cannot be restored", o->import_path);
    refusals_clear(&no);
    return r;
}

/* ---- the container ---- */

static int copy_log(const struct container *c, const char *unpacked)
{
    _cleanup_free_ char *from = path_join(unpacked, "ctr.log");
    _cleanup_free_ char *to = container_path(c, "ctr.log");
    return path_exists(from) ? rename(from, to) : 0;
}

static int revive_import(struct job *job, struct container *c, const struct unpacked *from,
                         struct error *err)
{
    const struct restore_options *o = job->request;
    struct result *result = job->result;
    const struct page_stream pages = {from->archive, next_pages, read_pages};
    struct revival_plan plan = {
        .c = c,
        .dirfd = from->dirfd,
        .pages = archive_reader_has_pages(from->archive) ? &pages : NULL,
        .options = o,
        .apply_rootfs = !o->ignore_rootfs,
        .apply_volumes = !o->ignore_volumes,
        .new_start = true,
    };
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    r = mkdir_parents(c->directory, 0700, err);
    if (r == 0)
        r = revive_mark(c, o->ignore_volumes ? REVIVE_IMPORT_KEEPING : REVIVE_IMPORT, err);
    if (r == 0)
        r = fault("import", "the container is recorded", err);
    if (r == 0 && copy_log(c, from->path) < 0)
        r = error_errno(err, errno, "cannot keep the log of container %s", c->name);
    if (r == 0)
        r = revive(job, &plan, &result->stats, err);
    revive_unmark(c);
    container_unlock(c);
    return r;
}

static int create_and_revive(struct job *job, struct json *config, const struct unpacked *from,
                             struct error *err)
{
    const struct restore_options *o = job->request;
    struct result *result = job->result;
    _cleanup_container_ struct container *c = NULL;
    int r = container_create_from_config(job->firn, config, &c, err);
    if (r < 0)
        return r;
    snprintf(result->id, sizeof(result->id), "%s", c->id);
    r = revive_import(job, c, from, err);
    if (r < 0)
        revive_remove(c, o->ignore_volumes, NULL);
    return r;
}

static void unpacked_clear(struct unpacked *u)
{
    if (u->archive)
        archive_reader_free(u->archive);
    cleanup_close(&u->dirfd);
    store_temp_discard(&u->path);
}

static int unpack(struct job *job, struct unpacked *u, struct error *err)
{
    const struct restore_options *o = job->request;
    int r = store_temp_dir(job->firn->store, "import", &u->path, err);
    if (r < 0)
        return r;
    u->dirfd = open(u->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (u->dirfd < 0)
        return error_errno(err, errno, "cannot open %s", u->path);
    r = archive_reader_open(o->import_path, NULL, &u->archive, err);
    if (r == 0)
        r = archive_reader_extract(u->archive, u->dirfd, err);
    return r < 0 ? r : fault("import", "the archive is read", err);
}

static int work(struct job *job, struct error *err)
{
    const struct restore_options *o = job->request;
    _cleanup_(unpacked_clear) struct unpacked u = {.dirfd = -1};
    _cleanup_json_ struct json *config = NULL;
    int r = unpack(job, &u, err);
    if (r == 0)
        r = import_config(job->firn, u.dirfd, o->import_path, o->name, &config, err);
    if (r == 0 && o->adapt)
        o->adapt(o->adapt_context, config);
    if (r == 0)
        r = config_publish(config, o->publish, err);
    if (r == 0)
        r = judge(job->firn, config, &u, o, err);
    if (r == 0 && job_cancelled(job))
        r = error_kind_set(err, ERROR_CANCELLED, "the restore was cancelled");
    if (r < 0 || o->check)
        return r;
    return create_and_revive(job, take_ptr(config), &u, err);
}

int container_import(struct firn *firn, const struct restore_options *options,
                     struct container **ret, struct restore_stats *ret_stats, struct error *err)
{
    int64_t begin = monotonic_us();
    struct result result = {0};
    int r = job_run(firn, work, options, &result, sizeof(result), err);
    result.stats.duration = monotonic_us() - begin;
    if (ret_stats)
        *ret_stats = result.stats;
    return r < 0 || options->check ? r : container_lookup(firn, result.id, ret, err);
}
