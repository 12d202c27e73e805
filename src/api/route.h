/* Routes: what may be asked of the service.
 *
 * To add one: a row in the table of its noun's file, and its function:
 *
 *     static int show(struct request *r, struct reply *reply, struct error *err)
 *     {
 *         const struct show_options *o = r->options;
 *         ...r->firn, r->args[0], r->json...
 *         return reply_json(reply, 200, object, err);
 *     }
 *     const struct route example_routes[] = {
 *         {"GET", API_BOTH, "/examples/{name}/json", show, OPTIONS(show_table, show_options)},
 *         {0},
 *     };
 *
 * A new file of routes adds its table to routes.c. The function runs in a process of its own,
 * forked for this request, with a firn of its own: it may do what a command may do, also hold
 * locks, trace processes or be killed. Its stdin is the body of the request (ROUTE_UPLOAD), its
 * stdout the body of a streamed answer. It returns 0, or a negative error, which is answered for
 * it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/reply.h"
#include "api/request.h"
#include "base/option.h"

enum route_api {
    API_LIBPOD = 1, /* /libpod/... */
    API_DOCKER = 2, /* the same without */
    API_BOTH = 3,
};

enum route_flags {
    ROUTE_BODY = 1,    /* takes JSON: request.json */
    ROUTE_UPLOAD = 2,  /* takes bytes: stdin */
    ROUTE_CHANGES = 4, /* changes something: an unknown query key is an error */
    ROUTE_INLINE = 8,  /* quick, needs no store: done in the service's own process */
    ROUTE_CANCEL = 16, /* ends when the client leaves: what only streams or waits */
};

struct route {
    const char *method;
    enum route_api api;
    /* After the version: "/containers/{name}/json". {name} stands for one element of the path,
     * {name...} for one or more. */
    const char *pattern;
    int (*run)(struct request *r, struct reply *reply, struct error *err);
    const struct option *options; /* query keys; NULL: none */
    size_t options_size;
    unsigned flags;
};
#define OPTIONS(table, type) .options = (table), .options_size = sizeof(struct type)

/* Finds the route of r->method and r->target: fills route, args and libpod. Returns 200, or 404 or
 * 405, or 400 for a target that is none. `tables` ends with NULL. */
int route_find(const struct route *const *tables, struct request *r);
/* Fills r->options and r->given from the query; the caller frees with route_options_free. */
int route_options(struct request *r, struct error *err);
void route_options_free(struct request *r);

/* For what Podman or Docker have and firn has not: 501 with a sentence. */
int route_unsupported(struct request *r, struct reply *reply, struct error *err);

extern const struct route *const route_tables[];
