/* How long it takes to fill fresh pages of another process: fill MEGABYTES THREADS prints us. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (1ul << 20)

struct job {
    pid_t pid;
    char *memory;
    size_t size, next;
};

static void *work(void *context)
{
    struct job *j = context;
    char *buffer = malloc(CHUNK);
    memset(buffer, 1, CHUNK);
    for (size_t at; (at = __atomic_fetch_add(&j->next, CHUNK, __ATOMIC_RELAXED)) < j->size;) {
        struct iovec local = {buffer, CHUNK}, remote = {j->memory + at, CHUNK};
        if (process_vm_writev(j->pid, &local, 1, &remote, 1, 0) != (ssize_t)CHUNK)
            abort();
    }
    free(buffer);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    size_t count = strtoul(argv[2], NULL, 10);
    struct job j = {.size = strtoul(argv[1], NULL, 10) << 20};
    j.memory = mmap(NULL, j.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    j.pid = fork();
    if (j.pid == 0)
        for (;;)
            pause();
    pthread_t threads[64];
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    count = count > 64 ? 64 : count;
    for (size_t i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, work, &j);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    kill(j.pid, SIGKILL);
    waitpid(j.pid, NULL, 0);
    printf("%lld\n",
           (end.tv_sec - begin.tv_sec) * 1000000LL + (end.tv_nsec - begin.tv_nsec) / 1000);
}
