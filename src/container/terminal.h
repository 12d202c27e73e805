/* The user's terminal while it stands for a container's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

struct terminal {
    int fd; /* -1: not changed */
    struct termios saved;
};
#define TERMINAL_INIT                                                                              \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* Raw mode, if `fd` is a terminal. */
void terminal_make_raw(struct terminal *t, int fd);
void terminal_restore(struct terminal *t);
#define _cleanup_terminal_ _cleanup_(terminal_restore)
/* The size of the terminal `fd`; false if it is none. */
bool terminal_size(int fd, unsigned *rows, unsigned *columns);

/* A sequence of keys, watched for in what is typed. */
struct detach_keys {
    unsigned char keys[16];
    unsigned count;   /* 0: cannot be typed */
    unsigned matched; /* so far */
};
/* "ctrl-p,ctrl-q", "a,b", "" for none. Returns 0 or -EINVAL. */
int detach_keys_parse(const char *text, struct detach_keys *ret);
/* Feeds typed bytes: `out` (room for size + 16) gets what is to be passed on. Returns true when the
 * sequence is complete. */
bool detach_keys_feed(struct detach_keys *k, const unsigned char *in, size_t size,
                      unsigned char *out, size_t *ret_size);
