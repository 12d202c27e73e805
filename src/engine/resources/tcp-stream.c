#include "engine/resources/inet-socket.h"

#include <errno.h>

int tcp_stream_dump(struct dump *d, const struct descriptor *f, int fd, const InetSkEntry *e,
                    struct error *err)
{
    (void)fd, (void)e;
    return error_set(err, ENOTSUP, "%s is a TCP connection, which firn cannot save yet",
                     descriptor_name(d, f));
}

int tcp_stream_restore(struct maker *m, int fd, const InetSkEntry *e, struct error *err)
{
    (void)m, (void)fd, (void)e;
    return error_set(err, ENOTSUP,
                     "the checkpoint has a TCP connection, which firn cannot restore yet");
}
