/* The heap grown by brk: its content, its end, and that it can still grow and shrink. */
#include "guest.h"

#define SIZE (300 * PAGE + 123)

static char *start, *end;
static unsigned grown;

static void verify(void)
{
    guest_check(sbrk(0) == end, "the break is %p, not %p", sbrk(0), (void *)end);
    guest_check(guest_filled(start, SIZE & ~7ul, 1), "the content of the heap changed");
    char *more = sbrk(2 * PAGE);
    guest_check(more == end, "the heap grows at %p, not %p", (void *)more, (void *)end);
    for (int i = 0; more == end && i < 2 * PAGE; i++)
        if (more[i])
            guest_fail("new heap memory is not zero");
    memset(more, 'x', 2 * PAGE);
    memset(more, 0, PAGE); /* what shares the last page is not the kernel's to clear */
    if (++grown % 2)
        guest_check(sbrk(-2 * PAGE) != (void *)-1, "the heap does not shrink");
    end = sbrk(0);
}

int main(void)
{
    start = sbrk(0);
    start += -(uintptr_t)start & 7;
    guest_need(brk(start + SIZE) == 0, "the heap");
    end = sbrk(0);
    guest_fill(start, SIZE & ~7ul, 1);
    guest_serve(verify);
}
