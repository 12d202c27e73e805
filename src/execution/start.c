#include "execution/start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/firn.h"
#include "container/state.h"
#include "execution/config.h"
#include "execution/control.h"
#include "execution/place.h"
#include "execution/recover.h"
#include "execution/vessel.h"
#include "format/archive.h"
#include "store/store.h"

/* How long a worker may take to run, its first time. */
#define PATIENCE INT64_C(60000000000)

static int make(struct firn *firn, const char *id, struct json *config,
                const struct start_options *o, struct execution **ret, struct error *err)
{
    _cleanup_execution_ struct execution *e = xcalloc(1, sizeof(*e));
    const char *variable = getenv("FIRN_EXECUTION_STORE");
    const char *store = o->store ? o->store : variable && *variable ? variable : PLACE_STORE;
    _cleanup_free_ char *real = NULL;
    int r = mkdir_parents(store, 0700, err);
    if (r < 0)
        return r;
    real = realpath(store, NULL);
    if (!real)
        return error_errno(err, errno, "cannot find %s", store);
    e->firn = firn;
    e->id = xstrdup(id);
    e->created = now_ns();
    e->config = js_ref(config);
    e->locks = js_array();
    e->policy = (struct execution_policy){
        .store = take_ptr(real),
        .retries = o->retries,
        .backoff = o->backoff,
        .grace = o->grace,
    };
    *ret = take_ptr(e);
    return 0;
}

static void undo(const struct execution *e, bool with_store)
{
    execution_delete(e, NULL);
    _cleanup_close_ int lock = control_take_over(e, NULL);
    vessel_remove(e, NULL);
    if (with_store)
        place_remove(e, NULL);
    else
        place_remove_run(e);
}

/* The first run's errors are the caller's, who is still there. */
static int wait_until_it_runs(struct execution *e, struct error *err)
{
    for (int64_t end = monotonic_ns() + PATIENCE; monotonic_ns() < end;) {
        struct container_status status = {.state = CONTAINER_CREATED};
        int r = execution_refresh(e, err);
        if (r < 0)
            return r;
        vessel_look(e, NULL, &status, NULL);
        if (status.state != CONTAINER_CREATED && status.state != CONTAINER_INITIALIZED)
            return 0;
        if (e->error)
            return error_set(err, EIO, "%s", e->error);
        if (execution_is_over(e))
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return error_set(err, ETIMEDOUT, "the worker of execution %s does not come to run", e->id);
}

/* Written down first: what is killed half way is taken up by the next command. Until it is complete
 * nobody else may do so: we hold the supervisor's lock. */
static int write_down(const struct execution *e, bool with_vessel, struct error *err)
{
    int fd = place_lock(e, err);
    for (int i = 0; fd == -EWOULDBLOCK && i < 1000; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* of one who sweeps */
        fd = place_lock(e, err);
    }
    _cleanup_close_ int lock = fd;
    if (lock < 0)
        return lock == -EWOULDBLOCK ? error_set(err, EAGAIN, "execution %s is locked", e->id)
                                    : lock;
    int r = execution_insert(e, err);
    if (r == 0)
        r = place_make_store(e, err);
    return r == 0 && with_vessel ? vessel_create(e, err) : r;
}

static int set_going(struct execution *e, struct error *err)
{
    int r = recover_supervisor(e, err);
    return r < 0 ? r : wait_until_it_runs(e, err);
}

int execution_start(struct firn *firn, struct json *config, const struct start_options *o,
                    struct execution **ret, struct error *err)
{
    char id[ID_HEX_SIZE];
    _cleanup_json_ struct json *checked = NULL;
    _cleanup_execution_ struct execution *e = NULL;
    random_id(id);
    int r = execution_config_check(config, &checked, err);
    if (r == 0)
        r = make(firn, id, checked, o, &e, err);
    if (r < 0)
        return r;
    r = write_down(e, true, err);
    if (r == 0)
        r = set_going(e, err);
    if (r < 0) {
        undo(e, true);
        return r;
    }
    *ret = take_ptr(e);
    return 0;
}

/* ---- from a file ---- */

/* What the archive says it is: {"id", "config", ...}. */
static int read_tag(struct firn *firn, const char *file, struct json **ret, struct error *err)
{
    _cleanup_temp_dir_ char *directory = NULL;
    _cleanup_json_ struct json *dump = NULL;
    int r = store_temp_dir(firn->store, "execution", &directory, err);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", directory);
    _cleanup_buf_ struct buf text = {0};
    _cleanup_(archive_reader_freep) struct archive_reader *archive = NULL;
    r = archive_reader_open(file, NULL, &archive, err);
    if (r == 0)
        r = archive_reader_extract(archive, fd, err);
    if (r == 0)
        r = file_read_at(fd, "config.dump", 16 << 20, &text, err);
    if (r == 0)
        r = js_parse(text.data, text.size, "config.dump", &dump, err);
    if (r < 0)
        return r;
    struct json *tag = js_path(dump, "firn", "execution", NULL);
    const char *id = js_get_string(tag, "id");
    if (!id || !is_sha256_hex(id) || !string_equal(id, js_get_string(dump, "id")))
        return error_kind_set(err, ERROR_USAGE,
                              "%s is the checkpoint of a container, but of no execution: `firn "
                              "container restore --import` restores it",
                              file);
    *ret = js_ref(tag);
    return 0;
}

/* The file becomes this store's own checkpoint of it. 1: as a copy, 0: it is the very file. */
static int take_file(const struct execution *e, const char *file, struct error *err)
{
    _cleanup_free_ char *path = place_checkpoint(e), *aside = xasprintf("%s.new", path);
    struct stat there, here;
    if (stat(path, &here) == 0 && stat(file, &there) == 0 && here.st_ino == there.st_ino &&
        here.st_dev == there.st_dev)
        return 0;
    unlink(aside);
    _cleanup_close_ int from = open(file, O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int to = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        return error_errno(err, errno, "cannot copy %s to %s", file, aside);
    ssize_t n;
    while ((n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0)) > 0)
        ;
    if (n < 0 || fsync(to) < 0 || rename(aside, path) < 0) {
        int code = errno;
        unlink(aside);
        return error_errno(err, code, "cannot copy %s to %s", file, path);
    }
    return 1;
}

static int check_unknown(struct firn *firn, const char *id, struct error *err)
{
    _cleanup_execution_ struct execution *there = NULL;
    if (execution_lookup(firn, id, &there, NULL) < 0)
        return 0;
    return error_kind_set(err, ERROR_CONFLICT,
                          "execution %s is here already, and %s: `firn execution resume` lets a "
                          "suspended one go on",
                          id, execution_state_name(there->state));
}

int execution_restore(struct firn *firn, const char *file, const struct start_options *o,
                      struct execution **ret, struct error *err)
{
    _cleanup_json_ struct json *tag = NULL, *checked = NULL;
    _cleanup_execution_ struct execution *e = NULL;
    int r = read_tag(firn, file, &tag, err);
    const char *id = js_get_string(tag, "id");
    if (r == 0)
        r = check_unknown(firn, id, err);
    if (r == 0)
        r = execution_config_check(js_get(tag, "config"), &checked, err);
    if (r == 0)
        r = make(firn, id, checked, o, &e, err);
    if (r < 0)
        return r;
    r = place_make_store(e, err);
    if (r < 0)
        return r;
    bool copied = (r = take_file(e, file, err)) > 0;
    if (r >= 0)
        r = write_down(e, false, err);
    if (r == 0)
        r = set_going(e, err);
    if (r < 0) {
        undo(e, copied);
        return r;
    }
    *ret = take_ptr(e);
    return 0;
}
