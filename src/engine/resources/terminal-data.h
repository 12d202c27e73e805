/* What waits in a pseudo terminal: output of the slave that nobody has read from the master, and
 * input, in canonical mode line by line, with the begun line. Reading takes it out; it is put back
 * by saying it again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A piece of it. */
struct terminal_piece {
    bool output; /* else input */
    bool line; /* of canonical input, complete; without a newline it ended with an EOF character */
    uint32_t size;
};

/* `slave` is open for us alone, without waiting (O_NONBLOCK). Adds pieces, each followed by its
 * bytes. 0 or -errno. */
int terminal_take(int master, int slave, bool input, struct buf *pieces);
/* The opposite, from a terminal that is empty. */
int terminal_give(int master, int slave, const struct buf *pieces);
