#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/each.h"
#include "cli/failures.h"
#include "cli/report.h"
#include "container/mount.h"

struct mount_options {
    bool all, latest, no_trunc;
    char *format;
};

#define MOUNT(field) offsetof(struct mount_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, MOUNT(all), .help = "Mount all containers"},
    {"format", 0, OPTION_STRING, MOUNT(format), "string",
     "Print the mounted containers in specified format (json)"},
    {"latest", 'l', OPTION_BOOL, MOUNT(latest),
     .help = "Act on the latest container firn is aware of"},
    {"no-trunc", 0, OPTION_BOOL, MOUNT(no_trunc), .help = "Do not truncate output"},
    {0},
};

static void print(const struct mount_options *o, bool one, struct json *rows)
{
    if (o->format) {
        report_json(rows, 1);
        return;
    }
    JSON_FOREACH(rows, i)
    {
        const struct json *row = js_at(rows, i);
        const char *id = js_get_string(row, "id"), *path = js_get_string(row, "mountpoint");
        if (one)
            printf("%s\n", path);
        else
            printf(o->no_trunc ? "%s  %s\n" : "%.12s  %s\n", id, path);
    }
}

static void add_row(struct json *rows, const struct container *c, const char *path)
{
    char *names[] = {c->name, NULL};
    struct json *row = js_object();
    js_set(row, "id", js_string(c->id));
    js_set(row, "Names", js_strings(names));
    js_set(row, "mountpoint", js_string(path));
    js_push(rows, row);
}

/* Without arguments: what is mounted now. */
static int list_mounted(struct call *call, struct error *err)
{
    const struct mount_options *o = call->options;
    _cleanup_container_list_ struct container_list list = {0};
    _cleanup_json_ struct json *rows = js_array();
    int r = container_list_all(call->firn, &list, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.count; i++) {
        _cleanup_free_ char *path = container_mountpoint(list.items[i]);
        if (path)
            add_row(rows, list.items[i], path);
    }
    print(o, false, rows);
    return 0;
}

static int run(struct call *call, struct error *err)
{
    const struct mount_options *o = call->options;
    if (o->format && !string_equal(o->format, "json"))
        return error_kind_set(err, ERROR_USAGE, "unknown --format argument: \"%s\"", o->format);
    if (!call->arg_count && !o->all && !o->latest)
        return list_mounted(call, err);
    _cleanup_container_list_ struct container_list list = {0};
    _cleanup_strv_ char **names = NULL;
    _cleanup_json_ struct json *rows = js_array();
    struct failures failures = {0};
    struct each e = {.all = o->all, .latest = o->latest};
    int r = each_select(call, &e, &list, &names, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.count; i++) {
        _cleanup_free_ char *path = NULL;
        struct error one = {0};
        if (container_mount(list.items[i], &path, &one) < 0)
            failures_add(&failures, &one);
        else
            add_row(rows, list.items[i], path);
    }
    print(o, list.count == 1, rows);
    return failures_end(&failures, err);
}

const struct command command_mount = {
    .paths = {"mount", "container mount"},
    .usage = "[options] [CONTAINER...]",
    .help = "Mount a working container's root filesystem",
    .options = table,
    .options_size = sizeof(struct mount_options),
    .args_most = ARGS_ANY,
    .run = run,
};
