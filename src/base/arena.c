#include "base/arena.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"

#define CHUNK_SIZE 65536

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(16) char data[];
};

struct arena {
    struct chunk *chunks;
};

struct arena *arena_new(void)
{
    return xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena *a)
{
    for (struct chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

void *arena_alloc(struct arena *a, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct chunk *c = a->chunks;
    if (!c || c->size - c->used < size) {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        c = xcalloc(1, sizeof(*c) + room);
        *c = (struct chunk){.next = a->chunks, .size = room};
        a->chunks = c;
    }
    void *p = c->data + c->used;
    c->used += size;
    return p;
}

void *arena_memdup(struct arena *a, const void *p, size_t size)
{
    void *copy = arena_alloc(a, size);
    if (size)
        memcpy(copy, p, size);
    return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_memdup(a, s, strlen(s) + 1);
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    _cleanup_free_ char *s = xvasprintf(format, ap);
    va_end(ap);
    return arena_strdup(a, s);
}
