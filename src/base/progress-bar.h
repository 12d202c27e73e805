/* One line on a terminal that says how far a long copy is: bytes, rate, time left. It shows itself
 * only if stderr is a terminal and only after half a second, and is gone afterwards.
 *
 *     _cleanup_progress_bar_ struct progress_bar bar = {.what = "Exporting", .total = size};
 *     while (...)
 *         progress_bar_at(&bar, done);
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct progress_bar {
    const char *what;
    uint64_t total; /* 0: not known */
    /* Private. */
    int64_t started_ns, shown_ns;
    bool shown;
};

void progress_bar_at(struct progress_bar *bar, uint64_t done);
/* Shows a text in its place, as rarely; false if there is no terminal to show it on. */
bool progress_bar_say(struct progress_bar *bar, const char *text);
void progress_bar_end(struct progress_bar *bar);
#define _cleanup_progress_bar_ _cleanup_(progress_bar_end)

/* The text without the terminal, for `elapsed_ns` since the start. The caller frees. */
char *progress_bar_text(const struct progress_bar *bar, uint64_t done, int64_t elapsed_ns);
