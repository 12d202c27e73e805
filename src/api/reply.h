/* Answering a request, from the process that does its work.
 *
 *     return reply_json(reply, 200, object);          // whole
 *
 *     r = reply_stream(reply, 200, "application/json", err);   // or piece by piece
 *     ...
 *     r = reply_write(reply, data, size, err);
 *
 * A function that returns a negative error without having replied is answered for by
 * reply_error(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

enum reply_kind {
    REPLY_WHOLE,    /* the body follows the head */
    REPLY_STREAM,   /* the body comes through the pipe, until its end */
    REPLY_DEFERRED, /* likewise; until its first byte another head may come instead */
    REPLY_HIJACK,   /* the connection itself is handed over */
};

enum { REPLY_HEADERS_MAX = 8192 };

/* What is sent to the service's process, one packet. */
struct reply_head {
    int status;
    enum reply_kind kind;
    int64_t size; /* of a stream's body, -1: not known */
    char type[64];
    char headers[REPLY_HEADERS_MAX]; /* "Name: value\n" each */
};

struct reply {
    int control_fd;          /* packets to the service; -1: collected in `head` and `body` */
    int body_fd;             /* the pipe of streams */
    bool begun;              /* a head was sent that stands */
    struct reply_head *head; /* with control_fd -1 */
    struct buf *body;
    char headers[REPLY_HEADERS_MAX];
};

/* One more header for the head to come. */
void reply_header(struct reply *r, const char *name, const char *value);
/* Without a body. */
int reply_empty(struct reply *r, int status, struct error *err);
int reply_text(struct reply *r, int status, const char *type, const char *text, struct error *err);
int reply_json(struct reply *r, int status, const struct json *value, struct error *err);
/* The error as Podman shows it: {"cause": ..., "message": ..., "response": 404}. */
int reply_error(struct reply *r, const struct error *why);
int reply_error_status(struct reply *r, int status, const char *message);
/* The status that fits the error's kind. */
int reply_error_code(const struct error *why);

int reply_stream(struct reply *r, int status, const char *type, struct error *err);
/* The head waits until the first byte is written, so that reply_error is still possible. */
int reply_stream_deferred(struct reply *r, int status, const char *type, struct error *err);
int reply_write(struct reply *r, const void *data, size_t size, struct error *err);
/* One JSON object and a newline. */
int reply_line(struct reply *r, const struct json *value, struct error *err);

/* Takes the connection over: the client has got the head (101 if it asked for an upgrade, else 200)
 * and both sides may send what they like. Returns the socket, non-blocking, and in `early` what the
 * client has sent already. */
int reply_hijack(struct reply *r, const char *type, struct buf *early, struct error *err);
