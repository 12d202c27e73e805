/* Named FIFOs with data: held by both ends, by a writer or a reader only, by several, deleted. */
#include <poll.h>
#include <sys/stat.h>

#include "guest.h"

#define SIZE (128 * 1024)

static int both, reader, writer, full_reader, full_writer, deleted, alone;
static struct guest_child child;
static unsigned rounds;
static char buffer[SIZE];

static void verify_child(void)
{
    char text[16] = "";
    rounds++;
    guest_check(read(reader, text, 8) == 8 && (unsigned)atoi(text) == rounds, "the child reads %s",
                text);
}

static void verify_full(void)
{
    guest_check(fcntl(full_reader, F_GETPIPE_SZ) == SIZE, "the size is %d",
                fcntl(full_reader, F_GETPIPE_SZ));
    size_t got = 0;
    for (ssize_t n; got < 100000 && (n = read(full_reader, buffer + got, 100000 - got)) > 0;)
        got += (size_t)n;
    guest_check(got == 100000 && guest_filled(buffer, got & ~7ul, 3), "%zu bytes", got);
    guest_check(write(full_writer, buffer, got) == (ssize_t)got, "filling again");
}

static void verify(void)
{
    char text[16] = "";
    struct pollfd p = {.fd = alone, .events = POLLIN};
    guest_check(read(both, text, 15) == 6 && strcmp(text, "hello\n") == 0, "both: '%s'", text);
    guest_check(write(both, "hello\n", 6) == 6, "write");
    verify_full();
    memset(text, 0, sizeof(text));
    guest_check(read(deleted, text, 15) == 4 && strcmp(text, "gone") == 0, "deleted: '%s'", text);
    guest_check(write(deleted, "gone", 4) == 4, "write");
    guest_check((fcntl(alone, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == O_NONBLOCK, "flags");
    guest_check(poll(&p, 1, 0) == 0 && read(alone, text, 1) == 0, "a reader without writers");
    snprintf(text, sizeof(text), "%07u", ++rounds);
    guest_check(write(writer, text, 8) == 8, "to the child");
    guest_ask(&child);
}

static int make(const char *path, int flags)
{
    unlink(path);
    guest_need(mkfifo(path, 0600) == 0, path);
    int fd = open(path, flags);
    guest_need(fd >= 0, path);
    return fd;
}

int main(void)
{
    both = make("/tmp/both", O_RDWR);
    guest_need(write(both, "hello\n", 6) == 6, "content");
    full_reader = make("/tmp/full", O_RDONLY | O_NONBLOCK);
    full_writer = open("/tmp/full", O_WRONLY);
    guest_need(fcntl(full_writer, F_SETPIPE_SZ, SIZE) == SIZE, "a size");
    guest_fill(buffer, 100000, 3);
    guest_need(write(full_writer, buffer, 100000) == 100000, "content");
    deleted = make("/dev/shm/deleted", O_RDWR);
    guest_need(write(deleted, "gone", 4) == 4 && unlink("/dev/shm/deleted") == 0, "content");
    alone = make("/tmp/alone", O_RDONLY | O_NONBLOCK);
    reader = make("/tmp/way", O_RDONLY | O_NONBLOCK);
    writer = open("/tmp/way", O_WRONLY);
    child = guest_fork(verify_child);
    close(reader);
    guest_serve(verify);
}
