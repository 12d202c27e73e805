#include "engine/fdinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

int fdinfo_read(pid_t pid, int fd, struct buf *text)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
    int r = file_read(path, text, NULL);
    return r < 0 ? r : text->data ? 0 : -EIO;
}

const char *fdinfo_value(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            return line + length + 1;
        if (!*line)
            return NULL;
    }
    return NULL;
}

bool fdinfo_number(const char *text, const char *name, int base, uint64_t *ret)
{
    const char *value = fdinfo_value(text, name);
    if (value)
        *ret = strtoull(value, NULL, base);
    return value != NULL;
}
