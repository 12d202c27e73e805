/* Contexts of io_setup(2): idle, and with events that nobody has fetched. */
#include <linux/aio_abi.h>

#include "guest.h"

#define EVENTS 5

static aio_context_t idle, full;
static int fd;
static char buffer[EVENTS][64];
static uint64_t round_number;

static bool submit(aio_context_t context, uint64_t data, unsigned i)
{
    struct iocb request = {.aio_data = data,
                           .aio_lio_opcode = IOCB_CMD_PREAD,
                           .aio_fildes = (uint32_t)fd,
                           .aio_buf = (uintptr_t)buffer[i],
                           .aio_nbytes = i + 1,
                           .aio_offset = i};
    struct iocb *list = &request;
    return syscall(SYS_io_submit, context, 1, &list) == 1;
}

static int fetch(aio_context_t context, struct io_event *events, int max)
{
    struct timespec now = {0};
    return (int)syscall(SYS_io_getevents, context, 0, max, events, &now);
}

static void fill(void)
{
    round_number++;
    for (unsigned i = 0; i < EVENTS; i++)
        guest_check(submit(full, round_number * 100 + i, i), "cannot submit");
}

static void verify(void)
{
    struct io_event events[2 * EVENTS];
    int n = fetch(full, events, 2 * EVENTS);
    guest_check(n == EVENTS, "%d events wait", n);
    for (int i = 0; i < n; i++)
        guest_check(events[i].data == round_number * 100 + (unsigned)i && events[i].res == i + 1,
                    "event %d is %d of %d", i, (int)events[i].data, (int)events[i].res);
    guest_check(fetch(idle, events, 1) == 0, "an event in an idle ring");
    guest_check(submit(idle, 7, 0) && fetch(idle, events, 2) == 1 && events[0].data == 7,
                "an idle ring does not work");
    fill();
}

int main(void)
{
    fd = open("/etc/passwd", O_RDONLY);
    guest_need(fd >= 0, "a file");
    guest_need(syscall(SYS_io_setup, 32, &idle) == 0 && syscall(SYS_io_setup, 300, &full) == 0,
               "asynchronous I/O");
    fill();
    guest_serve(verify);
}
