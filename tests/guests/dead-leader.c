/* A process whose first thread has ended while another goes on: it is a zombie to whoever looks,
 * yet it has memory, descriptors and an end that its parent is told. */
#include <pthread.h>
#include <sys/syscall.h>

#include "guest.h"

#define WORDS 4096

static uint64_t *memory;
static int to_child[2], from_child[2];
static pid_t child, second_thread;

static void *go_on(void *context)
{
    second_thread = (pid_t)syscall(SYS_gettid);
    for (char c; read(to_child[0], &c, 1) == 1;) {
        bool well = guest_filled(memory, WORDS * 8, 7) && syscall(SYS_gettid) == second_thread &&
                    getpid() != second_thread;
        if (c == 'e')
            syscall(SYS_exit, 3);
        if (write(from_child[1], well ? "+" : "-", 1) != 1)
            break;
    }
    _exit(9);
}

/* Does not return. */
static void live(void)
{
    pthread_t thread;
    memory = malloc(WORDS * 8);
    guest_fill(memory, WORDS * 8, 7);
    if (pthread_create(&thread, NULL, go_on, NULL) != 0)
        _exit(8);
    syscall(SYS_exit, 3); /* this thread alone */
    __builtin_unreachable();
}

static char state_of(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return '?';
    close(fd);
    char *end = strrchr(text, ')');
    return end ? end[2] : '?';
}

static void make(void)
{
    child = fork();
    if (child == 0)
        live();
    guest_check(child > 0, "no child");
}

/* It takes a moment to end. */
static bool is_dead(void)
{
    for (int i = 0; i < 2000 && state_of(child) != 'Z'; i++)
        guest_sleep(MILLISECOND);
    return state_of(child) == 'Z';
}

static void verify(void)
{
    char answer = '?';
    int status = -1;
    guest_check(is_dead(), "the first thread is %c", state_of(child));
    guest_check(waitpid(child, &status, WNOHANG) == 0, "the process has ended: %x", status);
    guest_check(write(to_child[1], "?", 1) == 1 && read(from_child[0], &answer, 1) == 1 &&
                    answer == '+',
                "the other thread answers %c", answer);
    guest_check(write(to_child[1], "e", 1) == 1 && waitpid(child, &status, 0) == child &&
                    WIFEXITED(status) && WEXITSTATUS(status) == 3,
                "it ends with %x", status);
    make();
    guest_check(is_dead(), "the first thread lives on");
}

int main(void)
{
    guest_need(pipe(to_child) == 0 && pipe(from_child) == 0, "pipes");
    make();
    guest_need(child > 0 && is_dead(), "a dead leader");
    guest_serve(verify);
}
