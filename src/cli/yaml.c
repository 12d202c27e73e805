#include "cli/yaml.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Would a reader take the plain text for something else than this very string? */
static bool needs_quotes(const char *s)
{
    static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "~"};
    char *end;
    if (!*s || strchr("-?:,[]{}#&*!|>'\"%@` ", *s) || isspace((unsigned char)s[strlen(s) - 1]))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasecmp(s, words[i]) == 0)
            return true;
    strtod(s, &end);
    return !*end || strstr(s, ": ") || strstr(s, " #") || s[strlen(s) - 1] == ':';
}

static void indent(struct buf *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        buf_add_string(out, "  ");
}

static void write_string(const char *s, unsigned depth, struct buf *out)
{
    if (strchr(s, '\n')) {
        buf_add_string(out, "|-\n");
        for (const char *line = s; *line;) {
            size_t size = strcspn(line, "\n");
            indent(out, depth);
            buf_printf(out, "%.*s\n", (int)size, line);
            line += size + (line[size] == '\n');
        }
    } else if (needs_quotes(s)) {
        _cleanup_json_ struct json *value = js_string(s);
        _cleanup_free_ char *text = js_dump(value, 0);
        buf_printf(out, "%s\n", text);
    } else {
        buf_printf(out, "%s\n", s);
    }
}

static void write_value(const struct json *v, unsigned depth, struct buf *out);

static void write_object(const struct json *v, unsigned depth, bool first_in_place, struct buf *out)
{
    JSON_FOREACH_KEY((struct json *)v, it)
    {
        struct json *value = js_iter_value(it);
        if (!first_in_place)
            indent(out, depth);
        first_in_place = false;
        buf_printf(out, "%s:", js_iter_key(it));
        bool nested = (js_is_object(value) || js_is_array(value)) && js_count(value);
        buf_add_char(out, nested ? '\n' : ' ');
        write_value(value, js_is_array(value) ? depth : depth + 1, out);
    }
}

static void write_array(const struct json *v, unsigned depth, struct buf *out)
{
    JSON_FOREACH(v, i)
    {
        const struct json *value = js_at(v, i);
        indent(out, depth);
        buf_add_string(out, "- ");
        if (js_is_object(value) && js_count(value))
            write_object(value, depth + 1, true, out);
        else
            write_value(value, depth + 1, out);
    }
}

/* A scalar goes on the line that was begun; others on lines of their own. */
static void write_value(const struct json *v, unsigned depth, struct buf *out)
{
    if (js_is_string(v)) {
        write_string(js_text(v), depth, out);
    } else if (js_is_object(v) && js_count(v)) {
        write_object(v, depth, false, out);
    } else if (js_is_array(v) && js_count(v)) {
        write_array(v, depth, out);
    } else {
        _cleanup_free_ char *text = js_dump(v, 0);
        buf_printf(out, "%s\n", text);
    }
}

void yaml_write(const struct json *value, struct buf *out)
{
    write_value(value, 0, out);
}
