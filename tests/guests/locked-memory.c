/* mlock(2) and mlockall(2): of what is there, of what is touched, and of what is to come. */
#include "guest.h"

#define SIZE (64 * PAGE)

static char *whole, *touched;
static struct guest_child future, on_fault;

static bool has_flags(const char *address, const char *flags)
{
    char line[512];
    bool inside = false, found = false;
    FILE *f = fopen("/proc/self/smaps", "re");
    while (f && fgets(line, sizeof(line), f)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (uintptr_t)address >= from && (uintptr_t)address < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, flags) != NULL;
    }
    if (f)
        fclose(f);
    return found;
}

static bool is_present(char *address)
{
    unsigned char there = 0;
    return mincore(address, PAGE, &there) == 0 && there & 1;
}

static char *make(void)
{
    char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guest_need(p != MAP_FAILED, "memory");
    return p;
}

/* A mapping from now is locked; another process of the same program has none such. */
static void verify_future(void)
{
    static bool said;
    guest_check(said || mlockall(MCL_FUTURE) == 0, "mlockall");
    said = true;
    char *p = make();
    guest_check(has_flags(p, " lo ") && is_present(p + SIZE - PAGE), "it is not locked");
    munmap(p, SIZE);
}

static void verify_on_fault(void)
{
    static bool said;
    guest_check(said || mlockall(MCL_FUTURE | MCL_ONFAULT) == 0, "mlockall");
    said = true;
    char *p = make();
    guest_check(has_flags(p, " lo ") && has_flags(p, " lf ") && !is_present(p),
                "it is not locked on fault");
    munmap(p, SIZE);
}

static void verify(void)
{
    guest_check(has_flags(whole, " lo ") && !has_flags(whole, " lf "), "mlock is forgotten");
    guest_check(is_present(whole + SIZE - PAGE), "what is locked is not there");
    guest_check(has_flags(touched, " lo ") && has_flags(touched, " lf "), "MLOCK_ONFAULT");
    guest_check(!is_present(touched + PAGE), "MLOCK_ONFAULT has populated");
    guest_check(guest_filled(touched, PAGE, 1) && guest_filled(whole, PAGE, 2), "the content");
    char *p = make();
    guest_check(!has_flags(p, " lo "), "what comes is locked");
    munmap(p, SIZE);
    guest_ask(&future);
    guest_ask(&on_fault);
}

int main(void)
{
    whole = make();
    touched = make();
    guest_fill(touched, PAGE, 1);
    guest_fill(whole, PAGE, 2);
    future = guest_fork(verify_future);
    on_fault = guest_fork(verify_on_fault);
    guest_need(mlock(whole, SIZE) == 0, "locked memory");
    guest_need(mlock2(touched, SIZE, MLOCK_ONFAULT) == 0, "memory locked on fault");
    guest_serve(verify);
}
