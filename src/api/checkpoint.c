/* Checkpoints: of a container to itself or as a download, and back, from itself or an upload; and
 * Docker's named ones. */
#include "container/checkpoint.h"
#include "api/containers.h"
#include "api/routes.h"
#include "base/strv.h"
#include "container/restore.h"

/* ---- checkpoint ---- */

struct checkpoint_query {
    bool keep, leave_running, tcp_established, tcp_close, export, ignore_rootfs, ignore_volumes;
    bool print_stats, file_locks;
};
#define CHECKPOINT(member) offsetof(struct checkpoint_query, member)
static const struct option checkpoint_query[] = {
    {"keep", 0, OPTION_BOOL, CHECKPOINT(keep)},
    {"leaveRunning", 0, OPTION_BOOL, CHECKPOINT(leave_running)},
    {"tcpEstablished", 0, OPTION_BOOL, CHECKPOINT(tcp_established)},
    {"tcpClose", 0, OPTION_BOOL, CHECKPOINT(tcp_close)},
    {"export", 0, OPTION_BOOL, CHECKPOINT(export)},
    {"ignoreRootFS", 0, OPTION_BOOL, CHECKPOINT(ignore_rootfs)},
    {"ignoreVolumes", 0, OPTION_BOOL, CHECKPOINT(ignore_volumes)},
    {"printStats", 0, OPTION_BOOL, CHECKPOINT(print_stats)},
    {"fileLocks", 0, OPTION_BOOL, CHECKPOINT(file_locks)},
    {"preCheckpoint", 0, OPTION_UNSUPPORTED, 0},
    {"withPrevious", 0, OPTION_UNSUPPORTED, 0},
    {"createImage", 0, OPTION_UNSUPPORTED, 0, "string"},
    {0},
};

static struct json *checkpoint_report(const struct request *r, const struct container *c,
                                      const struct checkpoint_stats *s, bool statistics)
{
    struct json *o = js_object(), *times = statistics ? js_object() : js_null();
    if (statistics) {
        js_set(times, "freezing_time", js_int(s->freezing_time));
        js_set(times, "frozen_time", js_int(s->frozen_time));
        js_set(times, "memdump_time", js_int(s->memdump_time));
        js_set(times, "memwrite_time", js_int(s->memwrite_time));
        js_set(times, "pages_scanned", js_int(s->pages_scanned));
        js_set(times, "pages_written", js_int(s->pages_written));
    }
    js_set(o, "Id", js_string(c->id));
    js_set(o, "RawInput", js_string(r->args[0]));
    js_set(o, "runtime_checkpoint_duration", js_int(s->duration));
    js_set(o, "criu_statistics", times);
    return o;
}

/* Written to the client while it is made: nothing is spooled. It is plain, as the clients expect.
 */
static int export(struct request *r, struct container *c, struct checkpoint_options *o,
                  struct reply *reply, struct error *err)
{
    struct checkpoint_stats s = {0};
    o->export_path = "-";
    o->compression = "none";
    int e = reply_stream_deferred(reply, 200, "application/octet", err);
    return e < 0 ? e : container_checkpoint(r->firn, c, o, &s, err);
}

static int checkpoint(struct request *r, struct reply *reply, struct error *err)
{
    const struct checkpoint_query *q = r->options;
    _cleanup_container_ struct container *c = NULL;
    struct checkpoint_stats s = {0};
    struct checkpoint_options o = {
        .leave_running = q->leave_running,
        .keep = q->keep,
        .ignore_rootfs = q->ignore_rootfs,
        .ignore_volumes = q->ignore_volumes,
        .tcp_established = q->tcp_established,
        .tcp_close = q->tcp_close,
        .file_locks = q->file_locks,
    };
    int e = containers_lookup(r, &c, err);
    if (e >= 0 && q->export)
        return export(r, c, &o, reply, err);
    if (e >= 0)
        e = container_checkpoint(r->firn, c, &o, &s, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *report = checkpoint_report(r, c, &s, q->print_stats);
    return reply_json(reply, 200, report, err);
}

/* ---- restore ---- */

struct restore_query {
    bool keep, tcp_established, tcp_close, import, ignore_rootfs, ignore_volumes;
    bool ignore_static_ip, ignore_static_mac, print_stats, file_locks;
    char *name, *archive;
    char **publish;
};
#define RESTORE(member) offsetof(struct restore_query, member)
static const struct option restore_query[] = {
    {"keep", 0, OPTION_BOOL, RESTORE(keep)},
    {"tcpEstablished", 0, OPTION_BOOL, RESTORE(tcp_established)},
    {"tcpClose", 0, OPTION_BOOL, RESTORE(tcp_close)},
    {"import", 0, OPTION_BOOL, RESTORE(import)},
    {"importArchive", 0, OPTION_STRING, RESTORE(archive)}, /* a path of the client's: not for us */
    {"name", 0, OPTION_STRING, RESTORE(name)},
    {"ignoreRootFS", 0, OPTION_BOOL, RESTORE(ignore_rootfs)},
    {"ignoreVolumes", 0, OPTION_BOOL, RESTORE(ignore_volumes)},
    {"ignoreStaticIP", 0, OPTION_BOOL, RESTORE(ignore_static_ip)},
    {"ignoreStaticMAC", 0, OPTION_BOOL, RESTORE(ignore_static_mac)},
    {"printStats", 0, OPTION_BOOL, RESTORE(print_stats)},
    {"fileLocks", 0, OPTION_BOOL, RESTORE(file_locks)},
    {"publishPorts", 0, OPTION_STRINGS, RESTORE(publish)},
    {"pod", 0, OPTION_UNSUPPORTED, 0, "string"},
    {0},
};

static struct json *restore_report(const struct request *r, const struct container *c,
                                   const struct restore_stats *s, const struct restore_query *q)
{
    struct json *o = js_object(), *times = q->print_stats ? js_object() : js_null();
    if (q->print_stats) {
        js_set(times, "forking_time", js_int(s->forking_time));
        js_set(times, "restore_time", js_int(s->restore_time));
        js_set(times, "pages_compared", js_int(s->pages_compared));
        js_set(times, "pages_skipped_cow", js_int(s->pages_skipped_cow));
        js_set(times, "pages_restored", js_int(s->pages_restored));
    }
    js_set(o, "Id", js_string(c->id));
    js_set(o, "RawInput", js_string(q->import ? c->id : r->args[0]));
    js_set(o, "runtime_restore_duration", js_int(s->duration));
    js_set(o, "criu_statistics", times);
    return o;
}

static int restore(struct request *r, struct reply *reply, struct error *err)
{
    const struct restore_query *q = r->options;
    _cleanup_container_ struct container *c = NULL;
    struct restore_stats s = {0};
    const struct restore_options o = {
        .import_path = q->import ? "-" : NULL, /* the body of the request */
        .name = q->name,
        .keep = q->keep,
        .ignore_rootfs = q->ignore_rootfs,
        .ignore_volumes = q->ignore_volumes,
        .ignore_static_ip = q->ignore_static_ip,
        .ignore_static_mac = q->ignore_static_mac,
        .tcp_established = q->tcp_established,
        .tcp_close = q->tcp_close,
        .file_locks = q->file_locks,
        .publish = q->publish,
    };
    int e = q->import ? 0 : containers_lookup(r, &c, err);
    if (e >= 0 && !q->import && q->name)
        e = error_kind_set(err, ERROR_USAGE, "a new name is only possible with import");
    if (e >= 0)
        e = q->import ? container_import(r->firn, &o, &c, &s, err)
                      : container_restore(r->firn, c, &o, &s, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *report = restore_report(r, c, &s, q);
    return reply_json(reply, 200, report, err);
}

const struct route checkpoint_routes[] = {
    {"POST", API_LIBPOD, "/containers/{name}/checkpoint", checkpoint,
     OPTIONS(checkpoint_query, checkpoint_query), ROUTE_CHANGES},
    {"POST", API_LIBPOD, "/containers/{name}/restore", restore,
     OPTIONS(restore_query, restore_query), ROUTE_CHANGES | ROUTE_UPLOAD},
    {0},
};
