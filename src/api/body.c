#include "api/body.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"

void body_init(struct body *b)
{
    *b = (struct body){0};
    create_options_init(&b->create);
}

void body_free(struct body *b)
{
    create_options_free(&b->create);
    strv_free(b->texts);
}

const char *body_text(struct body *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *text = xvasprintf(format, ap);
    va_end(ap);
    strv_take(&b->texts, text);
    return text;
}

int body_wrong(const char *key, struct error *err)
{
    return error_kind_set(err, ERROR_USAGE,
                          "value of \"%s\" in the body of the request has the "
                          "wrong type",
                          key);
}

static bool says_nothing(const struct json *v)
{
    if (js_is_string(v))
        return !*js_text(v);
    if (js_is_int(v))
        return js_int_value(v) == 0;
    if (js_is_real(v))
        return js_real_value(v) == 0;
    if (js_is_array(v) || js_is_object(v))
        return js_count(v) == 0;
    return !v || js_is_null(v) || (js_is_bool(v) && !js_bool_value(v));
}

/* An object all of whose values say nothing says nothing itself. */
static bool says_nothing_deep(struct json *v)
{
    if (!js_is_object(v))
        return says_nothing(v);
    JSON_FOREACH_KEY(v, it)
    {
        if (!says_nothing_deep(js_iter_value(it)))
            return false;
    }
    return true;
}

static int set_string(struct body *b, const struct body_field *f, const struct json *v,
                      struct error *err)
{
    if (js_is_array(v) || js_is_object(v))
        return body_wrong(f->key, err);
    const char **p = (const char **)((char *)&b->create + f->offset);
    if (js_is_string(v)) {
        *p = body_text(b, "%s", js_text(v));
        return 0;
    }
    char *text = js_dump(v, 0);
    strv_take(&b->texts, text);
    *p = text;
    return 0;
}

static int set_strings(struct body *b, const struct body_field *f, const struct json *v,
                       struct error *err)
{
    char ***list = (char ***)((char *)&b->create + f->offset);
    if (js_is_string(v)) {
        strv_add(list, js_text(v));
        return 0;
    }
    if (!js_is_array(v))
        return body_wrong(f->key, err);
    JSON_FOREACH(v, i)
    {
        const char *text = js_text(js_at(v, i));
        if (!text)
            return body_wrong(f->key, err);
        strv_add(list, text);
    }
    return 0;
}

static int set_map(struct body *b, const struct body_field *f, const struct json *v,
                   struct error *err)
{
    char ***list = (char ***)((char *)&b->create + f->offset);
    if (!js_is_object(v))
        return body_wrong(f->key, err);
    JSON_FOREACH_KEY((struct json *)v, it)
    {
        const char *text = js_text(js_iter_value(it));
        if (!text)
            return body_wrong(f->key, err);
        strv_addf(list, "%s=%s", js_iter_key(it), text);
    }
    return 0;
}

static int set_field(struct body *b, const struct body_field *f, const struct json *v,
                     struct error *err)
{
    switch (f->type) {
    case BODY_STRING:
        return set_string(b, f, v, err);
    case BODY_BOOL:
        if (!js_is_bool(v))
            return body_wrong(f->key, err);
        *(bool *)((char *)&b->create + f->offset) = js_bool_value(v);
        return 0;
    case BODY_STRINGS:
        return set_strings(b, f, v, err);
    case BODY_MAP:
        return set_map(b, f, v, err);
    case BODY_TABLE:
        return body_read(b, f->table, v, err);
    case BODY_LIST:
        return js_is_array(v) ? f->set(b, v, err) : body_wrong(f->key, err);
    case BODY_OBJECT:
        return js_is_object(v) ? f->set(b, v, err) : body_wrong(f->key, err);
    case BODY_CUSTOM:
        return f->set(b, v, err);
    case BODY_IGNORED:
        break;
    }
    return 0;
}

int body_read(struct body *b, const struct body_field *table, const struct json *o,
              struct error *err)
{
    if (!js_is_object(o))
        return error_kind_set(err, ERROR_USAGE, "the body of the request is no JSON object");
    JSON_FOREACH_KEY((struct json *)o, it)
    {
        const struct body_field *f = table;
        struct json *v = js_iter_value(it);
        while (f->key && strcmp(f->key, js_iter_key(it)) != 0)
            f++;
        if (says_nothing_deep(v))
            continue;
        if (!f->key)
            return error_kind_set(err, ERROR_USAGE,
                                  "\"%s\" in the body of the request is not supported",
                                  js_iter_key(it));
        int r = set_field(b, f, v, err);
        if (r < 0)
            return r;
    }
    return 0;
}
