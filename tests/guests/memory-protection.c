/* Memory that its owner has closed: guard pages, sealed areas, no executable memory ever again. */
#include <setjmp.h>
#include <sys/prctl.h>

#include "guest.h"

#define GUARD_INSTALL 102
#define GUARD_REMOVE  103
#define MSEAL         462
#define SET_MDWE      65
#define GET_MDWE      66

static char *guarded, *sealed;
static struct guest_child child;
static sigjmp_buf back;

static void on_fault(int signal)
{
    siglongjmp(back, 1);
}

static bool faults(volatile char *at)
{
    if (sigsetjmp(back, 1))
        return true;
    *at = *at;
    return false;
}

static void verify_child(void)
{
    static bool closed;
    guest_check(closed || prctl(SET_MDWE, 1, 0, 0, 0) == 0, "PR_SET_MDWE");
    closed = true;
    guest_check(prctl(GET_MDWE, 0, 0, 0, 0) == 1, "MDWE is gone");
    guest_check(mmap(NULL, PAGE, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                    MAP_FAILED,
                "writable and executable memory");
}

static void verify(void)
{
    guest_check(faults(guarded) && faults(guarded + 4 * PAGE) && faults(guarded + 5 * PAGE),
                "a guard page lets through");
    guest_check(guest_filled(guarded + PAGE, 3 * PAGE, 1) &&
                    guest_filled(guarded + 6 * PAGE, 2 * PAGE, 2),
                "what is between the guards");
    guest_check(madvise(guarded + 5 * PAGE, PAGE, GUARD_REMOVE) == 0 &&
                    !faults(guarded + 5 * PAGE) &&
                    madvise(guarded + 5 * PAGE, PAGE, GUARD_INSTALL) == 0,
                "a guard cannot be removed");
    guest_check(guest_filled(sealed, 2 * PAGE, 3), "the sealed content");
    guest_check(munmap(sealed, PAGE) < 0 && errno == EPERM, "the seal is gone");
    guest_check(mprotect(sealed, PAGE, PROT_READ) < 0 && errno == EPERM, "the seal is gone");
    guest_ask(&child);
}

static char *make(size_t pages, uint64_t seed)
{
    char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guest_need(p != MAP_FAILED, "memory");
    guest_fill(p, pages * PAGE, seed);
    return p;
}

int main(void)
{
    signal(SIGSEGV, on_fault);
    guarded = make(8, 1);
    guest_fill(guarded + PAGE, 3 * PAGE, 1);
    guest_fill(guarded + 6 * PAGE, 2 * PAGE, 2);
    guest_need(madvise(guarded, PAGE, GUARD_INSTALL) == 0 &&
                   madvise(guarded + 4 * PAGE, 2 * PAGE, GUARD_INSTALL) == 0,
               "guard pages");
    sealed = make(2, 3);
    child = guest_fork(verify_child);
    guest_need(syscall(MSEAL, sealed, 2 * PAGE, 0) == 0, "a seal");
    guest_serve(verify);
}
