/* Allocation that cannot fail: out of memory is the one thing firn dies on. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
/* NULL stays NULL. */
char *xstrdup_null(const char *s);
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
void *xmemdup(const void *p, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
char *xvasprintf(const char *format, va_list ap) __attribute__((returns_nonnull));

/* Makes room for one more element in a growing array: `array` and `room` are lvalues, `used` the
 * elements in use. Grows by half. */
#define array_reserve(array, used, room)                                                           \
    do {                                                                                           \
        if ((used) >= (room)) {                                                                    \
            (room) = (room) ? (room) + (room) / 2 + 1 : 8;                                         \
            (array) = xrealloc((array), (size_t)(room) * sizeof(*(array)));                        \
        }                                                                                          \
    } while (0)
