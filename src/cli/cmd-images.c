#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "container/image-filter.h"
#include "container/image-report.h"
#include "store/image.h"
#include "store/reference.h"

struct images_options {
    bool all, digests, history, no_trunc, no_heading, quiet;
    char *format, *sort;
    char **filters;
};

#define IMAGES(field) offsetof(struct images_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, IMAGES(all),
     .help = "Show all images (default hides intermediate images)"},
    {"digests", 0, OPTION_BOOL, IMAGES(digests), .help = "Show digests"},
    {"filter", 'f', OPTION_STRINGS, IMAGES(filters), "strings",
     "Filter output based on conditions provided"},
    {"format", 0, OPTION_STRING, IMAGES(format), "string",
     "Change the output format to JSON or a Go template"},
    {"history", 0, OPTION_BOOL, IMAGES(history), .help = "Display the image name history"},
    {"no-trunc", 0, OPTION_BOOL, IMAGES(no_trunc), .help = "Do not truncate output"},
    {"noheading", 'n', OPTION_BOOL, IMAGES(no_heading), .help = "Do not print column headings"},
    {"quiet", 'q', OPTION_BOOL, IMAGES(quiet), .help = "Display only image IDs"},
    {"sort", 0, OPTION_STRING, IMAGES(sort), "string", "Sort by created, id, repository, size, tag",
     .initial = "created"},
    {0},
};

static const char *const fields[] = {
    "ID",        "Repository",   "Tag",         "Digest",      "Size",     "Created",
    "CreatedAt", "CreatedSince", "CreatedTime", "Labels",      "RepoTags", "History",
    "ReadOnly",  "Dangling",     "Containers",  "VirtualSize", NULL};

static const struct report_header headers[] = {
    {"ID", "IMAGE ID"}, {"CreatedSince", "CREATED"}, {"ReadOnly", "R/O"}, {NULL, NULL}};

static const struct report report = {{"images", "images.imageReporter"}, fields, headers};

/* "repository" and "tag" of one name; <none> where there is none. */
static void set_name(struct json *row, const char *name)
{
    _cleanup_reference_ struct reference ref = {0};
    struct error ignored = {0};
    js_set(row, "Repository", js_string("<none>"));
    js_set(row, "Tag", js_string("<none>"));
    if (!name || reference_parse(name, &ref, &ignored) < 0)
        return;
    _cleanup_free_ char *repository = reference_repository(&ref);
    js_set(row, "Repository", js_string(repository));
    if (ref.tag)
        js_set(row, "Tag", js_string(ref.tag));
}

static struct json *make_row(const struct image *i, const char *name,
                             const struct images_options *o)
{
    _cleanup_free_ char *human = duration_human(now_ns() - i->created);
    _cleanup_free_ char *since = xasprintf("%s ago", human);
    _cleanup_free_ char *created = time_go(i->created / 1000000000 * 1000000000);
    _cleanup_free_ char *size = size_human((uint64_t)i->size);
    _cleanup_free_ char *id = xasprintf(o->no_trunc ? "sha256:%s" : "%.12s", i->id);
    _cleanup_free_ char *history = strv_join(i->names, ", ");
    struct json *row = js_object();
    set_name(row, name);
    js_set(row, "ID", js_string(id));
    js_set(row, "Digest", js_string(i->digest));
    js_set(row, "Size", js_string(size));
    js_set(row, "VirtualSize", js_int(i->size));
    js_set(row, "Created", js_string(since));
    js_set(row, "CreatedSince", js_string(since));
    js_set(row, "CreatedAt", js_string(created));
    js_set(row, "CreatedTime", js_string(created));
    js_set(row, "Labels", image_labels(i) ? js_copy(image_labels(i)) : js_object());
    js_set(row, "RepoTags", js_strings(i->names));
    js_set(row, "History", js_string(history));
    js_set(row, "ReadOnly", js_bool(false));
    js_set(row, "Dangling", js_bool(!i->names || !i->names[0]));
    js_set(row, "Containers", js_int(0));
    js_set(row, "created-ns", js_int(i->created));
    return row;
}

/* One row for each name of the image, one for a nameless one. */
static void add_rows(struct json *rows, const struct image *i, const struct images_options *o)
{
    if (!i->names || !i->names[0] || o->quiet) {
        js_push(rows, make_row(i, i->names ? i->names[0] : NULL, o));
        return;
    }
    STRV_FOREACH(name, i->names)
    js_push(rows, make_row(i, *name, o));
}

/* ---- sorting ---- */

static const struct {
    const char *name, *field;
    bool descending;
} sorts[] = {
    {"created", "created-ns", true}, {"id", "ID", false},   {"repository", "Repository", false},
    {"size", "VirtualSize", true},   {"tag", "Tag", false},
};

struct sorted {
    struct json *row;
    const char *field;
    size_t before; /* equal ones stay as they were */
    int sign;
};

static int compare_sorted(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    const struct json *v = js_get(x->row, x->field), *w = js_get(y->row, y->field);
    int order;
    if (js_is_int(v))
        order = js_int_value(v) < js_int_value(w) ? -1 : js_int_value(v) > js_int_value(w);
    else
        order = strcmp(js_text(v), js_text(w));
    if (order)
        return order * x->sign;
    return x->before < y->before ? -1 : 1;
}

static int sort_rows(const char *by, const struct json *rows, struct json *ret, struct error *err)
{
    size_t which = 0, count = js_count(rows);
    while (which < ARRAY_LEN(sorts) && !string_equal(sorts[which].name, by))
        which++;
    if (which == ARRAY_LEN(sorts))
        return error_kind_set(err, ERROR_USAGE,
                              "\"%s\" is not a valid field for sorting. Choose from: repository, "
                              "size, tag, created, id",
                              by);
    _cleanup_free_ struct sorted *list = xcalloc(count + 1, sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = (struct sorted){js_at(rows, i), sorts[which].field, i,
                                  sorts[which].descending ? -1 : 1};
    qsort(list, count, sizeof(*list), compare_sorted);
    for (size_t i = 0; i < count; i++)
        js_push(ret, js_ref(list[i].row));
    return 0;
}

/* ---- output ---- */

static int users_of(struct call *call, const struct image *i, size_t *ret, struct error *err)
{
    _cleanup_strv_ char **users = NULL;
    int r = image_users(call->firn->store, i->id, &users, err);
    *ret = strv_length(users);
    return r;
}

static int print_json(struct call *call, const struct image_list *list, struct error *err)
{
    _cleanup_json_ struct json *entries = js_array();
    for (size_t i = 0; i < list->count; i++) {
        size_t users = 0;
        int r = users_of(call, list->items[i], &users, err);
        if (r < 0)
            return r;
        js_push(entries, image_report_entry(list->items[i], users));
    }
    report_json(entries, 4);
    return 0;
}

static const char *choose_format(const struct images_options *o)
{
    if (o->format && !string_equal(o->format, "table"))
        return o->format;
    if (o->quiet)
        return "{{.ID}}";
    if (o->digests)
        return "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.Created}}\t{{.Size}}";
    if (o->history)
        return "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.Created}}\t{{.Size}}\t{{.History}}";
    return "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.Created}}\t{{.Size}}";
}

static int run(struct call *call, struct error *err)
{
    const struct images_options *o = call->options;
    _cleanup_image_list_ struct image_list list = {0};
    int r = image_filter_list(call->firn->store, call->args ? call->args[0] : NULL, o->filters,
                              &list, err);
    if (r < 0)
        return r;
    if (report_is_json(o->format))
        return print_json(call, &list, err);
    _cleanup_json_ struct json *rows = js_array();
    _cleanup_json_ struct json *sorted = js_array();
    for (size_t i = 0; i < list.count; i++)
        add_rows(rows, list.items[i], o);
    r = sort_rows(o->sort, rows, sorted, err);
    if (r < 0)
        return r;
    return report_print(&report, choose_format(o), o->no_heading, sorted, err);
}

const struct command command_images = {
    .paths = {"images", "image list", "image ls"},
    .usage = "[options] [IMAGE]",
    .help = "List images in local storage",
    .options = table,
    .options_size = sizeof(struct images_options),
    .args_most = 1,
    .run = run,
};
