#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "container/container.h"
#include "container/diff.h"

struct diff_command_options {
    bool latest;
    char *format;
};

#define DIFF(field) offsetof(struct diff_command_options, field)

static const struct option table[] = {
    {"format", 0, OPTION_STRING, DIFF(format), "string", "Change the output format (json)"},
    {"latest", 'l', OPTION_BOOL, DIFF(latest),
     .help = "Act on the latest container firn is aware of"},
    {0},
};

static void print_json(const struct changes *changes)
{
    static const char *const keys[] = {
        [CHANGE_MODIFIED] = "changed", [CHANGE_ADDED] = "added", [CHANGE_DELETED] = "deleted"};
    _cleanup_json_ struct json *o = js_object();
    for (size_t i = 0; i < changes->count; i++) {
        const char *key = keys[changes->items[i].kind];
        if (!js_get(o, key))
            js_set(o, key, js_array());
        js_push(js_get(o, key), js_string(changes->items[i].path));
    }
    report_json(o, 5);
}

static int run(struct call *call, struct error *err)
{
    const struct diff_command_options *o = call->options;
    _cleanup_container_ struct container *latest = NULL;
    _cleanup_changes_ struct changes changes = {0};
    if (o->format && !report_is_json(o->format))
        return error_kind_set(err, ERROR_USAGE, "only supported value for '--format' is 'json'");
    if (!o->latest == !call->arg_count)
        return error_kind_set(err, ERROR_USAGE,
                              "container, image or --latest must be given, and only one of them");
    int r = o->latest ? container_lookup_latest(call->firn, &latest, err) : 0;
    if (r == 0)
        r = container_diff(call->firn, latest ? latest->id : call->args[0], &changes, err);
    if (r < 0)
        return r;
    if (o->format) {
        print_json(&changes);
        return 0;
    }
    for (size_t i = 0; i < changes.count; i++)
        printf("%c %s\n", "CAD"[changes.items[i].kind], changes.items[i].path);
    return 0;
}

const struct command command_diff = {
    .paths = {"diff", "container diff", "image diff"},
    .usage = "[options] {CONTAINER|IMAGE}",
    .help = "Display the changes to the object's file system",
    .options = table,
    .options_size = sizeof(struct diff_command_options),
    .args_most = 1,
    .run = run,
};
