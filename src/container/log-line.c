#include "container/log-line.h"

#include <string.h>

#include "base/clock.h"

enum { STAMP_MAX = 48 };

bool log_line_parse(const char *line, size_t size, struct log_line *ret)
{
    char stamp[STAMP_MAX];
    const char *end = line + size, *space = memchr(line, ' ', size);
    if (!space || space - line >= STAMP_MAX || end - space < (ptrdiff_t)sizeof(" stdout F ") - 1)
        return false;
    memcpy(stamp, line, (size_t)(space - line));
    stamp[space - line] = '\0';
    const char *stream = space + 1, *flag = stream + 7;
    if ((memcmp(stream, "stdout ", 7) != 0 && memcmp(stream, "stderr ", 7) != 0) ||
        (*flag != 'F' && *flag != 'P') || flag[1] != ' ')
        return false;
    if (time_parse(stamp, &ret->time, NULL) < 0)
        return false;
    ret->is_stderr = stream[3] == 'e';
    ret->partial = *flag == 'P';
    ret->text = flag + 2;
    ret->size = (size_t)(end - ret->text);
    return true;
}
