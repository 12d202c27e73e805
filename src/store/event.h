/* The event log: what happened, a line of JSON each, in <root>/events/log. When it has grown to
 * some MiB it becomes <root>/events/log.1, and a new one begins.
 *
 *     event_emit(store, &(struct event){.type = "volume", .status = "create", .name = name});
 *
 *     struct event_query q = {.filters = filters, .stream = true};
 *     r = event_read(store, &q, show, context, err);
 *
 * An event as JSON: Type, Status, ID, Name, Image, Time (RFC 3339 with nanoseconds), Attributes (an
 * object of strings) and, of "died", ContainerExitCode; what is not known is left out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "store/store.h"

struct event {
    const char *type;   /* container, image, volume, network, pod, system */
    const char *status; /* create start died ..., as Podman's */
    const char *id;     /* NULL where it has none */
    const char *name;
    const char *image;             /* of a container: the name of its image */
    const struct json *attributes; /* an object of strings, NULL: none */
    const int *exit_code;          /* NULL: none */
};

/* Best effort: what happened has happened, whether or not it can be written down. */
void event_emit(const struct store *s, const struct event *e);

/* The same for an image; `name` may be NULL: its first. */
struct image;
void event_emit_image(const struct store *s, const char *status, const struct image *image,
                      const char *name);

struct event_query {
    int64_t since, until; /* ns since the epoch; 0: from the beginning, without an end */
    char *const *filters; /* "key=value": container event image type volume label pod network;
                           * values of one key are alternatives */
    bool stream;          /* wait for what comes, until `until`; NULL `until`: for ever */
    bool tail;            /* without `since`: nothing that happened before */
    /* Asked a few times a second while waiting; true ends the reading. NULL: never. */
    bool (*cancelled)(void *context);
};

/* Shows one event, which is lent. A result other than 0 ends the reading, and is its result. */
typedef int (*event_show)(void *context, const struct json *event, struct error *err);

/* `bogus is an invalid filter`, `invalid event filter "x"`. */
int event_read(const struct store *s, const struct event_query *query, event_show show,
               void *context, struct error *err);
/* The line people read: `2026-11-21 17:20:01.685 +0000 UTC container create <ID> (image=...,
 * name=..., k=v)`. `whole` false: ids of 12 digits. The caller frees. */
char *event_text(const struct json *event, bool whole);
