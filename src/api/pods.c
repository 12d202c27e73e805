/* firn has no pods: there are none to list, and none is found. */
#include "api/routes.h"

static int list(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_json_ struct json *none = js_array();
    return reply_json(reply, 200, none, err);
}

static int find(struct request *r, struct reply *reply, struct error *err)
{
    return error_kind_set(err, ERROR_NOT_FOUND, "no pod with name or ID %s found: no such pod",
                          r->args[0]);
}

const struct route pods_routes[] = {
    {"GET", API_LIBPOD, "/pods/json", list, .flags = ROUTE_INLINE},
    {"GET", API_LIBPOD, "/pods/{name}/json", find, .flags = ROUTE_INLINE},
    {"GET", API_LIBPOD, "/pods/{name}/exists", find, .flags = ROUTE_INLINE},
    {"POST", API_LIBPOD, "/pods/create", route_unsupported},
    {0},
};
