/* Anonymous memory shared by parent, child and grandchild: one memory before and after. */
#include "guest.h"

#define SIZE (512 * PAGE)

struct shared {
    unsigned asked;
    unsigned sum;
    char unaligned[3 * PAGE];
};

static struct shared *shared;
static char *bulk, *readable;
static struct guest_child child;
static unsigned rounds;

static void verify_child(void)
{
    guest_check(shared->asked == ++rounds, "the parent wrote %u times, not %u", shared->asked,
                rounds);
    guest_check(guest_filled(bulk, SIZE, rounds), "the shared content is not the parent's");
    guest_check(guest_filled(readable, PAGE, 3), "the content of the read-only view changed");
    guest_fill(bulk, SIZE, 1000 + rounds);
    shared->sum += 5;
}

static void verify(void)
{
    unsigned before = shared->sum;
    guest_check(guest_filled(bulk, SIZE, rounds ? 1000 + rounds : 0), "the shared content changed");
    shared->asked = ++rounds;
    guest_fill(bulk, SIZE, rounds);
    guest_ask(&child);
    guest_check(shared->sum == before + 5, "what the child wrote is not seen");
    guest_check(guest_filled(bulk, SIZE, 1000 + rounds), "the child's content is not seen");
}

static void *share(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    guest_need(p != MAP_FAILED, "shared memory");
    return p;
}

int main(void)
{
    shared = share(sizeof(*shared));
    bulk = share(SIZE);
    readable = share(8 * PAGE);
    guest_fill(bulk, SIZE, 0);
    guest_fill(readable, PAGE, 3);
    child = guest_fork(verify_child);
    mprotect(readable, 8 * PAGE, PROT_READ);
    /* the parent sees it at another address, and a part only */
    void *elsewhere = share(sizeof(*shared));
    shared =
        mremap(shared, sizeof(*shared), sizeof(*shared), MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere);
    guest_need(shared != MAP_FAILED, "the move");
    munmap(readable + 4 * PAGE, 4 * PAGE);
    guest_serve(verify);
}
