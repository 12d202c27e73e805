#include "base/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>
#include <sys/types.h>

#include "base/alloc.h"
#include "base/io.h"

/* `struct json` is jansson's json_t under another name: the casts are the whole wrapper. */
static json_t *in(const struct json *v)
{
    return (json_t *)v;
}

static struct json *out(json_t *v)
{
    if (!v)
        xmalloc((size_t)-1 / 2); /* only out of memory gets here: die as xmalloc does */
    return (struct json *)v;
}

struct json *js_object(void)
{
    return out(json_object());
}

struct json *js_array(void)
{
    return out(json_array());
}

struct json *js_string(const char *s)
{
    if (!s)
        return js_null();
    json_t *v = json_string(s);
    if (v)
        return out(v);
    _cleanup_free_ char *clean = xstrdup(s);
    for (char *c = clean; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    return out(json_string(clean));
}

struct json *js_int(int64_t v)
{
    return out(json_integer(v));
}

struct json *js_real(double v)
{
    return out(json_real(v));
}

struct json *js_bool(bool v)
{
    return out(json_boolean(v));
}

struct json *js_null(void)
{
    return out(json_null());
}

struct json *js_strings(char *const *list)
{
    struct json *a = js_array();
    for (; list && *list; list++)
        js_push(a, js_string(*list));
    return a;
}

struct json *js_ref(struct json *v)
{
    json_incref(in(v));
    return v;
}

struct json *js_copy(const struct json *v)
{
    return v ? out(json_deep_copy(in(v))) : NULL;
}

void js_unref(struct json *v)
{
    json_decref(in(v));
}

bool js_is_object(const struct json *v)
{
    return json_is_object(in(v));
}

bool js_is_array(const struct json *v)
{
    return json_is_array(in(v));
}

bool js_is_string(const struct json *v)
{
    return json_is_string(in(v));
}

bool js_is_int(const struct json *v)
{
    return json_is_integer(in(v));
}

bool js_is_real(const struct json *v)
{
    return json_is_real(in(v));
}

bool js_is_bool(const struct json *v)
{
    return json_is_boolean(in(v));
}

bool js_is_null(const struct json *v)
{
    return json_is_null(in(v));
}

bool js_equal(const struct json *a, const struct json *b)
{
    return a && b ? json_equal(in(a), in(b)) : a == b;
}

void js_set(struct json *o, const char *key, struct json *value)
{
    json_object_set_new(in(o), key, in(value));
}

void js_remove(struct json *o, const char *key)
{
    json_object_del(in(o), key);
}

struct json *js_get(const struct json *o, const char *key)
{
    return (struct json *)json_object_get(in(o), key);
}

struct json *js_path(const struct json *o, ...)
{
    va_list ap;
    va_start(ap, o);
    for (const char *key; (key = va_arg(ap, const char *));)
        o = js_get(o, key);
    va_end(ap);
    return (struct json *)o;
}

const char *js_get_string(const struct json *o, const char *key)
{
    return js_text(js_get(o, key));
}

int64_t js_get_int(const struct json *o, const char *key, int64_t otherwise)
{
    const struct json *v = js_get(o, key);
    return js_is_int(v) ? js_int_value(v) : otherwise;
}

bool js_get_bool(const struct json *o, const char *key, bool otherwise)
{
    const struct json *v = js_get(o, key);
    return js_is_bool(v) ? js_bool_value(v) : otherwise;
}

char **js_get_strings(const struct json *o, const char *key)
{
    const struct json *a = js_get(o, key);
    if (!js_is_array(a))
        return NULL;
    size_t n = js_count(a), used = 0;
    char **list = xcalloc(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++)
        if (js_is_string(js_at(a, i)))
            list[used++] = xstrdup(js_text(js_at(a, i)));
    return list;
}

void js_push(struct json *a, struct json *value)
{
    json_array_append_new(in(a), in(value));
}

size_t js_count(const struct json *v)
{
    return js_is_array(v) ? json_array_size(in(v)) : json_object_size(in(v));
}

struct json *js_at(const struct json *a, size_t index)
{
    return (struct json *)json_array_get(in(a), index);
}

void js_remove_at(struct json *a, size_t index)
{
    json_array_remove(in(a), index);
}

const char *js_text(const struct json *v)
{
    return json_string_value(in(v));
}

int64_t js_int_value(const struct json *v)
{
    return json_integer_value(in(v));
}

double js_real_value(const struct json *v)
{
    return json_number_value(in(v));
}

bool js_bool_value(const struct json *v)
{
    return json_is_true(in(v));
}

void *js_first(struct json *o)
{
    return json_object_iter(in(o));
}

void *js_next(struct json *o, void *it)
{
    return json_object_iter_next(in(o), it);
}

const char *js_iter_key(void *it)
{
    return json_object_iter_key(it);
}

struct json *js_iter_value(void *it)
{
    return (struct json *)json_object_iter_value(it);
}

int js_parse(const char *text, size_t size, const char *what, struct json **ret, struct error *err)
{
    json_error_t je;
    json_t *v = json_loadb(text ? text : "", text ? size : 0, JSON_REJECT_DUPLICATES, &je);
    if (!v)
        return error_set(err, EINVAL, "%s is not valid JSON: %s (line %d)", what, je.text, je.line);
    *ret = out(v);
    return 0;
}

int js_parse_file(const char *path, struct json **ret, struct error *err)
{
    _cleanup_buf_ struct buf b = {0};
    int r = file_read(path, &b, err);
    return r < 0 ? r : js_parse(b.data, b.size, path, ret, err);
}

char *js_dump(const struct json *v, int indent)
{
    char *text = json_dumps(in(v), (size_t)(indent > 0 ? JSON_INDENT(indent) : JSON_COMPACT) |
                                       JSON_ENCODE_ANY | JSON_PRESERVE_ORDER);
    return text ? text : xstrdup("null");
}

int js_write_file(const char *path, const struct json *v, mode_t mode, struct error *err)
{
    _cleanup_free_ char *text = js_dump(v, 2);
    return file_write_atomic(path, text, strlen(text), mode, false, err);
}
