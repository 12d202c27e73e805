#include "base/table.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"

enum { MIN_WIDTH = 12, PADDING = 2 };

struct line {
    char **cells; /* all but the last are terminated by a tab */
    size_t count;
};

struct lines {
    struct line *line;
    size_t used, room;
};

/* Characters, not bytes. */
static size_t cell_width(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void add_cell(const char *cell, size_t width, struct buf *out)
{
    buf_add_string(out, cell);
    for (size_t n = cell_width(cell); n < width; n++)
        buf_add_char(out, ' ');
}

/* The widths of column `column` in line `i`: that of the run of lines that have the column. */
static size_t run_width(const struct lines *l, size_t i, size_t column)
{
    size_t first = i, width = MIN_WIDTH;
    while (first > 0 && l->line[first - 1].count > column + 1)
        first--;
    for (; first < l->used && l->line[first].count > column + 1; first++) {
        size_t n = cell_width(l->line[first].cells[column]);
        if (n + PADDING > width)
            width = n + PADDING;
    }
    return width;
}

void table_align(const char *text, struct buf *out)
{
    struct lines l = {0};
    _cleanup_strv_ char **rows = strv_split(text, '\n');
    size_t count = strv_length(rows);
    for (size_t i = 0; i < count; i++) {
        array_reserve(l.line, l.used, l.room);
        struct line *line = &l.line[l.used++];
        line->cells = strv_split(rows[i], '\t');
        line->count = strv_length(line->cells);
    }
    /* A run's width is computed once, when its first line is met. */
    size_t *widths = NULL, used = 0;
    for (size_t i = 0; i < l.used; i++) {
        const struct line *line = &l.line[i];
        size_t before = i ? l.line[i - 1].count : 0;
        widths = xrealloc(widths, (line->count + 1) * sizeof(*widths));
        for (size_t c = 0; c + 1 < line->count; c++) {
            if (c >= used || c + 1 >= before)
                widths[c] = run_width(&l, i, c);
            add_cell(line->cells[c], widths[c], out);
        }
        used = line->count ? line->count - 1 : 0;
        if (line->count)
            buf_add_string(out, line->cells[line->count - 1]);
        if (i + 1 < l.used)
            buf_add_char(out, '\n');
    }
    free(widths);
    for (size_t i = 0; i < l.used; i++)
        strv_free(l.line[i].cells);
    free(l.line);
}
