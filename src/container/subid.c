#include "container/subid.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/strv.h"

/* "name:start:count" */
static bool parse_line(const char *line, const char *name, const char *number,
                       struct subid_range *ret)
{
    _cleanup_strv_ char **parts = strv_split(line, ':');
    if (strv_length(parts) != 3 || (strcmp(parts[0], name) != 0 && strcmp(parts[0], number) != 0))
        return false;
    char *end1, *end2;
    ret->start = strtoul(parts[1], &end1, 10);
    ret->count = strtoul(parts[2], &end2, 10);
    return !*end1 && !*end2 && ret->start && ret->count;
}

size_t subid_read(const char *path, uid_t uid, struct subid_range **ret)
{
    struct subid_range *list = NULL;
    size_t count = 0, room = 0;
    char number[16];
    snprintf(number, sizeof(number), "%u", (unsigned)uid);
    const struct passwd *pw = getpwuid(uid);
    const char *name = pw ? pw->pw_name : number;
    _cleanup_buf_ struct buf text = {0};
    *ret = NULL;
    if (file_read(path, &text, NULL) < 0)
        return 0;
    _cleanup_strv_ char **lines = strv_split(text.data ? text.data : "", '\n');
    STRV_FOREACH(line, lines)
    {
        struct subid_range r;
        if (!parse_line(*line, name, number, &r))
            continue;
        array_reserve(list, count, room);
        list[count++] = r;
    }
    *ret = list;
    return count;
}

char **subid_map_command(const char *program, pid_t pid, unsigned own,
                         const struct subid_range *ranges, size_t count)
{
    char **argv = NULL;
    unsigned long inside = 1;
    strv_add(&argv, program);
    strv_addf(&argv, "%d", (int)pid);
    strv_add(&argv, "0");
    strv_addf(&argv, "%u", own);
    strv_add(&argv, "1");
    for (size_t i = 0; i < count; i++) {
        strv_addf(&argv, "%lu", inside);
        strv_addf(&argv, "%lu", ranges[i].start);
        strv_addf(&argv, "%lu", ranges[i].count);
        inside += ranges[i].count;
    }
    return argv;
}

unsigned long subid_next_free(const char *path)
{
    unsigned long next = 100000;
    _cleanup_buf_ struct buf text = {0};
    file_read(path, &text, NULL);
    _cleanup_strv_ char **lines = strv_split(text.data ? text.data : "", '\n');
    STRV_FOREACH(line, lines)
    {
        unsigned long start, count;
        if (sscanf(*line, "%*[^:]:%lu:%lu", &start, &count) == 2 && start + count > next)
            next = start + count;
    }
    return next;
}
