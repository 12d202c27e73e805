#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "execution/recover.h"

struct list_options {
    bool quiet, no_trunc, no_heading;
    char *format;
};

#define LIST(field) offsetof(struct list_options, field)

static const struct option table[] = {
    {"format", 0, OPTION_STRING, LIST(format), "string",
     "Pretty-print executions to JSON or using a Go template"},
    {"no-trunc", 0, OPTION_BOOL, LIST(no_trunc), .help = "Do not truncate the output"},
    {"noheading", 0, OPTION_BOOL, LIST(no_heading), .help = "Do not print headers"},
    {"quiet", 'q', OPTION_BOOL, LIST(quiet), .help = "Print the IDs only"},
    {0},
};

static const char *const fields[] = {"ID",    "Image",    "Created", "State",
                                     "Wakes", "Restores", "Exit",    NULL};

static const struct report_header headers[] = {{"ID", "EXECUTION ID"}, {NULL, NULL}};

static const struct report report = {{"execution list", "executions.reporter"}, fields, headers};

static void set_text(struct json *row, const char *key, char *text)
{
    js_set(row, key, js_string(text));
    free(text);
}

static struct json *make_row(const struct execution *e, bool whole)
{
    struct json *row = js_object();
    int64_t now = now_ns();
    _cleanup_free_ char *age = duration_human(now - e->created);
    set_text(row, "ID", xstrndup(e->id, whole ? 64 : 12));
    js_set(row, "Image", js_string(js_get_string(e->config, "image")));
    set_text(row, "Created", xasprintf("%s ago", age));
    js_set(row, "State", js_string(execution_state_name(e->state)));
    char *wakes = xstrdup("");
    if (e->state == EXECUTION_SUSPENDED) {
        free(wakes);
        _cleanup_free_ char *left = duration_human(e->wake_at - now);
        wakes = e->wake_at ? xasprintf("in %s", left) : xstrdup("when resumed");
    }
    set_text(row, "Wakes", wakes);
    set_text(row, "Restores", xasprintf("%lld", (long long)e->restores));
    set_text(row, "Exit", execution_is_over(e) ? xasprintf("%d", e->exit_code) : xstrdup(""));
    return row;
}

static int run(struct call *call, struct error *err)
{
    const struct list_options *o = call->options;
    _cleanup_execution_list_ struct execution_list list = {0};
    _cleanup_json_ struct json *rows = js_array();
    bool json = report_is_json(o->format);
    int r = recover_all(call->firn, err);
    if (r == 0)
        r = execution_list_all(call->firn, &list, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.count; i++)
        js_push(rows,
                json ? execution_describe(list.items[i]) : make_row(list.items[i], o->no_trunc));
    if (json) {
        report_json(rows, 2);
        return 0;
    }
    const char *format = o->format  ? o->format
                         : o->quiet ? "{{.ID}}"
                                    : "table {{.ID}}\t{{.Image}}\t{{.Created}}\t{{.State}}\t"
                                      "{{.Wakes}}\t{{.Restores}}\t{{.Exit}}";
    return report_print(&report, format, o->no_heading, rows, err);
}

const struct command command_execution_list = {
    .paths = {"execution list", "execution ls"},
    .usage = "[options]",
    .help = "List executions",
    .options = table,
    .options_size = sizeof(struct list_options),
    .run = run,
};
