#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "cli/each.h"
#include "cli/failures.h"
#include "cli/report.h"
#include "container/checkpoint.h"

struct checkpoint_command_options {
    bool all, latest, leave_running, keep, ignore_rootfs, ignore_volumes;
    bool tcp_established, tcp_close, file_locks, print_stats, dry_run;
    char *export_path, *compression, *external_unix;
};

#define CHECKPOINT(field) offsetof(struct checkpoint_command_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, CHECKPOINT(all), .help = "Checkpoint all running containers"},
    {"compress", 'c', OPTION_STRING, CHECKPOINT(compression), "string",
     "Select compression algorithm (gzip, none, zstd) for checkpoint archive.", .initial = "zstd"},
    {"create-image", 0, OPTION_UNSUPPORTED, 0, "string"},
    {"dry-run", 0, OPTION_BOOL, CHECKPOINT(dry_run),
     .help = "Only tell what would stop a checkpoint, all of it at once"},
    {"export", 'e', OPTION_STRING, CHECKPOINT(export_path), "string",
     "Export the checkpoint image to a tar.gz"},
    {"external-unix", 0, OPTION_STRING, CHECKPOINT(external_unix), "string",
     "What becomes of unix sockets connected with the outside (refuse, close, reconnect)",
     .initial = "refuse"},
    {"file-locks", 0, OPTION_BOOL, CHECKPOINT(file_locks),
     .help = "Checkpoint a container with file locks"},
    {"ignore-rootfs", 0, OPTION_BOOL, CHECKPOINT(ignore_rootfs),
     .help = "Do not include root file-system changes when exporting"},
    {"ignore-volumes", 0, OPTION_BOOL, CHECKPOINT(ignore_volumes),
     .help = "Do not export volumes associated with container"},
    {"keep", 'k', OPTION_BOOL, CHECKPOINT(keep), .help = "Keep all temporary checkpoint files"},
    {"latest", 'l', OPTION_BOOL, CHECKPOINT(latest),
     .help = "Act on the latest container firn is aware of"},
    {"leave-running", 'R', OPTION_BOOL, CHECKPOINT(leave_running),
     .help = "Leave the container running after writing checkpoint to disk"},
    {"pre-checkpoint", 'P', OPTION_UNSUPPORTED, 0},
    {"print-stats", 0, OPTION_BOOL, CHECKPOINT(print_stats),
     .help = "Display checkpoint statistics"},
    {"tcp-close", 0, OPTION_BOOL, CHECKPOINT(tcp_close),
     .help = "Checkpoint a container with closed TCP connections"},
    {"tcp-established", 0, OPTION_BOOL, CHECKPOINT(tcp_established),
     .help = "Checkpoint a container with established TCP connections"},
    {"with-previous", 0, OPTION_UNSUPPORTED, 0},
    {0},
};

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

static bool is_standard_output(const struct checkpoint_command_options *o)
{
    return o->export_path && strcmp(o->export_path, "-") == 0;
}

static int check(const struct call *call, struct checkpoint_command_options *o, struct error *err)
{
    static const char *const algorithms[] = {"gzip", "none", "zstd"};
    static const char *const policies[] = {"refuse", "close", "reconnect"};
    if (!o->export_path && option_given(call->given, "compress"))
        return error_kind_set(err, ERROR_USAGE, "--compress can only be used with --export");
    for (char *c = o->compression; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (!is_one_of(o->external_unix, policies, ARRAY_LEN(policies)))
        return error_kind_set(err, ERROR_USAGE,
                              "--external-unix is refuse, close or reconnect, not \"%s\"",
                              o->external_unix);
    if (!is_one_of(o->compression, algorithms, ARRAY_LEN(algorithms)))
        return error_kind_set(err, ERROR_USAGE,
                              "selected compression algorithm (\"%s\") not supported. Please "
                              "select one from: gzip, none, zstd",
                              o->compression);
    if (is_standard_output(o) && o->print_stats)
        return error_kind_set(err, ERROR_USAGE,
                              "--print-stats and --export=- both want the standard output");
    if (is_standard_output(o) && isatty(STDOUT_FILENO))
        return error_kind_set(err, ERROR_USAGE,
                              "a checkpoint is nothing for a terminal: send the output elsewhere");
    if (!o->export_path && o->ignore_rootfs)
        return error_kind_set(err, ERROR_USAGE, "--ignore-rootfs can only be used with --export");
    if (!o->export_path && o->ignore_volumes)
        return error_kind_set(err, ERROR_USAGE, "--ignore-volumes can only be used with --export");
    return 0;
}

static struct json *describe(const struct container *c, const char *typed,
                             const struct checkpoint_stats *s)
{
    struct json *times = js_object();
    js_set(times, "freezing_time", js_int(s->freezing_time));
    js_set(times, "frozen_time", js_int(s->frozen_time));
    js_set(times, "memdump_time", js_int(s->memdump_time));
    js_set(times, "memwrite_time", js_int(s->memwrite_time));
    js_set(times, "pages_scanned", js_int(s->pages_scanned));
    js_set(times, "pages_written", js_int(s->pages_written));
    struct json *o = js_object();
    js_set(o, "Id", js_string(c->id));
    js_set(o, "RawInput", js_string(typed));
    js_set(o, "runtime_checkpoint_duration", js_int(s->duration));
    js_set(o, "criu_statistics", times);
    js_set(o, "firn_images_time", js_int(s->images_time));
    js_set(o, "firn_twins", js_int(s->twins));
    return o;
}

static void print_stats(int64_t started_us, struct json *list)
{
    _cleanup_json_ struct json *all = js_object();
    js_set(all, "podman_checkpoint_duration", js_int(monotonic_us() - started_us));
    js_set(all, "container_statistics", js_ref(list));
    report_json(all, 4);
}

static int run(struct call *call, struct error *err)
{
    struct checkpoint_command_options *o = call->options;
    int64_t started = monotonic_us();
    _cleanup_container_list_ struct container_list list = {0};
    _cleanup_strv_ char **names = NULL;
    _cleanup_json_ struct json *statistics = js_array();
    struct failures failures = {0};
    struct checkpoint_options options = {
        .export_path = o->export_path,
        .compression = o->compression,
        .leave_running = o->leave_running,
        .keep = o->keep,
        .ignore_rootfs = o->ignore_rootfs,
        .ignore_volumes = o->ignore_volumes,
        .tcp_established = o->tcp_established,
        .tcp_close = o->tcp_close,
        .external_unix = o->external_unix,
        .file_locks = o->file_locks,
        .dry_run = o->dry_run,
    };
    struct each e = {.all = o->all, .latest = o->latest, .wanted = wanted_running};
    int r = check(call, o, err);
    if (r >= 0)
        r = each_select(call, &e, &list, &names, err);
    if (r < 0)
        return r;
    if (o->export_path && !o->dry_run && list.count > 1)
        return error_kind_set(err, ERROR_USAGE, "--export is for one container, these are %zu",
                              list.count);
    FILE *out = is_standard_output(o) ? stderr : stdout;
    for (size_t i = 0; i < list.count; i++) {
        struct error one = {0};
        struct checkpoint_stats s = {0};
        r = container_checkpoint(call->firn, list.items[i], &options, &s, &one);
        if (r < 0)
            failures_add(&failures, &one);
        else if (o->dry_run)
            printf("%s: nothing stops a checkpoint\n", names[i]);
        else if (o->print_stats)
            js_push(statistics, describe(list.items[i], names[i], &s));
        else
            fprintf(out, "%s\n", names[i]);
        fflush(stdout);
    }
    if (o->print_stats && !o->dry_run)
        print_stats(started, statistics);
    return failures_end(&failures, err);
}

const struct command command_container_checkpoint = {
    .paths = {"container checkpoint"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Checkpoints one or more containers",
    .options = table,
    .options_size = sizeof(struct checkpoint_command_options),
    .args_most = ARGS_ANY,
    .run = run,
};
