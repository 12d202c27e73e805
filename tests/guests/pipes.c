/* Pipes with data in them: content, size, flags, and ends that are closed. */
#include <sys/ioctl.h>

#include "guest.h"

static int full[2], packets[2], ended[2], broken[2];
static struct guest_child child;
static int shared[2]; /* the parent writes, the child reads */
static uint64_t rounds;

static void put(int fd, uint64_t seed, size_t size)
{
    static char data[65536];
    guest_fill(data, size, seed);
    if (write(fd, data, size) != (ssize_t)size)
        guest_fail("a pipe takes no data: %s", strerror(errno));
}

static bool get(int fd, uint64_t seed, size_t size)
{
    static char data[65536];
    return read(fd, data, size) == (ssize_t)size && guest_filled(data, size, seed);
}

static void verify_child(void)
{
    guest_check(get(shared[0], ++rounds + 40, 4096), "the parent's data are wrong");
}

static void fill(void)
{
    rounds++;
    put(full[1], rounds, 50000);
    put(packets[1], rounds + 10, 100 * 8);
    put(packets[1], rounds + 20, 8);
    put(shared[1], rounds + 40, 4096);
}

static void verify(void)
{
    int n = 0;
    char byte;
    ioctl(full[0], FIONREAD, &n);
    guest_check(n == 50000, "the pipe holds %d bytes", n);
    guest_check(get(full[0], rounds, 50000), "the content of the pipe changed");
    guest_check(read(full[0], &byte, 1) < 0 && errno == EAGAIN, "the empty pipe is not empty");
    guest_check(fcntl(full[0], F_GETPIPE_SZ) == 131072, "the size of the pipe is %d",
                fcntl(full[0], F_GETPIPE_SZ));
    guest_check(!(fcntl(full[1], F_GETFL) & O_NONBLOCK), "the writing end is not blocking");
    guest_check(fcntl(packets[1], F_GETFL) & O_DIRECT, "the pipe has no packets any more");
    static char packet[4096];
    guest_check(read(packets[0], packet, sizeof(packet)) == 800 &&
                    guest_filled(packet, 800, rounds + 10),
                "the first packet changed");
    guest_check(get(packets[0], rounds + 20, 8), "the second packet changed");
    guest_check(read(ended[0], &byte, 1) == 0, "a pipe without writer gives no end of file");
    guest_check(write(broken[1], "x", 1) < 0 && errno == EPIPE, "a pipe without reader takes data");
    guest_ask(&child);
    fill();
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    guest_need(pipe2(full, O_CLOEXEC) == 0 && pipe2(packets, O_DIRECT) == 0 && pipe(ended) == 0 &&
                   pipe(broken) == 0 && pipe(shared) == 0,
               "pipes");
    guest_need(fcntl(full[1], F_SETPIPE_SZ, 131072) == 131072, "the size of a pipe");
    fcntl(full[0], F_SETFL, O_NONBLOCK);
    close(ended[1]);
    close(broken[0]);
    child = guest_fork(verify_child);
    close(shared[0]);
    fill();
    guest_serve(verify);
}
