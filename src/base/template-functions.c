#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "base/template-tree.h"

static struct json *take_string(struct buf *b)
{
    _cleanup_free_ char *s = buf_take(b);
    return js_string(s);
}

static struct json *as_string(const struct json *v)
{
    struct buf b = {0};
    template_print(v, &b);
    return take_string(&b);
}

/* ---- logic ---- */

static int call_and(struct json **args, size_t count, struct json **ret, struct error *err)
{
    size_t i = 0;
    while (i + 1 < count && template_truth(args[i]))
        i++;
    *ret = js_ref(args[i]);
    return 0;
}

static int call_or(struct json **args, size_t count, struct json **ret, struct error *err)
{
    size_t i = 0;
    while (i + 1 < count && !template_truth(args[i]))
        i++;
    *ret = js_ref(args[i]);
    return 0;
}

static int call_not(struct json **args, size_t count, struct json **ret, struct error *err)
{
    *ret = js_bool(!template_truth(args[0]));
    return 0;
}

static int call_eq(struct json **args, size_t count, struct json **ret, struct error *err)
{
    bool equal = false;
    for (size_t i = 1; i < count && !equal; i++)
        equal = js_equal(args[0], args[i]);
    *ret = js_bool(equal);
    return 0;
}

static int call_ne(struct json **args, size_t count, struct json **ret, struct error *err)
{
    *ret = js_bool(!js_equal(args[0], args[1]));
    return 0;
}

static int compare(struct json **args, int *ret, struct error *err)
{
    if (js_is_string(args[0]) && js_is_string(args[1])) {
        *ret = strcmp(js_text(args[0]), js_text(args[1]));
        return 0;
    }
    bool numbers =
        (js_is_int(args[0]) || js_is_real(args[0])) && (js_is_int(args[1]) || js_is_real(args[1]));
    if (!numbers)
        return error_set(err, 22, "incompatible types for comparison");
    double a = js_is_int(args[0]) ? (double)js_int_value(args[0]) : js_real_value(args[0]);
    double b = js_is_int(args[1]) ? (double)js_int_value(args[1]) : js_real_value(args[1]);
    *ret = a < b ? -1 : a > b;
    return 0;
}

static int call_lt(struct json **args, size_t count, struct json **ret, struct error *err)
{
    int order = 0, r = compare(args, &order, err);
    *ret = r < 0 ? NULL : js_bool(order < 0);
    return r;
}

static int call_le(struct json **args, size_t count, struct json **ret, struct error *err)
{
    int order = 0, r = compare(args, &order, err);
    *ret = r < 0 ? NULL : js_bool(order <= 0);
    return r;
}

static int call_gt(struct json **args, size_t count, struct json **ret, struct error *err)
{
    int order = 0, r = compare(args, &order, err);
    *ret = r < 0 ? NULL : js_bool(order > 0);
    return r;
}

static int call_ge(struct json **args, size_t count, struct json **ret, struct error *err)
{
    int order = 0, r = compare(args, &order, err);
    *ret = r < 0 ? NULL : js_bool(order >= 0);
    return r;
}

/* ---- containers ---- */

static int call_len(struct json **args, size_t count, struct json **ret, struct error *err)
{
    if (!js_is_string(args[0]) && !js_is_array(args[0]) && !js_is_object(args[0]))
        return error_set(err, 22, "len of nil pointer");
    *ret = js_int((int64_t)(js_is_string(args[0]) ? strlen(js_text(args[0])) : js_count(args[0])));
    return 0;
}

static int call_index(struct json **args, size_t count, struct json **ret, struct error *err)
{
    struct json *v = args[0];
    for (size_t i = 1; i < count; i++) {
        if (js_is_object(v) && js_is_string(args[i])) {
            v = js_get(v, js_text(args[i]));
        } else if (js_is_array(v) && js_is_int(args[i])) {
            int64_t at = js_int_value(args[i]);
            if (at < 0 || (uint64_t)at >= js_count(v))
                return error_set(err, 22, "index out of range: %lld", (long long)at);
            v = js_at(v, (size_t)at);
        } else if (!v || js_is_null(v)) {
            return error_set(err, 22, "index of untyped nil");
        } else {
            return error_set(err, 22, "can't index item with this type");
        }
    }
    *ret = v ? js_ref(v) : NULL;
    return 0;
}

static int call_join(struct json **args, size_t count, struct json **ret, struct error *err)
{
    struct buf b = {0};
    const char *separator = js_text(args[1]);
    JSON_FOREACH(args[0], i)
    {
        if (i)
            buf_add_string(&b, separator ? separator : "");
        template_print(js_at(args[0], i), &b);
    }
    *ret = take_string(&b);
    return 0;
}

static int call_split(struct json **args, size_t count, struct json **ret, struct error *err)
{
    const char *s = js_text(args[0]), *separator = js_text(args[1]);
    if (!s || !separator || !*separator)
        return error_set(err, 22, "wrong type for value; expected string");
    *ret = js_array();
    for (const char *hit; (hit = strstr(s, separator)); s = hit + strlen(separator)) {
        _cleanup_free_ char *part = xstrndup(s, (size_t)(hit - s));
        js_push(*ret, js_string(part));
    }
    js_push(*ret, js_string(s));
    return 0;
}

/* ---- text ---- */

static struct json *changed(const struct json *v, void (*change)(char *))
{
    struct buf b = {0};
    template_print(v, &b);
    _cleanup_free_ char *s = buf_take(&b);
    change(s);
    return js_string(s);
}

static void make_upper(char *s)
{
    for (; *s; s++)
        *s = (char)toupper((unsigned char)*s);
}

static void make_lower(char *s)
{
    for (; *s; s++)
        *s = (char)tolower((unsigned char)*s);
}

static void make_title(char *s)
{
    for (bool start = true; *s; s++) {
        if (start)
            *s = (char)toupper((unsigned char)*s);
        start = isspace((unsigned char)*s);
    }
}

static int call_upper(struct json **args, size_t count, struct json **ret, struct error *err)
{
    *ret = changed(args[0], make_upper);
    return 0;
}

static int call_lower(struct json **args, size_t count, struct json **ret, struct error *err)
{
    *ret = changed(args[0], make_lower);
    return 0;
}

static int call_title(struct json **args, size_t count, struct json **ret, struct error *err)
{
    *ret = changed(args[0], make_title);
    return 0;
}

/* Widths are for people. */
static int clamp_width(int64_t width)
{
    return width < 0 ? 0 : width > 1000 ? 1000 : (int)width;
}

static int call_pad(struct json **args, size_t count, struct json **ret, struct error *err)
{
    struct buf b = {0};
    const char *s = js_text(args[0]);
    int before = clamp_width(js_int_value(args[1])), after = clamp_width(js_int_value(args[2]));
    if (s && *s)
        buf_printf(&b, "%*s%s%*s", before, "", s, after, "");
    *ret = take_string(&b);
    return 0;
}

static int call_truncate(struct json **args, size_t count, struct json **ret, struct error *err)
{
    const char *s = js_text(args[0]);
    int64_t most = js_int_value(args[1]);
    _cleanup_free_ char *cut = xstrndup(s ? s : "", most > 0 ? (size_t)most : 0);
    *ret = js_string(cut);
    return 0;
}

static int call_json(struct json **args, size_t count, struct json **ret, struct error *err)
{
    _cleanup_free_ char *text = args[0] ? js_dump(args[0], 0) : xstrdup("null");
    *ret = js_string(text);
    return 0;
}

/* Go's Print puts spaces only between operands of which none is a string. */
static int call_print(struct json **args, size_t count, struct json **ret, struct error *err)
{
    struct buf b = {0};
    for (size_t i = 0; i < count; i++) {
        if (i && !js_is_string(args[i]) && !js_is_string(args[i - 1]))
            buf_add_char(&b, ' ');
        template_print(args[i], &b);
    }
    *ret = take_string(&b);
    return 0;
}

static int call_println(struct json **args, size_t count, struct json **ret, struct error *err)
{
    struct buf b = {0};
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_char(&b, ' ');
        template_print(args[i], &b);
    }
    buf_add_char(&b, '\n');
    *ret = take_string(&b);
    return 0;
}

/* One verb with its flags ("%-10s"), `size` bytes long. */
static void print_verb(const char *verb, size_t size, struct json *arg, struct buf *out)
{
    bool left = false, zero = false;
    const char *c = verb + 1;
    for (; *c == '-' || *c == '0' || *c == '+' || *c == ' '; c++) {
        left |= *c == '-';
        zero |= *c == '0';
    }
    int width = clamp_width(strtol(c, NULL, 10));
    char kind = verb[size - 1];
    if (kind == 'x' && js_is_int(arg)) {
        buf_printf(out, zero ? "%0*llx" : "%*llx", left ? -width : width,
                   (long long)js_int_value(arg));
    } else if (kind == 'd' && js_is_int(arg)) {
        buf_printf(out, zero ? "%0*lld" : "%*lld", left ? -width : width,
                   (long long)js_int_value(arg));
    } else if (kind == 'q') {
        _cleanup_json_ struct json *text = as_string(arg);
        _cleanup_free_ char *quoted = js_dump(text, 0);
        buf_printf(out, "%*s", left ? -width : width, quoted);
    } else {
        _cleanup_json_ struct json *text = as_string(arg);
        buf_printf(out, "%*s", left ? -width : width, js_text(text));
    }
}

static int call_printf(struct json **args, size_t count, struct json **ret, struct error *err)
{
    const char *format = js_text(args[0]);
    if (!format)
        return error_set(err, 22, "wrong type for value; expected string");
    struct buf b = {0};
    size_t next = 1;
    for (const char *c = format; *c; c++) {
        if (*c != '%') {
            buf_add_char(&b, *c);
            continue;
        }
        size_t size = 1 + strspn(c + 1, "-+ 0123456789.");
        if (!c[size])
            break;
        size++;
        if (c[size - 1] == '%')
            buf_add_char(&b, '%');
        else if (next < count)
            print_verb(c, size, args[next++], &b);
        else
            buf_printf(&b, "%%!%c(MISSING)", c[size - 1]);
        c += size - 1;
    }
    *ret = take_string(&b);
    return 0;
}

static const struct template_function functions[] = {
    {"and", 1, -1, call_and},     {"eq", 2, -1, call_eq},         {"ge", 2, 2, call_ge},
    {"gt", 2, 2, call_gt},        {"index", 1, -1, call_index},   {"join", 2, 2, call_join},
    {"json", 1, 1, call_json},    {"le", 2, 2, call_le},          {"len", 1, 1, call_len},
    {"lower", 1, 1, call_lower},  {"lt", 2, 2, call_lt},          {"ne", 2, 2, call_ne},
    {"not", 1, 1, call_not},      {"or", 1, -1, call_or},         {"pad", 3, 3, call_pad},
    {"print", 0, -1, call_print}, {"printf", 1, -1, call_printf}, {"println", 0, -1, call_println},
    {"split", 2, 2, call_split},  {"title", 1, 1, call_title},    {"truncate", 2, 2, call_truncate},
    {"upper", 1, 1, call_upper},
};

const struct template_function *template_function_find(const char *name, size_t size)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (strlen(functions[i].name) == size && memcmp(functions[i].name, name, size) == 0)
            return &functions[i];
    return NULL;
}
