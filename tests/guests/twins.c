/* Memory that is written to all the time while a checkpoint is made of it: what is restored must be
 * what it was at one moment. A wave of numbers goes over the pages, so at every moment those before
 * it have the new number and those behind it the old one; a tear would show. And no child may be
 * left that was not there before. */
#include "guest.h"

#define PAGES    3000
#define CHILDREN 2

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static volatile uint64_t *memory;
static char *alone; /* what a fork would leave out, and what it would wipe */
static struct guest_child children[CHILDREN];
static uint64_t generation = 1;
static volatile uint64_t at;

static uint64_t *page(uint64_t n)
{
    return (uint64_t *)(memory + n * PAGE / sizeof(*memory));
}

static void check_wave(void)
{
    for (uint64_t i = 0; i < PAGES; i++) {
        uint64_t want = i < at ? generation : generation - 1;
        if (*page(i) == want || (i == at && *page(i) == generation))
            continue;
        guest_fail("page %llu is of generation %llu, the wave is at page %llu of %llu",
                   (unsigned long long)i, (unsigned long long)*page(i), (unsigned long long)at,
                   (unsigned long long)generation);
        return;
    }
}

/* Until somebody asks. */
static void roll(void)
{
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    do {
        for (int step = 0; step < 100; step++) {
            *page(at) = generation;
            at = at + 1;
            if (at == PAGES) {
                generation++;
                at = 0;
            }
        }
        sigpending(&pending);
    } while (!sigismember(&pending, SIGUSR1));
}

static void make_memory(void)
{
    memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guest_need(memory != MAP_FAILED, "memory");
    for (uint64_t i = 0; i < PAGES; i++)
        *page(i) = 0;
}

static void make_unforked(void)
{
    alone = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guest_need(alone != MAP_FAILED, "memory");
    guest_fill(alone, 4 * PAGE, 99);
    guest_fill(alone + 4 * PAGE, 4 * PAGE, 77);
    guest_need(madvise(alone, 4 * PAGE, MADV_DONTFORK) == 0, "MADV_DONTFORK");
    guest_need(madvise(alone + 4 * PAGE, 4 * PAGE, MADV_WIPEONFORK) == 0, "MADV_WIPEONFORK");
}

static void verify_child(void)
{
    check_wave();
    guest_check(wait4(-1, NULL, __WALL | WNOHANG, NULL) < 0 && errno == ECHILD,
                "a child has a child");
}

static void verify(void)
{
    check_wave();
    guest_check(guest_filled(alone, 4 * PAGE, 99), "memory that no fork has is lost");
    guest_check(guest_filled(alone + 4 * PAGE, 4 * PAGE, 77), "memory that a fork wipes is lost");
    guest_check(wait4(-1, NULL, __WALL | WNOHANG, NULL) == 0, "a child has ended");
    for (int i = 0; i < CHILDREN; i++)
        guest_ask(&children[i]);
}

int main(void)
{
    for (int i = 0; i < CHILDREN; i++) {
        make_memory();
        children[i] = guest_fork(verify_child);
    }
    make_memory();
    make_unforked();
    guest_say("ready\n");
    for (int n = 1;; n++) {
        roll();
        guest_wait_request();
        verify();
        if (guest_reasons)
            guest_say("FAIL %d: %s\n", n, guest_reason);
        else
            guest_say("ok %d\n", n);
        guest_reasons = 0;
    }
}
