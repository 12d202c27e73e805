/* The error object. Every function that can fail takes a `struct error *` last and returns 0 (or
 * a non-negative result) on success and a negative errno on failure, with the text filled in:
 * one sentence, lower case first letter, no full stop, that names the container, the process, the
 * object, the reason and, where there is one, what to do.
 *
 * The text is made where errno is known and wrapped at most once per layer. Library code never
 * prints it: cli/ and api/ show it. It is plain data, so it can be sent whole over a pipe. */
#pragma once

#include <stddef.h>

enum error_kind {
    ERROR_GENERIC,           /* exit 125 / HTTP 500 */
    ERROR_USAGE,             /* bad arguments: exit 125 / HTTP 400 */
    ERROR_NOT_FOUND,         /* no such container, image, volume: exit 125, `rm` 1 / HTTP 404 */
    ERROR_CONFLICT,          /* name or id taken: exit 125 / HTTP 409 */
    ERROR_STATE,             /* container state improper: exit 125, `rm` 2 / HTTP 409 */
    ERROR_IN_USE,            /* image or volume used by a container: exit 2 / HTTP 409 */
    ERROR_CANNOT_INVOKE,     /* command found but not executable, start failed: exit 126 */
    ERROR_COMMAND_NOT_FOUND, /* exit 127 */
    ERROR_CANCELLED,         /* the caller gave up (firn itself was killed or interrupted) */
};

#define ERROR_TEXT_MAX 8192

struct error {
    int code; /* positive errno, 0: no error */
    enum error_kind kind;
    char text[ERROR_TEXT_MAX];
};

/* Sets the error; returns -code. `err` may be NULL where the caller does not care. */
int error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, with a kind other than ERROR_GENERIC. The code is chosen to fit the kind. */
int error_kind_set(struct error *err, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set with ": <strerror(code)>" appended, its first letter in lower case as in Go. */
int error_errno(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<format>: " before the text that is there; returns -err->code. */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* strerror with a lower case first letter, in a static table of the C library. */
const char *errno_text(int code, char *buffer, size_t size);
