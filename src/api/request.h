/* A request as the function of a route sees it. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/json.h"

struct firn;
struct firn_options;
struct route;
struct service_info;

struct request {
    const char *method; /* "GET" */
    const char *target; /* as sent: "/v1.41/containers/json?all=1" */
    char **headers;     /* "Name: value" */
    bool libpod;        /* the route was called as /libpod/... */
    const struct route *route;
    char **args;       /* what stood at the places {name} of the route, decoded */
    void *options;     /* the route's struct, filled from the query */
    char **given;      /* names of the query keys that were there, lower case */
    struct buf body;   /* of routes with ROUTE_BODY */
    struct json *json; /* the same parsed; an empty object without a body */
    /* Where the work is done. NULL in routes with ROUTE_INLINE. */
    struct firn *firn;
};

/* The value of a header, whatever the case of its name, or NULL. */
const char *request_header(const struct request *r, const char *name);
/* Was the key in the query? */
bool request_given(const struct request *r, const char *key);
/* What the text of a query or a path says with its %XX decoded; '+' is a space in a query.
 * NULL for a bad escape or an escaped NUL. The caller frees. */
char *url_decode(const char *text, size_t size, bool query);
/* The query ("a=1&b=2", may be NULL) as an object: strings; a key that is there more than once is a
 * list of strings. Keys without a value, or with an empty one, are left out. */
int query_parse(const char *text, struct json **ret, struct error *err);
void request_clear(struct request *r);
