/* Pages of hugetlbfs: private, shared with a child, and some that are reserved only. */
#include <sys/mman.h>

#include "guest.h"

#define HUGE (2u << 20)

static char *private, *shared, *closed;
static struct guest_child child;
static uint64_t seed = 1;

static bool is_huge(const char *address)
{
    char line[512];
    bool inside = false, found = false;
    FILE *f = fopen("/proc/self/smaps", "re");
    while (f && fgets(line, sizeof(line), f)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (uintptr_t)address >= from && (uintptr_t)address < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, " ht ") != NULL;
    }
    if (f)
        fclose(f);
    return found;
}

static void verify_child(void)
{
    guest_check(is_huge(shared), "shared memory is not huge in the child");
    guest_check(guest_filled(shared, HUGE, seed), "the child sees other shared memory");
    seed++;
    guest_fill(shared + HUGE, HUGE, seed);
}

static void verify(void)
{
    guest_check(is_huge(private) && is_huge(shared) && is_huge(closed), "memory is not huge");
    guest_check(guest_filled(private, HUGE, 7), "private memory changed");
    guest_check(guest_filled(closed, HUGE, 8), "memory that may only be read changed");
    guest_check(guest_filled(shared, HUGE, seed), "shared memory changed");
    guest_ask(&child);
    seed++;
    guest_check(guest_filled(shared + HUGE, HUGE, seed), "the child's writes are not seen");
    guest_fill(shared, HUGE, seed);
}

static char *make(size_t pages, int how)
{
    char *p =
        mmap(NULL, pages * HUGE, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    guest_need(p != MAP_FAILED, "huge pages");
    return p;
}

int main(void)
{
    shared = make(2, MAP_SHARED);
    child = guest_fork(verify_child);
    private = make(2, MAP_PRIVATE);
    closed = make(1, MAP_PRIVATE);
    guest_fill(private, HUGE, 7);
    guest_fill(closed, HUGE, 8);
    guest_fill(shared, HUGE, seed);
    guest_need(mprotect(closed, HUGE, PROT_READ) == 0, "memory that may only be read");
    guest_serve(verify);
}
