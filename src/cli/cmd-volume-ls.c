#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "cli/report.h"
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

/* ---- filters: 1 fits, 0 does not ---- */

struct matching {
    struct store *store;
    const char *value;
    struct error *err;
};

static int match_name(const struct volume *v, const struct matching *m)
{
    return strstr(v->name, m->value) != NULL;
}

static int match_driver(const struct volume *v, const struct matching *m)
{
    return string_equal(v->driver, m->value);
}

static int match_scope(const struct volume *v, const struct matching *m)
{
    return string_equal("local", m->value);
}

static int match_pair(const struct json *o, const char *pair)
{
    size_t size = strcspn(pair, "=");
    _cleanup_free_ char *key = xstrndup(pair, size);
    const char *value = js_get_string(o, key);
    return value && (!pair[size] || string_equal(value, pair + size + 1));
}

static int match_label(const struct volume *v, const struct matching *m)
{
    return match_pair(v->labels, m->value);
}

static int match_option(const struct volume *v, const struct matching *m)
{
    return match_pair(v->options, m->value);
}

static int match_dangling(const struct volume *v, const struct matching *m)
{
    _cleanup_strv_ char **users = NULL;
    int r = volume_users(m->store, v->name, &users, m->err);
    bool wanted = string_equal(m->value, "true") || string_equal(m->value, "1");
    return r < 0 ? r : (strv_length(users) == 0) == wanted;
}

static const struct {
    const char *name;
    int (*match)(const struct volume *, const struct matching *);
} filters_known[] = {
    {"name", match_name},   {"driver", match_driver}, {"scope", match_scope},
    {"label", match_label}, {"opt", match_option},    {"dangling", match_dangling},
};

static int match_one(struct store *s, const struct volume *v, const char *filter, struct error *err)
{
    size_t size = strcspn(filter, "=");
    struct matching m = {s, filter[size] ? filter + size + 1 : "", err};
    for (size_t i = 0; i < ARRAY_LEN(filters_known); i++)
        if (strlen(filters_known[i].name) == size &&
            memcmp(filters_known[i].name, filter, size) == 0)
            return v ? filters_known[i].match(v, &m) : 1;
    return error_kind_set(err, ERROR_USAGE, "\"%.*s\" is an invalid volume filter", (int)size,
                          filter);
}

static int fits(struct store *s, const struct volume *v, char *const *filters, struct error *err)
{
    STRV_FOREACH(f, filters)
    {
        int r = match_one(s, v, *f, err);
        if (r <= 0)
            return r;
    }
    return 1;
}

static int run(struct call *call, struct error *err)
{
    const struct volume_ls_options *o = call->options;
    _cleanup_volume_list_ struct volume_list list = {0};
    _cleanup_json_ struct json *rows = js_array();
    if (o->quiet && o->format)
        return error_kind_set(err, ERROR_USAGE, "quiet and format flags cannot be used together");
    int r = fits(call->firn->store, NULL, o->filters, err);
    if (r >= 0)
        r = volume_list(call->firn->store, &list, err);
    for (size_t i = 0; i < list.count && r >= 0; i++) {
        r = fits(call->firn->store, list.items[i], o->filters, err);
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
