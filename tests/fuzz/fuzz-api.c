/* A request: its target on the first line, its body on the others. It has a route or none, its
 * query fills the route's options or is refused, its body describes a container or does not. */
#include <string.h>

#include "api/auth.h"
#include "api/body.h"
#include "api/filters.h"
#include "api/route.h"
#include "base/strv.h"
#include "fuzz.h"

static void read_body(const struct body_field *table, const struct json *o)
{
    _cleanup_body_ struct body b;
    struct error err = {0};
    body_init(&b);
    if (body_read(&b, table, o, &err) < 0 && !err.text[0])
        abort();
}

static void try_route(const char *method, const char *target)
{
    struct error err = {0};
    struct request r = {.method = xstrdup(method), .target = xstrdup(target)};
    if (route_find(route_tables, &r) == 200) {
        if (!r.args != !strchr(r.route->pattern, '{'))
            abort();
        if (route_options(&r, &err) < 0 && !err.text[0])
            abort();
        route_options_free(&r);
    }
    request_clear(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "HEAD"};
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    _cleanup_json_ struct json *o = NULL;
    _cleanup_strv_ char **filters = NULL;
    _cleanup_buf_ struct buf decoded = {0};
    char *newline = strchr(text, '\n'), *body = newline ? newline + 1 : text;
    if (newline)
        *newline = '\0';
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        try_route(methods[i], text);
    filters_parse(body, &filters, NULL);
    base64_decode(body, &decoded);
    if (js_parse(body, strlen(body), "body", &o, NULL) < 0)
        return 0;
    read_body(body_libpod, o);
    read_body(body_docker, o);
    return 0;
}
