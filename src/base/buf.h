/* A growing byte buffer, always followed by a NUL so that `data` may be used as a string.
 *
 *     _cleanup_buf_ struct buf b = {0};
 *     buf_printf(&b, "%d", 42);
 *     puts(b.data);
 */
#pragma once

#include "base/cleanup.h"

struct buf {
    char *data; /* NULL while nothing was added */
    size_t size;
    size_t room;
};

void buf_add(struct buf *b, const void *data, size_t size);
void buf_add_string(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for `size` more bytes after b->size; the caller fills it and raises b->size. */
void *buf_reserve(struct buf *b, size_t size);
void buf_clear(struct buf *b);
/* Gives the string away (never NULL; the caller frees) and leaves the buffer empty. */
char *buf_take(struct buf *b);
/* Cuts trailing white space. */
void buf_trim(struct buf *b);
void buf_free(struct buf *b);
#define _cleanup_buf_ _cleanup_(buf_free)
