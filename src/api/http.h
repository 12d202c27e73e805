/* The HTTP server. http.c is the only file that knows the library (libmicrohttpd).
 *
 * It reads a request's head and asks the handler what is to become of its body; with the whole body
 * at hand, or at its beginning when it is streamed, it asks for the work to be done. The work is
 * either answered at once or done by another process, whose answer comes through pipes
 * (reply.h): the server carries bytes and never waits. One thread does it all. */
#pragma once

#include <sys/types.h>

#include "api/loop.h"
#include "api/reply.h"
#include "api/request.h"

struct http;

enum http_body {
    HTTP_BODY_NONE,   /* what comes is thrown away */
    HTTP_BODY_TEXT,   /* collected in request.body, HTTP_TEXT_MAX bytes at most: else 413 */
    HTTP_BODY_STREAM, /* passed on as it comes */
};
enum { HTTP_TEXT_MAX = 4 << 20 };

/* A process at work for a request. */
struct http_work {
    pid_t pid;      /* 0: none, the answer is there */
    int control_fd; /* heads come from it (reply.h) */
    int data_fd;    /* the body of the answer, non-blocking */
    int body_fd;    /* takes the body of the request, non-blocking; -1: none */
    bool cancel;    /* when the client goes away, kill it with SIGTERM */
};
#define HTTP_WORK_INIT                                                                             \
    {                                                                                              \
        .control_fd = -1, .data_fd = -1, .body_fd = -1                                             \
    }

struct http_handler {
    void *context;
    /* The head is there: finds the route. */
    enum http_body (*head)(void *context, struct request *r);
    /* Starts the work, or answers by `reply` and leaves `work` as it is. */
    void (*work)(void *context, struct request *r, struct reply *reply, struct http_work *work);
};

struct http_options {
    int listen_fd; /* bound and listening; stays the caller's */
    struct loop *loop;
    const struct http_handler *handler;
    const char *const *headers; /* name, value, ... NULL: sent with every answer */
};

int http_open(const struct http_options *o, struct http **ret, struct error *err);
void http_close(struct http *h);
/* Does what is due; to be called after every turn of the loop. Returns for how many milliseconds
 * the loop may wait at most, -1: for ever. */
int http_run(struct http *h);
/* Connections that are open, and work that goes on although its client has left. */
unsigned http_busy(struct http *h);
/* A child has ended. */
void http_reap(struct http *h);
