#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "container/container.h"
#include "container/inspect.h"
#include "container/port.h"
#include "container/state.h"

struct ps_options {
    bool all, latest, no_trunc, no_heading, pod, quiet, size, sync, external;
    int64_t last;
    uint64_t watch;
    char *format, *sort;
    char **filters;
};

#define PS(field) offsetof(struct ps_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, PS(all),
     .help = "Show all the containers, default is only running "
             "containers"},
    {"external", 0, OPTION_BOOL, PS(external),
     .help = "Show containers in storage not controlled by firn"},
    {"filter", 'f', OPTION_STRINGS, PS(filters), "strings",
     "Filter output based on conditions given"},
    {"format", 0, OPTION_STRING, PS(format), "string",
     "Pretty-print containers to JSON or using a Go template"},
    {"last", 'n', OPTION_INT, PS(last), "int", "Print the n last created containers (all states)",
     .initial = "-1"},
    {"latest", 'l', OPTION_BOOL, PS(latest),
     .help = "Show the latest container created (all states)"},
    {"no-trunc", 0, OPTION_BOOL, PS(no_trunc), .help = "Display the extended information"},
    {"noheading", 0, OPTION_BOOL, PS(no_heading), .help = "Do not print headers"},
    {"ns", 0, OPTION_UNSUPPORTED, 0, .alias = "namespace"},
    {"pod", 'p', OPTION_BOOL, PS(pod),
     .help = "Print the ID and name of the pod the containers are associated with"},
    {"quiet", 'q', OPTION_BOOL, PS(quiet), .help = "Print the numeric IDs of the containers only"},
    {"size", 's', OPTION_BOOL, PS(size), .help = "Display the total file sizes"},
    {"sort", 0, OPTION_STRING, PS(sort), "choice",
     "Sort output by: command, created, id, image, names, runningfor, size, status",
     .initial = "created"},
    {"sync", 0, OPTION_BOOL, PS(sync), .help = "Sync container state with OCI runtime"},
    {"watch", 'w', OPTION_UINT, PS(watch), "uint", "Watch the ps output on an interval in seconds"},
    {0},
};

static const char *const fields[] = {
    "ID",       "Image",   "Command",    "CreatedAt",  "RunningFor", "CreatedHuman", "Created",
    "Status",   "State",   "Ports",      "Names",      "ImageID",    "Labels",       "Mounts",
    "Networks", "Pid",     "Exited",     "ExitCode",   "ExitedAt",   "StartedAt",    "Size",
    "Pod",      "PodName", "AutoRemove", "Namespaces", "Restarts",   "IsInfra",      NULL};

static const struct report_header headers[] = {{"ID", "CONTAINER ID"},  {"CreatedHuman", "CREATED"},
                                               {"ImageID", "IMAGE ID"}, {"Pod", "POD ID"},
                                               {"PodName", "PODNAME"},  {NULL, NULL}};

static const struct report report = {{"ps", "containers.psReporter"}, fields, headers};

/* ---- rows ---- */

static struct json *joined(const struct json *list, const char *separator)
{
    _cleanup_buf_ struct buf b = {0};
    JSON_FOREACH(list, i)
    {
        buf_printf(&b, "%s%s", i ? separator : "", js_text(js_at(list, i)));
    }
    return js_string(b.data ? b.data : "");
}

static struct json *command_text(const struct json *entry, bool whole)
{
    _cleanup_json_ struct json *all = joined(js_get(entry, "Command"), " ");
    const char *text = js_text(all);
    if (whole || strlen(text) <= 17)
        return js_ref(all);
    _cleanup_free_ char *cut = xasprintf("%.17s...", text);
    return js_string(cut);
}

static struct json *ago(const struct container *c)
{
    _cleanup_free_ char *human = duration_human(now_ns() - c->created_at);
    _cleanup_free_ char *text = xasprintf("%s ago", human);
    return js_string(text);
}

static struct json *size_text(const struct json *entry)
{
    const struct json *size = js_get(entry, "Size");
    if (!js_is_object(size))
        return js_string("");
    _cleanup_free_ char *own = size_compact((uint64_t)js_get_int(size, "rwSize", 0));
    _cleanup_free_ char *all = size_compact((uint64_t)js_get_int(size, "rootFsSize", 0));
    _cleanup_free_ char *text = xasprintf("%s (virtual %s)", own, all);
    return js_string(text);
}

static struct json *shortened(const char *id, bool whole)
{
    _cleanup_free_ char *text = xasprintf(whole ? "%s" : "%.12s", id ? id : "");
    return js_string(text);
}

/* The entry itself travels with its row under this name. */
#define ENTRY "-entry"
#define SIZE  "-size"

/* What a template sees of an element of `ps --format json`, which it takes over. */
static struct json *make_row(const struct container *c, struct json *entry,
                             const struct ps_options *o)
{
    static const char *const same[] = {"Image",   "Mounts",    "Status",    "State", "Labels",
                                       "Pid",     "Exited",    "ExitCode",  "Pod",   "PodName",
                                       "IsInfra", "ExitedAt",  "StartedAt", "Size",  "Restarts",
                                       "Ports",   "AutoRemove"};
    _cleanup_free_ char *created = time_go(c->created_at);
    struct json *row = js_object();
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        struct json *value = js_get(entry, same[i]);
        js_set(row, same[i], value && !js_is_null(value) ? js_ref(value) : js_string(""));
    }
    if (!js_is_object(js_get(row, "Labels")))
        js_set(row, "Labels", js_object());
    js_set(row, "ID", shortened(c->id, o->no_trunc));
    js_set(row, "ImageID", shortened(js_get_string(entry, "ImageID"), o->no_trunc));
    js_set(row, "Command", command_text(entry, o->no_trunc));
    js_set(row, "Created", js_string(created));
    js_set(row, "CreatedAt", js_string(created));
    js_set(row, "RunningFor", ago(c));
    js_set(row, "CreatedHuman", ago(c));
    js_set(row, "Names", joined(js_get(entry, "Names"), ","));
    js_set(row, "Networks", joined(js_get(entry, "Networks"), ","));
    js_set(row, "Namespaces", js_object());
    _cleanup_free_ char *ports = ports_text(js_get(entry, "Ports"));
    js_set(row, "Ports", js_string(ports));
    js_set(row, "Size", size_text(entry));
    js_set(row, SIZE, js_int(js_get_int(js_get(entry, "Size"), "rootFsSize", 0)));
    js_set(row, ENTRY, entry);
    return row;
}

/* ---- choosing and sorting ---- */

static bool names_a_state(char *const *filters)
{
    STRV_FOREACH(f, filters)
    if (string_starts(*f, "status=") || string_starts(*f, "exited="))
        return true;
    return false;
}

static bool is_shown(struct container *c, const struct ps_options *o)
{
    struct container_status status;
    if (o->all || o->latest || o->last >= 0 || names_a_state(o->filters))
        return true;
    return container_status(c, &status, NULL) >= 0 &&
           (status.state == CONTAINER_RUNNING || status.state == CONTAINER_STOPPING);
}

static int collect(struct call *call, const struct ps_options *o, struct json *rows,
                   struct error *err)
{
    _cleanup_container_list_ struct container_list list = {0};
    int r = container_list_filtered(call->firn, o->filters, &list, err);
    if (r < 0)
        return r;
    size_t last = o->latest ? 1 : o->last >= 0 ? (size_t)o->last : list.count;
    for (size_t i = list.count > last ? list.count - last : 0; i < list.count; i++) {
        if (!is_shown(list.items[i], o))
            continue;
        struct json *entry = NULL;
        struct error one = {0};
        r = container_ps_entry(list.items[i], o->size, &entry, &one);
        if (r < 0 && one.kind == ERROR_NOT_FOUND)
            continue; /* removed meanwhile */
        if (r < 0) {
            *err = one;
            return r;
        }
        js_push(rows, make_row(list.items[i], entry, o));
    }
    return 0;
}

static const struct {
    const char *name;
    const char *field; /* of the row */
} sorts[] = {
    {"command", "Command"}, {"created", "Created"},    {"id", "ID"},   {"image", "Image"},
    {"names", "Names"},     {"runningfor", "Created"}, {"size", SIZE}, {"status", "State"},
};

struct sorted {
    struct json *row;
    const char *field;
};

static int compare_sorted(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    const char *v = js_get_string(x->row, x->field), *w = js_get_string(y->row, y->field);
    int64_t m = js_get_int(x->row, x->field, 0), n = js_get_int(y->row, y->field, 0);
    if (m != n)
        return m < n ? -1 : 1;
    return strcmp(v ? v : "", w ? w : "");
}

/* Rows come oldest first. */
static int sort_rows(const struct ps_options *o, const struct json *rows, struct json *ret,
                     struct error *err)
{
    const char *field = NULL;
    for (size_t i = 0; i < ARRAY_LEN(sorts); i++)
        if (string_equal(sorts[i].name, o->sort))
            field = sorts[i].field;
    if (!field)
        return error_kind_set(err, ERROR_USAGE,
                              "invalid argument \"%s\" for \"--sort\" flag: \"%s\" is not a valid "
                              "value.  Choose from: \"command, created, id, image, names, "
                              "runningfor, size, status\"\nSee 'firn ps --help'",
                              o->sort, o->sort);
    size_t count = js_count(rows);
    _cleanup_free_ struct sorted *list = xcalloc(count + 1, sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = (struct sorted){js_at(rows, i), field};
    qsort(list, count, sizeof(*list), compare_sorted);
    for (size_t i = 0; i < count; i++)
        js_push(ret, js_ref(list[i].row));
    return 0;
}

/* ---- output ---- */

static char *choose_format(const struct ps_options *o)
{
    if (o->format && !string_equal(o->format, "table"))
        return xstrdup(o->format);
    if (o->quiet)
        return xstrdup("{{.ID}}");
    return xasprintf("table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.CreatedHuman}}\t{{.Status}}\t"
                     "{{.Ports}}\t{{.Names}}%s%s",
                     o->pod ? "\t{{.Pod}}\t{{.PodName}}" : "", o->size ? "\t{{.Size}}" : "");
}

static void print_json(const struct json *rows)
{
    _cleanup_json_ struct json *entries = js_array();
    JSON_FOREACH(rows, i)
    {
        js_push(entries, js_ref(js_get(js_at(rows, i), ENTRY)));
    }
    report_json(entries, 2);
}

static int show(struct call *call, const struct ps_options *o, struct error *err)
{
    _cleanup_json_ struct json *rows = js_array();
    _cleanup_json_ struct json *sorted = js_array();
    int r = collect(call, o, rows, err);
    if (r >= 0)
        r = sort_rows(o, rows, sorted, err);
    if (r < 0)
        return r;
    if (report_is_json(o->format)) {
        print_json(sorted);
        return 0;
    }
    if (o->format && strstr(o->format, ".Size") && !o->size)
        firn_log(call->firn, LOG_LEVEL_ERROR, "Size format requires --size option");
    _cleanup_free_ char *format = choose_format(o);
    return report_print(&report, format, o->no_heading, sorted, err);
}

static int run(struct call *call, struct error *err)
{
    const struct ps_options *o = call->options;
    if (o->latest && o->last >= 0)
        return error_kind_set(err, ERROR_USAGE, "last and latest are mutually exclusive");
    if (o->quiet && o->size)
        return error_kind_set(err, ERROR_USAGE, "quiet conflicts with size and namespace");
    int r = show(call, o, err);
    while (r >= 0 && o->watch) {
        fflush(stdout);
        sleep((unsigned)o->watch);
        if (isatty(1))
            printf("\x1b[H\x1b[2J");
        r = show(call, o, err);
    }
    return r;
}

const struct command command_ps = {
    .paths = {"ps", "container ps", "container list", "container ls"},
    .usage = "[options]",
    .help = "List containers",
    .options = table,
    .options_size = sizeof(struct ps_options),
    .run = run,
};
