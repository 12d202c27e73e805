#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "container/checkpoints.h"

struct ls_options {
    bool no_heading, quiet;
    char *format;
};

#define LS(field) offsetof(struct ls_options, field)

static const struct option table[] = {
    {"format", 0, OPTION_STRING, LS(format), "string",
     "Print the checkpoints in JSON format or using a Go template"},
    {"noheading", 'n', OPTION_BOOL, LS(no_heading), .help = "Do not print headers"},
    {"quiet", 'q', OPTION_BOOL, LS(quiet), .help = "Print only the ids of their containers"},
    {0},
};

static const char *const fields[] = {"Container", "Name",    "Image", "ImageID",
                                     "Path",      "Created", "Age",   "Memory",
                                     "Processes", "Size",    NULL};
static const struct report_header headers[] = {
    {"Container", "CONTAINER ID"}, {"Age", "CREATED"}, {NULL, NULL}};
static const struct report report = {{"ls", "*entities.CheckpointListReport"}, fields, headers};

/* As people read it. */
static struct json *row(const struct json *whole, bool quiet)
{
    struct json *o = js_copy(whole);
    const char *id = js_get_string(whole, "Container");
    int64_t created = 0;
    _cleanup_free_ char *memory = size_human((uint64_t)js_get_int(whole, "Memory", 0));
    _cleanup_free_ char *size = size_human((uint64_t)js_get_int(whole, "Size", 0));
    _cleanup_free_ char *shown = xasprintf("%.*s", quiet ? 64 : 12, id);
    time_parse(js_get_string(whole, "Created"), &created, NULL);
    _cleanup_free_ char *since = duration_human(now_ns() - created);
    _cleanup_free_ char *age = xasprintf("%s ago", since);
    js_set(o, "Container", js_string(shown));
    js_set(o, "Age", js_string(age));
    js_set(o, "Memory", js_string(memory));
    js_set(o, "Size", js_string(size));
    js_set(o, "Processes", js_int((int64_t)js_count(js_get(whole, "Processes"))));
    return o;
}

static int describe_all(struct call *call, struct json *ret, struct error *err)
{
    _cleanup_container_list_ struct container_list list = {0};
    int r = container_list_all(call->firn, &list, err);
    for (size_t i = 0; r == 0 && i < list.count; i++) {
        struct json *one = NULL;
        if (!checkpoint_exists(list.items[i]))
            continue;
        r = checkpoint_describe(list.items[i], &one, err);
        if (r == 0)
            js_push(ret, one);
    }
    return r;
}

static int run(struct call *call, struct error *err)
{
    const struct ls_options *o = call->options;
    _cleanup_json_ struct json *all = js_array(), *rows = js_array();
    if (o->quiet && o->format)
        return error_kind_set(err, ERROR_USAGE, "quiet and format flags cannot be used together");
    int r = describe_all(call, all, err);
    if (r < 0)
        return r;
    if (report_is_json(o->format)) {
        report_json(all, 4);
        return 0;
    }
    JSON_FOREACH(all, i)
    {
        js_push(rows, row(js_at(all, i), o->quiet));
    }
    bool own = o->format && !string_equal(o->format, "table");
    const char *format = own ? o->format
                             : "table {{.Container}}\t{{.Name}}\t{{.Age}}\t{{.Processes}}\t"
                               "{{.Memory}}\t{{.Size}}";
    return report_print(&report, o->quiet ? "{{.Container}}" : format, o->no_heading, rows, err);
}

const struct command command_checkpoint_ls = {
    .paths = {"checkpoint ls", "checkpoint list"},
    .usage = "[options]",
    .help = "List the local checkpoints of containers",
    .options = table,
    .options_size = sizeof(struct ls_options),
    .run = run,
};
