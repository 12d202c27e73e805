#include <stdio.h>

#include "base/clock.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "cli/each.h"
#include "cli/failures.h"
#include "cli/report.h"
#include "container/restore.h"
#include "store/image.h"

struct restore_command_options {
    bool all, latest, keep, ignore_rootfs, ignore_volumes, ignore_static_ip, ignore_static_mac;
    bool tcp_established, tcp_close, file_locks, print_stats, check;
    char *import_path, *name;
    char **publish;
};

#define RESTORE(field) offsetof(struct restore_command_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, RESTORE(all), .help = "Restore all checkpointed containers"},
    {"check", 0, OPTION_BOOL, RESTORE(check),
     .help = "Only tell what would stop the restore, all of it at once"},
    {"file-locks", 0, OPTION_BOOL, RESTORE(file_locks),
     .help = "Restore a container with file locks"},
    {"ignore-rootfs", 0, OPTION_BOOL, RESTORE(ignore_rootfs),
     .help = "Do not apply root file-system changes when importing from exported checkpoint"},
    {"ignore-static-ip", 0, OPTION_BOOL, RESTORE(ignore_static_ip),
     .help = "Ignore IP address set via --static-ip"},
    {"ignore-static-mac", 0, OPTION_BOOL, RESTORE(ignore_static_mac),
     .help = "Ignore MAC address set via --mac-address"},
    {"ignore-volumes", 0, OPTION_BOOL, RESTORE(ignore_volumes),
     .help = "Do not restore volumes associated with container"},
    {"import", 'i', OPTION_STRING, RESTORE(import_path), "string",
     "Restore from exported checkpoint archive (tar.gz)"},
    {"import-previous", 0, OPTION_UNSUPPORTED, 0, "string"},
    {"keep", 'k', OPTION_BOOL, RESTORE(keep), .help = "Keep all temporary checkpoint files"},
    {"latest", 'l', OPTION_BOOL, RESTORE(latest),
     .help = "Act on the latest container firn is aware of"},
    {"name", 'n', OPTION_STRING, RESTORE(name), "string",
     "Specify new name for container restored from exported checkpoint (only works with image or "
     "--import)"},
    {"pod", 0, OPTION_UNSUPPORTED, 0, "string"},
    {"print-stats", 0, OPTION_BOOL, RESTORE(print_stats), .help = "Display restore statistics"},
    {"publish", 'p', OPTION_STRINGS, RESTORE(publish), "strings",
     "Publish a container's port, or a range of ports, to the host (default [])"},
    {"tcp-close", 0, OPTION_BOOL, RESTORE(tcp_close),
     .help = "Restore a container but close the TCP connections"},
    {"tcp-established", 0, OPTION_BOOL, RESTORE(tcp_established),
     .help = "Restore a container with established TCP connections"},
    {0},
};

static int refuse(struct error *err, const char *text)
{
    return error_kind_set(err, ERROR_USAGE, "%s", text);
}

static int check(const struct call *call, const struct restore_command_options *o,
                 struct error *err)
{
    bool local = !o->import_path;
    if (local && o->ignore_rootfs)
        return refuse(err, "--ignore-rootfs can only be used with image or --import");
    if (local && o->ignore_volumes)
        return refuse(err, "--ignore-volumes can only be used with image or --import");
    if (local && o->name)
        return refuse(err, "--name can only be used with image or --import");
    if (o->name && o->tcp_established)
        return refuse(err, "--tcp-established cannot be used with --name");
    if (!local && (o->all || o->latest))
        return refuse(err, "cannot use --import with --all or --latest");
    if (!local && call->arg_count)
        return refuse(err, "cannot use --import with positional arguments");
    return 0;
}

/* A name that is no container may be an image, but we make no checkpoint images yet. */
static int explain_missing(struct call *call, int r, struct error *err)
{
    STRV_FOREACH(name, call->args)
    {
        _cleanup_container_ struct container *c = NULL;
        _cleanup_image_ struct image *image = NULL;
        struct error one = {0}, two = {0};
        if (container_lookup(call->firn, *name, &c, &one) >= 0 || one.kind != ERROR_NOT_FOUND)
            continue;
        if (image_lookup(call->firn->store, *name, &image, &two) >= 0)
            return error_kind_set(err, ERROR_USAGE, "image is not a checkpoint: %s", image->id);
        return error_kind_set(err, ERROR_NOT_FOUND, "no such container or image: %s", *name);
    }
    return r;
}

static struct json *describe(const struct container *c, const char *typed,
                             const struct restore_stats *s)
{
    struct json *times = js_object();
    js_set(times, "pages_compared", js_int(s->pages_compared));
    js_set(times, "pages_skipped_cow", js_int(s->pages_skipped_cow));
    js_set(times, "forking_time", js_int(s->forking_time));
    js_set(times, "restore_time", js_int(s->restore_time));
    js_set(times, "pages_restored", js_int(s->pages_restored));
    struct json *o = js_object();
    js_set(o, "Id", js_string(c->id));
    js_set(o, "RawInput", js_string(typed));
    js_set(o, "runtime_restore_duration", js_int(s->duration));
    js_set(o, "criu_statistics", times);
    return o;
}

static void print_stats(int64_t started_us, struct json *list)
{
    _cleanup_json_ struct json *all = js_object();
    js_set(all, "podman_restore_duration", js_int(monotonic_us() - started_us));
    js_set(all, "container_statistics", js_ref(list));
    report_json(all, 4);
}

static int import(struct call *call, const struct restore_options *options, struct json *statistics,
                  struct error *err)
{
    const struct restore_command_options *o = call->options;
    _cleanup_container_ struct container *c = NULL;
    struct restore_stats s = {0};
    int r = container_import(call->firn, options, &c, &s, err);
    if (r < 0)
        return r;
    if (o->check)
        printf("%s: nothing stops a restore\n", o->import_path);
    else if (o->print_stats)
        js_push(statistics, describe(c, c->id, &s));
    else
        printf("%s\n", c->id);
    return 0;
}

static int restore_local(struct call *call, const struct restore_options *options,
                         struct json *statistics, struct error *err)
{
    const struct restore_command_options *o = call->options;
    _cleanup_container_list_ struct container_list list = {0};
    _cleanup_strv_ char **names = NULL;
    struct failures failures = {0};
    struct each e = {.all = o->all, .latest = o->latest, .wanted = wanted_exited};
    int r = each_select(call, &e, &list, &names, err);
    if (r < 0)
        return err->kind == ERROR_NOT_FOUND ? explain_missing(call, r, err) : r;
    for (size_t i = 0; i < list.count; i++) {
        struct error one = {0};
        struct restore_stats s = {0};
        r = container_restore(call->firn, list.items[i], options, &s, &one);
        if (r < 0)
            failures_add(&failures, &one);
        else if (o->check)
            printf("%s: nothing stops a restore\n", names[i]);
        else if (o->print_stats)
            js_push(statistics, describe(list.items[i], names[i], &s));
        else
            printf("%s\n", names[i]);
        fflush(stdout);
    }
    return failures_end(&failures, err);
}

static int run(struct call *call, struct error *err)
{
    const struct restore_command_options *o = call->options;
    int64_t started = monotonic_us();
    _cleanup_json_ struct json *statistics = js_array();
    struct restore_options options = {
        .import_path = o->import_path,
        .name = o->name,
        .keep = o->keep,
        .ignore_rootfs = o->ignore_rootfs,
        .ignore_volumes = o->ignore_volumes,
        .ignore_static_ip = o->ignore_static_ip,
        .ignore_static_mac = o->ignore_static_mac,
        .tcp_established = o->tcp_established,
        .tcp_close = o->tcp_close,
        .file_locks = o->file_locks,
        .check = o->check,
        .publish = o->publish,
    };
    int r = check(call, o, err);
    if (r < 0)
        return r;
    r = o->import_path ? import(call, &options, statistics, err)
                       : restore_local(call, &options, statistics, err);
    if (o->print_stats && !o->check)
        print_stats(started, statistics);
    return r;
}

const struct command command_container_restore = {
    .paths = {"container restore"},
    .usage = "[options] CONTAINER|IMAGE [CONTAINER|IMAGE...]",
    .help = "Restores one or more containers from a checkpoint",
    .options = table,
    .options_size = sizeof(struct restore_command_options),
    .args_most = ARGS_ANY,
    .run = run,
};
