/* What madvise and mlock said about memory: the flags of /proc/self/smaps, and huge pages. */
#include "guest.h"

#define SIZE (4u << 20)

static struct area {
    const char *name;
    int advice;
    const char *flag; /* of VmFlags */
    char *at;
} areas[] = {
    {"MADV_DONTFORK", MADV_DONTFORK, "dc", NULL},     {"MADV_DONTDUMP", MADV_DONTDUMP, "dd", NULL},
    {"MADV_WIPEONFORK", MADV_WIPEONFORK, "wf", NULL}, {"MADV_HUGEPAGE", MADV_HUGEPAGE, "hg", NULL},
    {"MADV_NOHUGEPAGE", MADV_NOHUGEPAGE, "nh", NULL}, {"MADV_RANDOM", MADV_RANDOM, "rr", NULL},
    {"MADV_SEQUENTIAL", MADV_SEQUENTIAL, "sr", NULL}, {"mlock", -1, "lo", NULL},
};

static bool has_flag(const char *address, const char *flag)
{
    char line[512], want[8];
    bool inside = false, found = false;
    snprintf(want, sizeof(want), " %s ", flag);
    FILE *f = fopen("/proc/self/smaps", "re");
    while (f && fgets(line, sizeof(line), f)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (uintptr_t)address >= from && (uintptr_t)address < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, want) != NULL;
    }
    if (f)
        fclose(f);
    return found;
}

static void verify(void)
{
    for (size_t i = 0; i < COUNT_OF(areas); i++) {
        guest_check(has_flag(areas[i].at, areas[i].flag), "%s is forgotten", areas[i].name);
        guest_check(guest_filled(areas[i].at, PAGE * 4, i), "the content after %s changed",
                    areas[i].name);
    }
}

int main(void)
{
    for (size_t i = 0; i < COUNT_OF(areas); i++) {
        areas[i].at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        guest_need(areas[i].at != MAP_FAILED, "memory");
        int r = areas[i].advice < 0 ? mlock(areas[i].at, 4 * PAGE)
                                    : madvise(areas[i].at, SIZE, areas[i].advice);
        guest_need(r == 0, areas[i].name);
        guest_fill(areas[i].at, PAGE * 4, i);
    }
    guest_serve(verify);
}
