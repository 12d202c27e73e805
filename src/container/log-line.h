/* One line of a k8s-file log: `<RFC 3339 time> stdout|stderr F|P <text>`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_line {
    int64_t time; /* ns since the epoch */
    bool is_stderr;
    bool partial;     /* P: the line goes on with the next one of the same stream */
    const char *text; /* points into what was parsed */
    size_t size;
};

/* `line` without its newline. False when it is none of ours. */
bool log_line_parse(const char *line, size_t size, struct log_line *ret);
