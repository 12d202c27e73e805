/* Private memory of every protection: content, holes and protections stay exactly. */
#include "guest.h"

#define BIG (32u << 20)

static struct area {
    const char *name;
    int protection;
    size_t size;
    size_t step; /* every step-th page is filled */
    char *at;
} areas[] = {
    {"writable", PROT_READ | PROT_WRITE, 64 * PAGE, 1, NULL},
    {"sparse", PROT_READ | PROT_WRITE, 1000 * PAGE, 7, NULL},
    {"read-only", PROT_READ, 20 * PAGE, 2, NULL},
    {"inaccessible", PROT_NONE, 20 * PAGE, 1, NULL},
    {"executable", PROT_READ | PROT_EXEC, 3 * PAGE, 1, NULL},
    {"writable and executable", PROT_READ | PROT_WRITE | PROT_EXEC, 3 * PAGE, 1, NULL},
    {"large", PROT_READ | PROT_WRITE, BIG, 1, NULL},
    {"untouched", PROT_READ | PROT_WRITE, 256 * PAGE, 1 << 30, NULL},
};

static char *checkered; /* a mapping whose pages have different protections */
static unsigned rounds;

static int protection_of(const void *address)
{
    char line[512];
    int found = -1;
    FILE *f = fopen("/proc/self/maps", "re");
    while (f && fgets(line, sizeof(line), f)) {
        unsigned long from, to;
        char p[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, p) == 3 && (uintptr_t)address >= from &&
            (uintptr_t)address < to)
            found = (p[0] == 'r' ? PROT_READ : 0) | (p[1] == 'w' ? PROT_WRITE : 0) |
                    (p[2] == 'x' ? PROT_EXEC : 0);
    }
    if (f)
        fclose(f);
    return found;
}

static bool is_zero(const char *page)
{
    return page[0] == 0 && memcmp(page, page + 1, PAGE - 1) == 0;
}

static void verify_area(struct area *a, uint64_t seed)
{
    guest_check(protection_of(a->at) == a->protection, "the %s area has protection %d", a->name,
                protection_of(a->at));
    if (!(a->protection & PROT_READ))
        mprotect(a->at, a->size, PROT_READ);
    for (size_t i = 0; i < a->size / PAGE; i++) {
        const char *page = a->at + i * PAGE;
        bool right = i % a->step == 0 && a->step < 1 << 30 ? guest_filled(page, PAGE, seed + i)
                                                           : is_zero(page);
        if (!right) {
            guest_fail("page %zu of the %s area changed", i, a->name);
            break;
        }
    }
    mprotect(a->at, a->size, a->protection);
}

static void fill_area(struct area *a, uint64_t seed)
{
    mprotect(a->at, a->size, PROT_READ | PROT_WRITE);
    for (size_t i = 0; a->step < 1 << 30 && i < a->size / PAGE; i += a->step)
        guest_fill(a->at + i * PAGE, PAGE, seed + i);
    mprotect(a->at, a->size, a->protection);
}

static void verify(void)
{
    for (size_t i = 0; i < COUNT_OF(areas); i++) {
        verify_area(&areas[i], i * 1000000 + rounds);
        fill_area(&areas[i], i * 1000000 + rounds + 1);
    }
    rounds++;
    for (int i = 0; i < 30; i++) {
        int should = i % 3 == 0 ? PROT_NONE : i % 3 == 1 ? PROT_READ : PROT_READ | PROT_WRITE;
        guest_check(protection_of(checkered + i * PAGE) == should,
                    "page %d of the checkered area has the wrong protection", i);
    }
}

static void *anonymous(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guest_need(p != MAP_FAILED, "memory");
    return p;
}

int main(void)
{
    for (size_t i = 0; i < COUNT_OF(areas); i++) {
        areas[i].at = anonymous(areas[i].size);
        /* a gap, so that areas do not merge */
        guest_need(mmap(NULL, PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED,
                   "a gap");
        fill_area(&areas[i], i * 1000000);
    }
    checkered = anonymous(30 * PAGE);
    guest_fill(checkered, 30 * PAGE, 5);
    for (int i = 0; i < 30; i += 3) {
        mprotect(checkered + i * PAGE, PAGE, PROT_NONE);
        mprotect(checkered + (i + 1) * PAGE, PAGE, PROT_READ);
    }
    guest_serve(verify);
}
