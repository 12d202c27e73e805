#include "api/request.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strv.h"

const char *request_header(const struct request *r, const char *name)
{
    size_t size = strlen(name);
    STRV_FOREACH(line, r->headers)
    {
        if (strncasecmp(*line, name, size) == 0 && (*line)[size] == ':' && (*line)[size + 1] == ' ')
            return *line + size + 2;
    }
    return NULL;
}

bool request_given(const struct request *r, const char *key)
{
    return strv_contains(r->given, key);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *url_decode(const char *text, size_t size, bool query)
{
    _cleanup_free_ char *out = xmalloc(size + 1);
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < size ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return NULL;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && query) {
            c = ' ';
        }
        out[used++] = c;
    }
    out[used] = '\0';
    return take_ptr(out);
}

/* A key that comes again makes a list. */
static void add_value(struct json *o, const char *key, const char *value)
{
    struct json *old = js_get(o, key);
    if (!old) {
        js_set(o, key, js_string(value));
        return;
    }
    if (js_is_array(old)) {
        js_push(old, js_string(value));
        return;
    }
    struct json *list = js_array();
    js_push(list, js_ref(old));
    js_push(list, js_string(value));
    js_set(o, key, list);
}

static int add_pair(struct json *o, const char *pair, size_t size, struct error *err)
{
    const char *equals = memchr(pair, '=', size);
    size_t key_size = equals ? (size_t)(equals - pair) : size;
    _cleanup_free_ char *key = url_decode(pair, key_size, true);
    _cleanup_free_ char *value =
        equals ? url_decode(equals + 1, size - key_size - 1, true) : xstrdup("");
    if (!key || !value)
        return error_kind_set(err, ERROR_USAGE, "invalid URL escape in the query \"%.*s\"",
                              (int)(size > 200 ? 200 : size), pair);
    if (*key && *value)
        add_value(o, key, value);
    return 0;
}

int query_parse(const char *text, struct json **ret, struct error *err)
{
    _cleanup_json_ struct json *o = js_object();
    while (text && *text) {
        size_t size = strcspn(text, "&");
        int r = add_pair(o, text, size, err);
        if (r < 0)
            return r;
        text += size + (text[size] == '&');
    }
    *ret = take_ptr(o);
    return 0;
}

void request_clear(struct request *r)
{
    free((char *)r->method);
    free((char *)r->target);
    strv_free(r->headers);
    strv_free(r->args);
    strv_free(r->given);
    buf_free(&r->body);
    js_unref(r->json);
    *r = (struct request){0};
}
