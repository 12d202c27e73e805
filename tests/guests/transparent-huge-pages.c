/* Memory in huge pages stays in huge pages: by MADV_HUGEPAGE, and by MADV_COLLAPSE. And what
 * PR_SET_THP_DISABLE forbids stays forbidden. */
#include <sys/prctl.h>

#include "guest.h"

#define HUGE     (2ul << 20)
#define SIZE     (8 * HUGE)
#define COLLAPSE 25

static char *wanted, *collapsed;
static size_t wanted_before, collapsed_before;
static struct guest_child child;

/* In bytes, of the area that begins at `at`. */
static size_t huge(const char *at)
{
    char line[512];
    bool inside = false;
    size_t size = 0;
    FILE *f = fopen("/proc/self/smaps", "re");
    while (f && fgets(line, sizeof(line), f)) {
        unsigned long from, to, kib;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = from < (uintptr_t)at + SIZE && to > (uintptr_t)at;
        else if (inside && sscanf(line, "AnonHugePages: %lu kB", &kib) == 1)
            size += kib * 1024;
    }
    if (f)
        fclose(f);
    return size;
}

static void verify_child(void)
{
    guest_check(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1, "PR_SET_THP_DISABLE is forgotten");
}

static void verify(void)
{
    guest_check(guest_filled(wanted, SIZE, 1) && guest_filled(collapsed, SIZE, 2), "the content");
    guest_check(huge(wanted) >= wanted_before / 2, "of %zu huge bytes there are %zu", wanted_before,
                huge(wanted));
    guest_check(huge(collapsed) >= collapsed_before / 2, "of %zu collapsed bytes there are %zu",
                collapsed_before, huge(collapsed));
    guest_ask(&child);
}

static char *make(void)
{
    char *p = mmap(NULL, SIZE + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guest_need(p != MAP_FAILED, "memory");
    return (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
}

int main(void)
{
    guest_need(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0, "PR_SET_THP_DISABLE");
    child = guest_fork(verify_child);
    guest_need(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) == 0, "PR_SET_THP_DISABLE");
    wanted = make();
    guest_need(madvise(wanted, SIZE, MADV_HUGEPAGE) == 0, "MADV_HUGEPAGE");
    guest_fill(wanted, SIZE, 1);
    collapsed = make();
    guest_fill(collapsed, SIZE, 2);
    guest_need(madvise(collapsed, SIZE, COLLAPSE) == 0, "MADV_COLLAPSE");
    wanted_before = huge(wanted);
    collapsed_before = huge(collapsed);
    guest_need(wanted_before && collapsed_before, "huge pages");
    guest_serve(verify);
}
