/* Address space without memory: reservations larger than the machine, sparse giants, and stacks
 * that grow (MAP_GROWSDOWN) down to a gap before their neighbour. */
#include <setjmp.h>

#include "guest.h"

#define GIB (1ull << 30)

static char *none, *sparse, *stack, *stack_end;
static size_t grown = 1;
static sigjmp_buf back;

static void on_fault(int signal)
{
    siglongjmp(back, 1);
}

static bool faults(volatile char *at)
{
    if (sigsetjmp(back, 1))
        return true;
    *at = 1;
    return false;
}

static size_t resident(void)
{
    unsigned long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%lu %lu", &size, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages;
}

static void verify_sparse(void)
{
    for (uint64_t i = 0; i < 1024; i += 128)
        guest_check(guest_filled(sparse + i * GIB, PAGE, i), "GiB %d changed", (int)i);
    guest_check(resident() < 4096, "%zu pages are in memory", resident());
}

static void verify_stack(void)
{
    guest_check(guest_filled(stack_end - grown * PAGE, grown * PAGE, 5), "the stack changed");
    grown += 8;
    guest_check(!faults(stack_end - grown * PAGE), "the stack does not grow");
    guest_fill(stack_end - grown * PAGE, grown * PAGE, 5);
    guest_check(faults(stack), "the stack grows into its gap");
}

static void verify(void)
{
    verify_sparse();
    verify_stack();
    guest_check(faults(none) && faults(none + 999 * GIB), "a reservation can be written to");
    char *some = mmap(none + GIB, PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    guest_check(some == none + GIB && !faults(some), "the reservation cannot be used");
    guest_check(mmap(some, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == some,
                "the reservation cannot be given back");
}

/* 4 MiB of room, the stack at the end of it, and a neighbour below. */
static void make_stack(void)
{
    size_t room = 4u << 20;
    char *at = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guest_need(at != MAP_FAILED && munmap(at + PAGE, room - PAGE) == 0, "room for a stack");
    guest_need(mprotect(at, PAGE, PROT_READ) == 0, "a neighbour");
    stack = at + 2 * PAGE; /* in the gap before the neighbour, 256 pages */
    stack_end = at + room;
    guest_need(mmap(stack_end - PAGE, PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1,
                    0) == stack_end - PAGE,
               "a stack");
    guest_fill(stack_end - PAGE, PAGE, 5);
}

int main(void)
{
    /* Faults are handled elsewhere than on the stack that is to grow: on the usual one. */
    signal(SIGSEGV, on_fault);
    none = mmap(NULL, 1024 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sparse = mmap(NULL, 1024 * GIB, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    guest_need(none != MAP_FAILED && sparse != MAP_FAILED, "a TiB");
    for (uint64_t i = 0; i < 1024; i += 128)
        guest_fill(sparse + i * GIB, PAGE, i);
    make_stack();
    guest_serve(verify);
}
