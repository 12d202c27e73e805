#include "api/filters.h"

#include <string.h>

#include "base/json.h"
#include "base/strv.h"

static int add_values(char ***list, const char *key, struct json *values, struct error *err)
{
    if (js_is_array(values)) {
        JSON_FOREACH(values, i)
        {
            const char *text = js_text(js_at(values, i));
            if (!text)
                return error_kind_set(err, ERROR_USAGE, "filter \"%s\" is no text", key);
            strv_addf(list, "%s=%s", key, text);
        }
        return 0;
    }
    if (!js_is_object(values))
        return error_kind_set(err, ERROR_USAGE, "the values of filter \"%s\" are no list", key);
    JSON_FOREACH_KEY(values, it)
    {
        if (js_bool_value(js_iter_value(it)))
            strv_addf(list, "%s=%s", key, js_iter_key(it));
    }
    return 0;
}

int filters_parse(const char *text, char ***ret, struct error *err)
{
    _cleanup_json_ struct json *o = NULL;
    _cleanup_strv_ char **list = NULL;
    int r = text ? js_parse(text, strlen(text), "\"filters\"", &o, err) : 0;
    if (r < 0)
        return error_kind_set(err, ERROR_USAGE, "\"filters\" is no JSON: %.200s", text);
    if (o && !js_is_object(o))
        return error_kind_set(err, ERROR_USAGE, "\"filters\" is no JSON object");
    JSON_FOREACH_KEY(o, it)
    {
        r = add_values(&list, js_iter_key(it), js_iter_value(it), err);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(list);
    return 0;
}
