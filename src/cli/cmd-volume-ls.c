#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "container/volume-filter.h"
#include "container/volume-report.h"
#include "store/volume.h"

struct volume_ls_options {
    bool no_heading, quiet;
    char *format;
    char **filters;
};

#define LS(field) offsetof(struct volume_ls_options, field)

static const struct option table[] = {
    {"filter", 'f', OPTION_STRINGS, LS(filters), "stringArray", "Filter volume output"},
    {"format", 0, OPTION_STRING, LS(format), "string", "Format volume output using Go template"},
    {"noheading", 'n', OPTION_BOOL, LS(no_heading), .help = "Do not print headers"},
    {"quiet", 'q', OPTION_BOOL, LS(quiet), .help = "Print volume output in quiet mode"},
    {0},
};

static const char *const fields[] = {"Name",        "Driver",     "Mountpoint", "CreatedAt",
                                     "Labels",      "Scope",      "MountCount", "Options",
                                     "NeedsCopyUp", "NeedsChown", NULL};
static const struct report_header headers[] = {{"Name", "VOLUME NAME"}, {NULL, NULL}};
static const struct report report = {{"ls", "*entities.VolumeListReport"}, fields, headers};

static int run(struct call *call, struct error *err)
{
    const struct volume_ls_options *o = call->options;
    _cleanup_volume_list_ struct volume_list list = {0};
    _cleanup_json_ struct json *rows = js_array();
    if (o->quiet && o->format)
        return error_kind_set(err, ERROR_USAGE, "quiet and format flags cannot be used together");
    int r = volume_filter_check(o->filters, err);
    if (r >= 0)
        r = volume_list(call->firn->store, &list, err);
    for (size_t i = 0; i < list.count && r >= 0; i++) {
        r = volume_filter_match(call->firn->store, list.items[i], o->filters, err);
        if (r > 0)
            js_push(rows, volume_report(list.items[i]));
    }
    if (r < 0)
        return r;
    if (report_is_json(o->format)) {
        report_json(rows, 2);
        return 0;
    }
    bool own = o->format && !string_equal(o->format, "table");
    const char *format = own ? o->format : "table {{.Driver}}\t{{.Name}}";
    return report_print(&report, o->quiet ? "{{.Name}}" : format, o->no_heading, rows, err);
}

const struct command command_volume_ls = {
    .paths = {"volume ls", "volume list"},
    .usage = "[options]",
    .help = "List volumes",
    .options = table,
    .options_size = sizeof(struct volume_ls_options),
    .run = run,
};
