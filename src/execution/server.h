/* The supervisor's two sockets: the worker's and firn's own. Requests are taken one by one; an
 * answer may come later.
 *
 *     r = server_open(&s, e, err);
 *     server_poll(&s, extra_fd, timeout_ms);       // waits, reads, accepts
 *     while ((c = server_next(&s, &request, ...)))
 *         server_answer(&s, c, 200, body); */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "execution/execution.h"
#include "execution/http.h"

enum { SERVER_CONNECTIONS = 64 };

struct connection {
    int fd; /* -1: free */
    bool admin;
    bool taken;      /* its request was given out by server_next */
    uint64_t serial; /* of this connection, for who keeps it: slots are used again */
    int64_t since;
    struct buf in;
};

struct server {
    int worker_fd, admin_fd;
    uint64_t serial;
    struct connection connections[SERVER_CONNECTIONS];
};

int server_open(struct server *s, const struct execution *e, struct error *err);
void server_close(struct server *s);
#define _cleanup_server_ _cleanup_(server_close)

/* Waits until something came, `extra_fd` (-1: none) is readable, or the time is over (-1: never).
 * True: `extra_fd` is. */
bool server_poll(struct server *s, int extra_fd, int timeout_ms);
/* A connection with a complete request, which is the caller's; NULL: none. What is no request is
 * answered already. */
struct connection *server_next(struct server *s, struct http_request *ret);
/* Answers and closes. `body` is taken over. */
void server_answer(struct connection *c, int status, struct json *body);
/* {"error": text} with the status that fits the kind. */
void server_refuse(struct connection *c, const struct error *err);
