#include "base/strv.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

size_t strv_length(char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

void strv_take(char ***list, char *s)
{
    size_t n = strv_length(*list);
    *list = xrealloc(*list, (n + 2) * sizeof(char *));
    (*list)[n] = s;
    (*list)[n + 1] = NULL;
}

void strv_add(char ***list, const char *s)
{
    strv_take(list, xstrdup(s));
}

void strv_addf(char ***list, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    strv_take(list, xvasprintf(format, ap));
    va_end(ap);
}

void strv_add_all(char ***list, char *const *other)
{
    STRV_FOREACH(s, other)
    strv_add(list, *s);
}

char **strv_copy(char *const *list)
{
    size_t n = strv_length(list);
    char **copy = xcalloc(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++)
        copy[i] = xstrdup(list[i]);
    return copy;
}

bool strv_contains(char *const *list, const char *s)
{
    STRV_FOREACH(p, list)
    if (strcmp(*p, s) == 0)
        return true;
    return false;
}

char **strv_split(const char *s, char separator)
{
    char **list = NULL;
    for (;;) {
        const char *end = strchrnul(s, separator);
        strv_take(&list, xstrndup(s, (size_t)(end - s)));
        if (!*end)
            return list;
        s = end + 1;
    }
}

char *strv_join(char *const *list, const char *separator)
{
    struct buf b = {0};
    STRV_FOREACH(s, list)
    {
        if (s != list)
            buf_add_string(&b, separator);
        buf_add_string(&b, *s);
    }
    return buf_take(&b);
}

static char **env_find(char *const *list, const char *key)
{
    size_t n = strlen(key);
    STRV_FOREACH(s, list)
    if (strncmp(*s, key, n) == 0 && (*s)[n] == '=')
        return (char **)s;
    return NULL;
}

const char *strv_env(char *const *list, const char *key)
{
    char **s = env_find(list, key);
    return s ? *s + strlen(key) + 1 : NULL;
}

void strv_env_set(char ***list, const char *key, const char *value)
{
    char **s = env_find(*list, key);
    if (!s) {
        strv_addf(list, "%s=%s", key, value);
        return;
    }
    free(*s);
    *s = xasprintf("%s=%s", key, value);
}

void strv_free(char **list)
{
    STRV_FOREACH(s, list)
    free(*s);
    free(list);
}

bool string_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool string_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool string_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}

const char *string_after(const char *s, const char *prefix)
{
    return string_starts(s, prefix) ? s + strlen(prefix) : NULL;
}
