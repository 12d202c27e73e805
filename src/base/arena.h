/* Memory that is freed all at once: for graphs of small things with one lifetime, such as the
 * messages of a checkpoint. Zero-initialised. */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);
DEFINE_CLEANUP(struct arena *, arena_free);
#define _cleanup_arena_ _cleanup_(arena_freep)

/* Never NULL, aligned for any type, zeroed. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_memdup(struct arena *a, const void *p, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define arena_new_of(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array_of(arena, type, count) ((type *)arena_alloc((arena), (count) * sizeof(type)))
