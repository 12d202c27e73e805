#include "api/auth.h"

#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"

static int sextet(char c)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = c ? strchr(letters, c == '-' ? '+' : c == '_' ? '/' : c) : NULL;
    return p ? (int)(p - letters) : -1;
}

bool base64_decode(const char *text, struct buf *ret)
{
    unsigned value = 0, bits = 0;
    for (; *text && *text != '='; text++) {
        int s = sextet(*text);
        if (s < 0)
            return false;
        value = value << 6 | (unsigned)s;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_add_char(ret, (char)(value >> bits & 0xff));
        }
    }
    return true;
}

void base64_encode(const void *data, size_t size, struct buf *ret)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = data;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        unsigned v = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0);
        buf_add_char(ret, letters[v >> 18]);
        buf_add_char(ret, letters[v >> 12 & 63]);
        buf_add_char(ret, left > 1 ? letters[v >> 6 & 63] : '=');
        buf_add_char(ret, left > 2 ? letters[v & 63] : '=');
    }
}

static const struct json *find_user(struct json *o)
{
    if (js_get_string(o, "username"))
        return o;
    JSON_FOREACH_KEY(o, it)
    {
        if (js_get_string(js_iter_value(it), "username"))
            return js_iter_value(it);
    }
    return NULL;
}

int auth_read(const struct request *r, char **ret, struct error *err)
{
    const char *text = request_header(r, "X-Registry-Auth");
    _cleanup_buf_ struct buf decoded = {0};
    _cleanup_json_ struct json *o = NULL;
    *ret = NULL;
    if (!text || !*text)
        return 0;
    if (!base64_decode(text, &decoded) ||
        (decoded.size && js_parse(decoded.data, decoded.size, "X-Registry-Auth", &o, NULL) < 0) ||
        (o && !js_is_object(o)))
        return error_kind_set(err, ERROR_USAGE, "the header X-Registry-Auth cannot be read");
    const struct json *who = o ? find_user(o) : NULL;
    const char *user = js_get_string(who, "username"), *password = js_get_string(who, "password");
    if (user && *user)
        *ret = xasprintf("%s:%s", user, password ? password : "");
    return 0;
}
