/* Carrying bytes between a client's connection that was taken over and conmon's attach socket, with
 * Docker's framing: without a terminal each piece of output has a head of 8 bytes, the stream's
 * number and the size. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum frame_stream {
    FRAME_STDOUT = 1,
    FRAME_STDERR = 2,
    FRAME_ERROR = 3,
};
enum { FRAME_HEAD = 8 };
void frame_head(unsigned char head[static FRAME_HEAD], enum frame_stream stream, size_t size);

struct pump {
    int client_fd; /* non-blocking */
    int attach_fd;
    bool tty; /* no frames */
    bool input, output, errors;
    const char *detach_keys; /* NULL: the usual ones, "": none; only with a terminal */
};

/* Output to a client; waits when it is slow. 0 or -errno: it is gone. */
int pump_write(const struct pump *p, enum frame_stream stream, const void *data, size_t size);
/* Until one side ends. `early` is what the client has sent already. Returns 1 when the container
 * has ended its output, 0 when the client left or typed the detach keys. */
int pump_run(const struct pump *p, const struct buf *early, struct error *err);
