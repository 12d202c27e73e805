/* Much of one thing: scale threads|processes|areas|files|holders|pipes|memory COUNT. */
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/resource.h>

#include "guest.h"

static unsigned count;
static void (*prepare)(void), (*verify_kind)(void);

/* What all threads and processes see: a question, and how many have answered that all is well. */
static struct shared {
    unsigned round, right, wrong;
} * shared;

static void wait_for_round(unsigned known)
{
    while (__atomic_load_n(&shared->round, __ATOMIC_SEQ_CST) == known)
        syscall(SYS_futex, &shared->round, FUTEX_WAIT, known, NULL, NULL, 0);
}

static void answer(bool right)
{
    __atomic_fetch_add(right ? &shared->right : &shared->wrong, 1, __ATOMIC_SEQ_CST);
}

/* Asks all, and waits until all have answered. */
static void ask_all(void)
{
    shared->right = shared->wrong = 0;
    __atomic_fetch_add(&shared->round, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &shared->round, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    for (int i = 0; i < 3000 && shared->right + shared->wrong < count; i++)
        guest_sleep(10 * MILLISECOND);
    guest_check(shared->right == count, "of %u there are %u right and %u wrong", count,
                shared->right, shared->wrong);
}

static void prepare_shared(void)
{
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    guest_need(shared != MAP_FAILED, "shared memory");
}

/* ---- threads ---- */

static __thread uint64_t own[8];

static void *thread(void *number)
{
    uint64_t seed = (uint64_t)(uintptr_t)number;
    pid_t tid = (pid_t)syscall(SYS_gettid);
    guest_fill(own, sizeof(own), seed);
    for (unsigned round = 0;; round++) {
        answer(guest_filled(own, sizeof(own), seed) && tid == (pid_t)syscall(SYS_gettid));
        wait_for_round(round);
    }
    return NULL;
}

static void prepare_threads(void)
{
    pthread_attr_t attributes;
    pthread_t t;
    prepare_shared();
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 * 1024);
    for (unsigned i = 0; i < count; i++)
        guest_need(pthread_create(&t, &attributes, thread, (void *)(uintptr_t)i) == 0, "a thread");
    while (shared->right < count)
        guest_sleep(MILLISECOND);
}

/* ---- processes ---- */

static void process(unsigned number)
{
    char memory[256];
    pid_t pid = getpid();
    guest_fill(memory, sizeof(memory), number);
    for (unsigned round = 0;; round++) {
        answer(guest_filled(memory, sizeof(memory), number) && getpid() == pid);
        wait_for_round(round);
    }
}

static void prepare_processes(void)
{
    prepare_shared();
    for (unsigned i = 0; i < count; i++) {
        pid_t pid = fork();
        guest_need(pid >= 0, "a process");
        if (pid == 0)
            process(i);
    }
    while (shared->right < count)
        guest_sleep(MILLISECOND);
}

/* ---- areas ---- */

static char *areas;

/* Pages that are writable and read-only in turns; every fourth has content. */
static void prepare_areas(void)
{
    areas = mmap(NULL, (size_t)count * PAGE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    guest_need(areas != MAP_FAILED, "memory");
    for (unsigned i = 0; i < count; i++) {
        char *page = areas + (size_t)i * PAGE;
        if (i % 4 < 2)
            guest_fill(page, PAGE, i);
        if (i % 2)
            guest_need(mprotect(page, PAGE, PROT_READ) == 0, "an area");
    }
}

static unsigned count_areas(void)
{
    char line[512];
    unsigned found = 0;
    FILE *f = fopen("/proc/self/maps", "re");
    while (f && fgets(line, sizeof(line), f)) {
        uint64_t start = strtoull(line, NULL, 16);
        found += start >= (uintptr_t)areas && start < (uintptr_t)areas + (uint64_t)count * PAGE;
    }
    if (f)
        fclose(f);
    return found;
}

static void verify_areas(void)
{
    static const char zeros[PAGE];
    for (unsigned i = 0; i < count; i++) {
        const char *page = areas + (size_t)i * PAGE;
        guest_check(i % 4 < 2 ? guest_filled(page, PAGE, i) : memcmp(page, zeros, PAGE) == 0,
                    "area %u changed", i);
    }
    guest_check(count_areas() == count, "of %u areas there are %u", count, count_areas());
}

/* ---- files ---- */

static int first;

static void prepare_files(void)
{
    char name[64];
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "/tmp/scale-%u", i / 8);
        int fd = open(name, O_RDWR | O_CREAT, 0600);
        guest_need(fd >= 0, "a file");
        first = i ? first : fd;
        guest_need(fd == first + (int)i && lseek(fd, i, SEEK_SET) == i, "a file");
    }
}

static void verify_files(void)
{
    for (unsigned i = 0; i < count; i++)
        guest_check(lseek(first + (int)i, 0, SEEK_CUR) == i, "file %u is not at its offset", i);
}

/* ---- files of several processes, for one alone may not have so many ---- */

#define FILES_OF_ONE 12500

static void hold_files(unsigned number)
{
    count = FILES_OF_ONE;
    prepare_files();
    for (unsigned round = 0;; round++) {
        bool right = true;
        for (unsigned i = 0; i < count; i++)
            right = right && lseek(first + (int)i, 0, SEEK_CUR) == i;
        answer(right);
        wait_for_round(round);
    }
}

static void prepare_holders(void)
{
    prepare_shared();
    count /= FILES_OF_ONE;
    for (unsigned i = 0; i < count; i++) {
        pid_t pid = fork();
        guest_need(pid >= 0, "a process");
        if (pid == 0)
            hold_files(i);
    }
    while (shared->right < count)
        guest_sleep(MILLISECOND);
}

/* ---- pipes ---- */

static void prepare_pipes(void)
{
    for (unsigned i = 0; i < count; i++) {
        int fds[2];
        guest_need(pipe2(fds, O_NONBLOCK) == 0, "a pipe");
        first = i ? first : fds[0];
        guest_need(fds[0] == first + 2 * (int)i && write(fds[1], &i, sizeof(i)) == sizeof(i),
                   "a pipe");
    }
}

static void verify_pipes(void)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned there = 0;
        guest_check(read(first + 2 * (int)i, &there, sizeof(there)) == sizeof(there) &&
                        write(first + 2 * (int)i + 1, &i, sizeof(i)) == sizeof(i) && there == i,
                    "pipe %u has %u in it", i, there);
    }
}

/* ---- memory, in MiB ---- */

#define MIB (1ull << 20)

static void prepare_memory(void)
{
    areas = mmap(NULL, count * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guest_need(areas != MAP_FAILED, "memory");
    for (unsigned i = 0; i < count; i++)
        guest_fill(areas + i * MIB, MIB, i);
}

static void verify_memory(void)
{
    for (unsigned i = 0; i < count; i++)
        guest_check(guest_filled(areas + i * MIB, MIB, i), "MiB %u changed", i);
}

static const struct {
    const char *name;
    void (*prepare)(void), (*verify)(void);
} kinds[] = {
    {"threads", prepare_threads, ask_all},     {"processes", prepare_processes, ask_all},
    {"areas", prepare_areas, verify_areas},    {"files", prepare_files, verify_files},
    {"holders", prepare_holders, ask_all},     {"pipes", prepare_pipes, verify_pipes},
    {"memory", prepare_memory, verify_memory},
};

static void verify(void)
{
    verify_kind();
}

int main(int argc, char **argv)
{
    count = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    for (size_t i = 0; argc > 1 && i < COUNT_OF(kinds); i++)
        if (strcmp(argv[1], kinds[i].name) == 0)
            prepare = kinds[i].prepare, verify_kind = kinds[i].verify;
    guest_need(prepare && count, "anything: scale KIND COUNT");
    prepare();
    guest_serve(verify);
}
