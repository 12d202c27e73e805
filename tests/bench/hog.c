/* Memory for the benchmarks: hog MEGABYTES random|compressible MEGABYTES_PER_SECOND
 *
 * Fills that much, says "ready", and then writes to it at that rate, looking at the clock every 100
 * us. On SIGUSR1 it says "gap N", the longest time in us between two looks since the last answer;
 * on SIGUSR2 "sum N" over the memory it does not write to. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE 4096
#define TICK 100000 /* ns */

static volatile sig_atomic_t asked;

static void on_request(int signal)
{
    asked = signal;
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Compressible: a third is noise, the rest repeats itself, as in a heap of small objects. */
static void fill(uint64_t *page, int compressible, uint64_t *state)
{
    for (int i = 0; i < PAGE / 8; i++)
        page[i] = compressible && i % 3 ? (uint64_t)(i * 64) : next(state);
}

static uint64_t sum(const uint64_t *words, size_t count)
{
    uint64_t s = 0;
    for (size_t i = 0; i < count; i++)
        s = s * 31 + words[i];
    return s;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    size_t size = strtoul(argv[1], NULL, 10) << 20, half = size / 2;
    int compressible = argv[2][0] == 'c';
    double pages_a_ns = (double)strtoul(argv[3], NULL, 10) * 256 / 1e9, due = 0;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    uint64_t state = 88172645463325252;
    for (size_t i = 0; i < size; i += PAGE)
        fill((uint64_t *)(memory + i), compressible, &state);
    signal(SIGUSR1, on_request);
    signal(SIGUSR2, on_request);
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    int64_t last = now(), longest = 0;
    for (size_t at = half;;) {
        for (; due >= 1; due--, at = at + PAGE < size ? at + PAGE : half)
            *(uint64_t *)(memory + at) += 1;
        nanosleep(&(struct timespec){.tv_nsec = TICK}, NULL);
        int64_t time = now();
        longest = time - last > longest ? time - last : longest;
        due += (double)(time - last < 10 * TICK ? time - last : 10 * TICK) * pages_a_ns;
        last = time;
        if (!asked)
            continue;
        int request = asked;
        asked = 0;
        if (request == SIGUSR2)
            printf("sum %llu\n", (unsigned long long)sum((uint64_t *)memory, half / 8));
        else
            printf("gap %lld\n", (long long)longest / 1000);
        last = now();
        longest = 0;
    }
}
