#include "cli/command.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strv.h"

/* The part of a path behind "GROUP ", the path itself without a group, NULL if in another one. */
static const char *name_in(const char *path, const char *group)
{
    const char *space = strchr(path, ' ');
    if (!group)
        return space ? NULL : path;
    size_t size = strlen(group);
    if (!space || (size_t)(space - path) != size || memcmp(path, group, size) != 0)
        return NULL;
    return space + 1;
}

const char *command_name_in(const struct command *c, const char *group)
{
    for (const char *const *path = c->paths; *path; path++)
        if (name_in(*path, group))
            return name_in(*path, group);
    return NULL;
}

const struct command_group *command_group_find(const char *name)
{
    for (const struct command_group *g = command_groups; g->name; g++)
        if (string_equal(g->name, name))
            return g;
    return NULL;
}

const struct command *command_find(char *const *words, size_t *ret_used, const char **ret_path)
{
    const struct command_group *group = command_group_find(words[0]);
    const char *word = group ? words[1] : words[0];
    for (const struct command *const *c = commands; word && *c; c++) {
        for (const char *const *path = (*c)->paths; *path; path++) {
            const char *name = name_in(*path, group ? group->name : NULL);
            if (name && string_equal(name, word)) {
                *ret_used = group ? 2 : 1;
                *ret_path = *path;
                return *c;
            }
        }
    }
    return NULL;
}

/* ---- suggestions ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, without case. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(b);
    _cleanup_free_ size_t *row = xcalloc(n + 1, sizeof(*row));
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t above = row[j + 1];
            bool same = tolower((unsigned char)a[i]) == tolower((unsigned char)b[j]);
            row[j + 1] = least(diagonal + !same, least(above, row[j]) + 1);
            diagonal = above;
        }
    }
    return row[n];
}

static void suggest(const char *candidate, const char *typed, struct buf *out)
{
    if (distance(typed, candidate) <= 2 || strncasecmp(candidate, typed, strlen(typed)) == 0)
        buf_printf(out, "\n\t%s", candidate);
}

int command_unknown(const char *group, const char *name, struct error *err)
{
    _cleanup_buf_ struct buf found = {0};
    _cleanup_free_ char *path = xasprintf("firn%s%s", group ? " " : "", group ? group : "");
    for (const struct command_group *g = command_groups; !group && g->name; g++)
        suggest(g->name, name, &found);
    for (const struct command *const *c = commands; *c; c++) {
        const char *candidate = command_name_in(*c, group);
        if (candidate && !((*c)->flags & COMMAND_HIDDEN))
            suggest(candidate, name, &found);
    }
    if (!found.size)
        return error_kind_set(err, ERROR_USAGE,
                              "unrecognized command `%s %s`\nTry '%s --help' for more information",
                              path, name, path);
    return error_kind_set(err, ERROR_USAGE,
                          "unrecognized command `%s %s`\n\nDid you mean this?%s\n\nTry '%s --help' "
                          "for more information",
                          path, name, found.data, path);
}
