#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "cli/network-report.h"
#include "cli/report.h"

struct network_ls_options {
    bool no_heading, no_trunc, quiet;
    char *format;
    char **filters;
};

#define LS(field) offsetof(struct network_ls_options, field)

static const struct option table[] = {
    {"filter", 'f', OPTION_STRINGS, LS(filters), "stringArray", "Provide filter values"},
    {"format", 0, OPTION_STRING, LS(format), "string",
     "Pretty-print networks to JSON or using a Go template"},
    {"no-trunc", 0, OPTION_BOOL, LS(no_trunc), .help = "Do not truncate the network ID"},
    {"noheading", 'n', OPTION_BOOL, LS(no_heading), .help = "Do not print headers"},
    {"quiet", 'q', OPTION_BOOL, LS(quiet), .help = "display only names"},
    {0},
};

static const char *const fields[] = {
    "ID",       "Name",        "Driver",     "Labels",           "Subnets", "Created",
    "Internal", "IPv6Enabled", "DNSEnabled", "NetworkInterface", NULL};
static const struct report_header headers[] = {{"ID", "NETWORK ID"}, {NULL, NULL}};
static const struct report report = {{"ls", "*networks.ListPrintReports"}, fields, headers};

/* ---- filters: 1 fits, 0 does not ---- */

static int match_name(const struct network *n, const char *value)
{
    return strstr(n->name, value) != NULL;
}

static int match_id(const struct network *n, const char *value)
{
    return string_starts(n->id, value);
}

static int match_driver(const struct network *n, const char *value)
{
    return string_equal(js_get_string(n->document, "driver"), value);
}

static int match_label(const struct network *n, const char *value)
{
    size_t size = strcspn(value, "=");
    _cleanup_free_ char *key = xstrndup(value, size);
    const char *label = js_get_string(js_get(n->document, "labels"), key);
    return label && (!value[size] || string_equal(label, value + size + 1));
}

static const struct {
    const char *name;
    int (*match)(const struct network *, const char *);
} filters_known[] = {
    {"name", match_name}, {"id", match_id}, {"driver", match_driver}, {"label", match_label}};

static int fits(const struct network *n, char *const *filters, struct error *err)
{
    STRV_FOREACH(f, filters)
    {
        size_t size = strcspn(*f, "=");
        int fit = -1;
        for (size_t i = 0; i < ARRAY_LEN(filters_known) && fit < 0; i++)
            if (strlen(filters_known[i].name) == size &&
                memcmp(filters_known[i].name, *f, size) == 0)
                fit = filters_known[i].match(n, (*f)[size] ? *f + size + 1 : "");
        if (fit < 0)
            return error_kind_set(err, ERROR_USAGE, "invalid filter \"%.*s\"", (int)size, *f);
        if (!fit)
            return 0;
    }
    return 1;
}

static struct json *make_row(const struct network *n, bool whole_id)
{
    static const struct {
        const char *field, *key;
    } same[] = {{"Driver", "driver"},
                {"Subnets", "subnets"},
                {"Created", "created"},
                {"Internal", "internal"},
                {"IPv6Enabled", "ipv6_enabled"},
                {"DNSEnabled", "dns_enabled"},
                {"NetworkInterface", "network_interface"}};
    struct json *row = js_object();
    _cleanup_free_ char *id = whole_id ? xstrdup(n->id) : xstrndup(n->id, 12);
    const struct json *labels = js_get(n->document, "labels");
    js_set(row, "ID", js_string(id));
    js_set(row, "Name", js_string(n->name));
    js_set(row, "Labels", labels ? js_copy(labels) : js_object());
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        js_set(row, same[i].field, js_copy(js_get(n->document, same[i].key)));
    return row;
}

static int run(struct call *call, struct error *err)
{
    const struct network_ls_options *o = call->options;
    _cleanup_network_list_ struct network_list list = {0};
    _cleanup_json_ struct json *rows = js_array();
    bool as_json = report_is_json(o->format);
    int r = network_list(call->firn->store, &list, err);
    for (size_t i = 0; i < list.count && r >= 0; i++) {
        r = fits(list.items[i], o->filters, err);
        if (r > 0)
            js_push(rows,
                    as_json ? network_report(list.items[i]) : make_row(list.items[i], o->no_trunc));
    }
    if (r < 0)
        return r;
    if (as_json) {
        report_json(rows, 2);
        return 0;
    }
    bool own = o->format && !string_equal(o->format, "table");
    const char *format = own ? o->format : "table {{.ID}}\t{{.Name}}\t{{.Driver}}";
    return report_print(&report, o->quiet ? "{{.Name}}" : format, o->no_heading, rows, err);
}

const struct command command_network_ls = {
    .paths = {"network ls", "network list"},
    .usage = "[options]",
    .help = "List networks",
    .options = table,
    .options_size = sizeof(struct network_ls_options),
    .run = run,
};
