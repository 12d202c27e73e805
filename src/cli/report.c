#include "cli/report.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "base/table.h"

bool report_is_json(const char *format)
{
    char bare[16];
    size_t used = 0;
    for (const char *c = format; c && *c && used < sizeof(bare) - 1; c++)
        if (!isspace((unsigned char)*c))
            bare[used++] = *c;
    bare[used] = 0;
    return string_equal(bare, "json") || string_equal(bare, "{{json.}}") ||
           string_equal(bare, "{{json}}");
}

void report_json(const struct json *value, int indent)
{
    _cleanup_free_ char *text = js_dump(value, indent);
    printf("%s\n", text);
}

/* "CreatedAt" becomes "CREATED AT". The caller frees. */
static char *default_header(const char *field)
{
    _cleanup_buf_ struct buf b = {0};
    for (const char *c = field; *c; c++) {
        bool word = c > field && isupper((unsigned char)c[0]) && islower((unsigned char)c[-1]);
        if (word)
            buf_add_char(&b, ' ');
        buf_add_char(&b, (char)toupper((unsigned char)*c));
    }
    return buf_take(&b);
}

/* The row the heading is made from: each field holds its header. */
static struct json *heading_row(const struct report *r)
{
    struct json *row = js_object();
    for (const char *const *f = r->fields; *f; f++) {
        _cleanup_free_ char *text = default_header(*f);
        js_set(row, *f, js_string(text));
    }
    for (const struct report_header *h = r->headers; h && h->field; h++)
        js_set(row, h->field, js_string(h->text));
    return row;
}

static int run(const struct template_options *names, const char *text, struct json *data,
               struct buf *out, struct error *err)
{
    _cleanup_template_ struct template *t = NULL;
    int r = template_parse(names, text, &t, err);
    return r < 0 ? r : template_run(t, data, out, err);
}

int report_print(const struct report *report, const char *format, bool no_heading,
                 struct json *rows, struct error *err)
{
    _cleanup_buf_ struct buf text = {0}, aligned = {0};
    _cleanup_free_ char *row = template_normalize(format);
    _cleanup_free_ char *whole = xasprintf("{{range .}}%s{{end}}", row);
    if (template_is_table(format) && !no_heading) {
        _cleanup_json_ struct json *heading = js_array();
        js_push(heading, heading_row(report));
        struct template_options any = {.name = report->names.name};
        int r = run(&any, whole, heading, &text, err);
        if (r < 0)
            return r;
    }
    int r = run(&report->names, whole, rows, &text, err);
    if (r < 0)
        return r;
    table_align(text.data ? text.data : "", &aligned);
    fputs(aligned.data ? aligned.data : "", stdout);
    return 0;
}

int report_object(const struct template_options *names, const char *format, struct json *object,
                  struct error *err)
{
    _cleanup_buf_ struct buf text = {0}, aligned = {0};
    _cleanup_free_ char *whole = template_normalize(format);
    int r = run(names, whole, object, &text, err);
    if (r < 0)
        return r;
    table_align(text.data ? text.data : "", &aligned);
    fputs(aligned.data ? aligned.data : "", stdout);
    return 0;
}
