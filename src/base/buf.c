#include "base/buf.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"

void *buf_reserve(struct buf *b, size_t size)
{
    if (b->size + size + 1 > b->room) {
        b->room = (b->size + size + 1) * 3 / 2;
        b->data = xrealloc(b->data, b->room);
    }
    b->data[b->size + size] = '\0';
    return b->data + b->size;
}

void buf_add(struct buf *b, const void *data, size_t size)
{
    void *to = buf_reserve(b, size);
    if (size)
        memcpy(to, data, size);
    b->size += size;
}

void buf_add_string(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *s = xvasprintf(format, ap);
    va_end(ap);
    buf_add_string(b, s);
    free(s);
}

void buf_clear(struct buf *b)
{
    b->size = 0;
    if (b->data)
        b->data[0] = '\0';
}

char *buf_take(struct buf *b)
{
    char *s = b->data ? b->data : xstrdup("");
    *b = (struct buf){0};
    return s;
}

void buf_trim(struct buf *b)
{
    while (b->size && isspace((unsigned char)b->data[b->size - 1]))
        b->data[--b->size] = '\0';
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
