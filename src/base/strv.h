/* Lists of strings: NULL-terminated arrays, as execv takes them. A NULL list is an empty one. */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"

size_t strv_length(char *const *list);
/* Appends a copy. */
void strv_add(char ***list, const char *s);
void strv_addf(char ***list, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends `s` itself, which now belongs to the list. */
void strv_take(char ***list, char *s);
void strv_add_all(char ***list, char *const *other);
char **strv_copy(char *const *list);
bool strv_contains(char *const *list, const char *s);
/* Splits at every `separator`; empty parts are kept. Never NULL. */
char **strv_split(const char *s, char separator);
/* The caller frees. */
char *strv_join(char *const *list, const char *separator);
/* The value of "KEY=value" in a list, or NULL. */
const char *strv_env(char *const *list, const char *key);
/* Sets "KEY=value", replacing an earlier KEY. */
void strv_env_set(char ***list, const char *key, const char *value);
void strv_free(char **list);

static inline void cleanup_strv(char ***list)
{
    strv_free(*list);
}
#define _cleanup_strv_ _cleanup_(cleanup_strv)

#define STRV_FOREACH(s, list) for (char *const *s = (char *const *)(list); s && *s; s++)

/* String tests that read aloud. */
bool string_equal(const char *a, const char *b); /* NULL equals NULL */
bool string_starts(const char *s, const char *prefix);
bool string_ends(const char *s, const char *suffix);
/* The rest after the prefix, or NULL. */
const char *string_after(const char *s, const char *prefix);
