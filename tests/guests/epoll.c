/* epoll(7): levels, edges, one-shots armed and fired, nested instances, shared ones, and files that
 * were added under a number that is closed or another file's by now. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "guest.h"

enum { LEVEL, EDGE, ARMED, FIRED, FIRED_PIPE, CLOSED, REUSED, INNER, REMOTE, MANY = 20 };
#define HOW_MANY 700
#define WORD(n)  (0xabcdef0000000000ull + (n))

static int outer, inner;
static int level, edge, armed, fired, deep, survivor, other, remote;
static int quiet[2];
static struct guest_child child;

static void watch(int epoll, int fd, uint32_t events, uint64_t n)
{
    struct epoll_event e = {.events = events, .data.u64 = WORD(n)};
    guest_need(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0, "a watched file");
}

static void give(int fd)
{
    uint64_t one = 1;
    if (write(fd, &one, sizeof(one)) != sizeof(one))
        guest_fail("an eventfd takes nothing");
}

static void take(int fd)
{
    uint64_t n;
    if (read(fd, &n, sizeof(n)) != sizeof(n))
        guest_fail("an eventfd gives nothing");
}

/* The bits of all that is reported now. */
static uint32_t reported(int epoll)
{
    struct epoll_event all[64];
    uint32_t found = 0;
    int count = epoll_wait(epoll, all, COUNT_OF(all), 0);
    for (int i = 0; i < count; i++) {
        uint64_t n = all[i].data.u64 - WORD(0);
        guest_check(n < 32, "the data word %llx is wrong", (unsigned long long)all[i].data.u64);
        found |= n < 32 ? 1u << n : 0;
    }
    return found;
}

static void expect(int epoll, uint32_t bits, const char *when)
{
    uint32_t found = reported(epoll);
    guest_check(found == bits, "%s: reported are %#x, not %#x", when, found, bits);
}

static void verify_child(void)
{
    give(remote);
    expect(outer, 1u << REMOTE, "in the child");
    take(remote);
}

static void verify(void)
{
    expect(outer, 0, "at first");
    give(level), give(edge), give(armed), give(survivor), give(other);
    expect(outer, 1u << LEVEL | 1u << EDGE | 1u << ARMED | 1u << CLOSED | 1u << REUSED,
           "after writing");
    expect(outer, 1u << LEVEL | 1u << CLOSED | 1u << REUSED, "after reporting");
    take(level), take(edge), take(armed), take(survivor), take(other);
    expect(outer, 0, "after reading");
    give(deep);
    expect(outer, 1u << INNER, "the nested one");
    expect(inner, 1u << MANY, "inside the nested one");
    take(deep);
    struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = WORD(ARMED)};
    guest_check(epoll_ctl(outer, EPOLL_CTL_MOD, armed, &e) == 0, "a fired one-shot is gone");
    e = (struct epoll_event){.events = EPOLLOUT | EPOLLONESHOT, .data.u64 = WORD(FIRED)};
    guest_check(epoll_ctl(outer, EPOLL_CTL_MOD, fired, &e) == 0, "a fired one-shot is gone");
    expect(outer, 1u << FIRED, "armed again");
    e = (struct epoll_event){.events = EPOLLIN, .data.u64 = WORD(0)};
    guest_check(epoll_ctl(outer, EPOLL_CTL_ADD, level, &e) < 0 && errno == EEXIST,
                "a file can be added twice");
    guest_check(fcntl(200, F_GETFD) < 0 && fcntl(201, F_GETFD) == FD_CLOEXEC,
                "descriptors are left behind");
    guest_ask(&child);
}

/* Numbers: 200 is closed again, 201 is now another file's, 202 is only the child's. */
static void watch_odd_ones(void)
{
    guest_need(dup2(survivor, 200) == 200 && dup2(other, 201) == 201 && dup2(remote, 202) == 202,
               "numbers");
    watch(outer, 200, EPOLLIN, CLOSED);
    watch(outer, 201, EPOLLIN, REUSED);
    watch(outer, 202, EPOLLIN, REMOTE);
    close(200);
    dup3(quiet[1], 201, O_CLOEXEC);
}

static void watch_many(void)
{
    for (int i = 0; i < HOW_MANY; i++)
        watch(inner, eventfd(0, EFD_NONBLOCK), EPOLLIN, 100 + (uint64_t)i);
}

int main(void)
{
    outer = epoll_create1(0), inner = epoll_create1(EPOLL_CLOEXEC);
    level = eventfd(0, EFD_NONBLOCK), edge = eventfd(0, EFD_NONBLOCK);
    armed = eventfd(0, EFD_NONBLOCK), fired = eventfd(0, EFD_NONBLOCK);
    deep = eventfd(0, EFD_NONBLOCK), survivor = eventfd(0, EFD_NONBLOCK);
    other = eventfd(0, EFD_NONBLOCK), remote = eventfd(0, EFD_NONBLOCK);
    guest_need(outer >= 0 && inner >= 0 && remote >= 0 && pipe(quiet) == 0, "descriptors");
    watch(outer, level, EPOLLIN, LEVEL);
    watch(outer, edge, EPOLLIN | EPOLLET, EDGE);
    watch(outer, fired, EPOLLOUT | EPOLLONESHOT, FIRED);
    expect(outer, 1u << FIRED, "at the start");
    watch(outer, quiet[0], EPOLLIN | EPOLLONESHOT, FIRED_PIPE);
    watch(outer, armed, EPOLLIN | EPOLLONESHOT, ARMED);
    watch(outer, inner, EPOLLIN, INNER);
    watch(inner, deep, EPOLLIN | EPOLLET, MANY);
    watch_many();
    watch_odd_ones();
    child = guest_fork(verify_child);
    close(remote);
    close(202);
    guest_serve(verify);
}
