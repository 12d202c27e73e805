/* As much of HTTP/1.1 as an execution and its worker need: a request is a method, a path and a
 * JSON object; an answer is a status and a JSON object; then the connection is closed. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

/* What a request may take in all, headers and body. */
enum { HTTP_HEADERS_MAX = 16 << 10, HTTP_BODY_MAX = 1 << 20 };

struct http_request {
    char method[16];
    char path[128];
    struct json *body; /* an object; empty without a body */
};
void http_request_clear(struct http_request *r);
#define _cleanup_http_request_ _cleanup_(http_request_clear)

/* Looks whether a whole request is in `in`. 1: it is; 0: more has to come; negative: it never will
 * be one, `err` says why. */
int http_parse(const struct buf *in, struct http_request *ret, struct error *err);
/* The whole answer. The caller frees. */
char *http_answer(int status, const struct json *body);

/* Asks, and waits for the answer: its status, or a negative error. `directory` and `name` are
 * those of the socket. `body` NULL: none. -ENOENT and -ECONNREFUSED when nobody listens. */
int http_ask(const char *directory, const char *name, const char *method, const char *path,
             const struct json *body, struct json **ret, struct error *err);

/* A unix socket at <directory>/<name>, whose path may be of any length: it listens (`mode`), or is
 * connected. The fd or -errno. */
int http_listen(const char *directory, const char *name, mode_t mode);
int http_connect(const char *directory, const char *name);
