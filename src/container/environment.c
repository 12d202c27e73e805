#include "container/environment.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/draft.h"

void environment_set(char ***env, const char *pair)
{
    _cleanup_free_ char *key = NULL;
    const char *value = option_split(pair, &key);
    strv_env_set(env, key, value ? value : "");
}

void environment_unset(char ***env, const char *key)
{
    size_t length = strlen(key), kept = 0;
    char **list = *env;
    for (size_t i = 0; list && list[i]; i++) {
        if (strncmp(list[i], key, length) == 0 && list[i][length] == '=')
            free(list[i]);
        else
            list[kept++] = list[i];
    }
    if (list)
        list[kept] = NULL;
}

int environment_add(char ***env, const char *option, struct error *err)
{
    if (!*option || *option == '=')
        return error_kind_set(err, ERROR_USAGE, "invalid environment variable: \"%s\"", option);
    if (strchr(option, '=')) {
        environment_set(env, option);
        return 0;
    }
    size_t length = strlen(option);
    if (option[length - 1] == '*') {
        STRV_FOREACH(pair, environ)
        {
            if (strncmp(*pair, option, length - 1) == 0)
                environment_set(env, *pair);
        }
        return 0;
    }
    const char *value = getenv(option);
    if (value)
        strv_env_set(env, option, value);
    return 0;
}

int environment_add_file(char ***env, const char *path, struct error *err)
{
    _cleanup_buf_ struct buf b = {0};
    int r = file_read(path, &b, err);
    if (r < 0)
        return error_wrap(err, "parsing file \"%s\"", path);
    _cleanup_strv_ char **lines = strv_split(b.data ? b.data : "", '\n');
    STRV_FOREACH(line, lines)
    {
        char *s = *line;
        while (isspace((unsigned char)*s))
            s++;
        size_t n = strlen(s);
        if (n && s[n - 1] == '\r')
            s[n - 1] = '\0';
        if (!*s || *s == '#')
            continue;
        r = environment_add(env, s, err);
        if (r < 0)
            return error_wrap(err, "parsing file \"%s\"", path);
    }
    return 0;
}
