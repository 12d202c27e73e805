/* Runs a command so many times and prints the median of the wall times in microseconds:
 *
 *     stopwatch TIMES COMMAND [ARGUMENT...]
 *
 * The command's output goes to /dev/null; a run that fails ends the measurement. `{}` in an
 * argument becomes the number of the run. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* The arguments with {} replaced; freed never, the program is short. */
static char **numbered(char **argv, int run)
{
    int n = 0;
    while (argv[n])
        n++;
    char **copy = calloc((size_t)n + 1, sizeof(char *));
    for (int i = 0; copy && i < n; i++) {
        char *mark = strstr(argv[i], "{}");
        copy[i] = argv[i];
        if (mark &&
            asprintf(&copy[i], "%.*s%d%s", (int)(mark - argv[i]), argv[i], run, mark + 2) < 0)
            exit(1);
    }
    return copy;
}

static int64_t run_once(char **argv, int run)
{
    char **args = numbered(argv, run);
    int64_t begin = now_us();
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        execvp(args[0], args);
        _exit(127);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        fprintf(stderr, "stopwatch: %s failed (status %x)\n", argv[0], status);
        exit(1);
    }
    return now_us() - begin;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int times = argc > 2 ? atoi(argv[1]) : 0;
    if (times <= 0 || times > 10000) {
        fprintf(stderr, "usage: stopwatch TIMES COMMAND [ARGUMENT...]\n");
        return 2;
    }
    int64_t *took = calloc((size_t)times, sizeof(*took));
    for (int i = 0; took && i < times; i++)
        took[i] = run_once(argv + 2, i);
    if (!took)
        return 1;
    qsort(took, (size_t)times, sizeof(*took), compare);
    printf("%ld\n", (long)took[times / 2]);
    return 0;
}
