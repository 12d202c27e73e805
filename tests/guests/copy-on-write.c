/* Memory that relatives still share copy-on-write: right for each, and writes stay private. */
#include "guest.h"

#define PAGES    2000
#define CHILDREN 3

static char *memory;
static struct guest_child children[CHILDREN];
static int mine = -1; /* which child this is; -1: the parent */
static uint64_t own_seed;

/* Page n is the common one, unless n % 10 says it is this process's own. */
static void verify_own(void)
{
    for (int i = 0; i < PAGES; i++) {
        uint64_t seed = i % 10 == mine + 1 ? own_seed : 7;
        if (!guest_filled(memory + i * PAGE, PAGE, seed + (uint64_t)i)) {
            guest_fail("page %d changed", i);
            break;
        }
    }
    own_seed += 1000000;
    for (int i = mine + 1; i < PAGES; i += 10)
        guest_fill(memory + i * PAGE, PAGE, own_seed + (uint64_t)i);
}

static void verify(void)
{
    verify_own();
    for (int i = 0; i < CHILDREN; i++)
        guest_ask(&children[i]);
}

int main(void)
{
    memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guest_need(memory != MAP_FAILED, "memory");
    for (int i = 0; i < PAGES; i++)
        guest_fill(memory + i * PAGE, PAGE, 7 + (uint64_t)i);
    own_seed = 7;
    for (int i = 0; i < CHILDREN; i++) {
        mine = i;
        children[i] = guest_fork(verify_own);
    }
    mine = -1;
    guest_serve(verify);
}
