/* eventfd(2): counters small and large, semaphores, flags, and one shared with a child. */
#include <poll.h>
#include <sys/eventfd.h>

#include "guest.h"

#define LARGE 0x123456789abcdefull

static int empty, large, semaphore, empty_semaphore, shared;
static struct guest_child child;

static uint64_t take(int fd)
{
    uint64_t v = 0;
    return read(fd, &v, sizeof(v)) == sizeof(v) ? v : 0;
}

static void give(int fd, uint64_t v)
{
    if (write(fd, &v, sizeof(v)) != sizeof(v))
        guest_fail("an eventfd takes nothing: %s", strerror(errno));
}

static void verify_child(void)
{
    guest_check(take(shared) == 77, "the child reads another counter");
    give(shared, 78);
}

static void verify(void)
{
    struct pollfd p = {.fd = empty, .events = POLLIN | POLLOUT};
    guest_check(poll(&p, 1, 0) == 1 && p.revents == POLLOUT, "the empty eventfd is ready");
    guest_check(take(empty) == 0 && errno == EAGAIN, "the empty eventfd is not empty");
    guest_check(take(large) == LARGE, "the large counter changed");
    give(large, LARGE);
    for (int i = 0; i < 3; i++)
        guest_check(take(semaphore) == 1, "the semaphore is none any more");
    guest_check(take(semaphore) == 0 && errno == EAGAIN, "the semaphore has more than it had");
    give(semaphore, 3);
    give(empty_semaphore, 2);
    guest_check(take(empty_semaphore) == 1 && take(empty_semaphore) == 1,
                "the empty semaphore is none any more");
    guest_check(!(fcntl(large, F_GETFL) & O_NONBLOCK), "a blocking eventfd does not block now");
    guest_check(fcntl(semaphore, F_GETFD) == FD_CLOEXEC && fcntl(large, F_GETFD) == 0,
                "the close-on-exec flags changed");
    give(shared, 77);
    guest_ask(&child);
    guest_check(take(shared) == 78, "the child's answer does not come");
}

int main(void)
{
    empty = eventfd(0, EFD_NONBLOCK);
    large = eventfd(0, 0);
    semaphore = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
    empty_semaphore = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK);
    shared = eventfd(0, EFD_NONBLOCK);
    guest_need(empty >= 0 && large >= 0 && semaphore >= 0 && empty_semaphore >= 0 && shared >= 0,
               "eventfds");
    give(large, LARGE);
    child = guest_fork(verify_child);
    guest_serve(verify);
}
