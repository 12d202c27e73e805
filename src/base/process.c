#include "base/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"

#define STAT_FIELDS 53

/* Splits what follows the comm (field 3 on) into numbers; f[n] is field n of proc(5). */
static int split_fields(char *rest, uint64_t f[STAT_FIELDS], char *state)
{
    char *save = NULL;
    int n = 3;
    for (char *s = strtok_r(rest, " ", &save); s && n < STAT_FIELDS;
         s = strtok_r(NULL, " ", &save), n++) {
        if (n == 3)
            *state = *s;
        else
            f[n] = s[0] == '-' ? (uint64_t)strtoll(s, NULL, 10) : strtoull(s, NULL, 10);
    }
    return n;
}

int process_stat_read(pid_t pid, pid_t tid, struct process_stat *ret)
{
    char path[64], line[1024];
    if (tid)
        snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
    else
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int r = file_read_line(path, line, sizeof(line));
    if (r < 0)
        return r;
    char *open = strchr(line, '('), *close = strrchr(line, ')');
    if (!open || !close || close < open)
        return -ESRCH;
    uint64_t f[STAT_FIELDS] = {0};
    struct process_stat s = {.pid = (pid_t)atoi(line)};
    snprintf(s.comm, sizeof(s.comm), "%.*s", (int)(close - open - 1), open + 1);
    if (split_fields(close + 1, f, &s.state) < 25)
        return -ESRCH;
    s.parent = (pid_t)f[4], s.group = (pid_t)f[5], s.session = (pid_t)f[6];
    s.tty = (int)f[7], s.tty_foreground = (pid_t)f[8];
    s.priority = (int)f[18], s.nice = (int)f[19], s.start_ticks = f[22];
    s.start_code = f[26], s.end_code = f[27], s.start_stack = f[28];
    s.exit_signal = (int)f[38], s.policy = (int)f[41];
    s.start_data = f[45], s.end_data = f[46], s.start_brk = f[47];
    s.arg_start = f[48], s.arg_end = f[49], s.env_start = f[50], s.env_end = f[51];
    s.exit_code = (int)f[52];
    *ret = s;
    return 0;
}

int process_identify(pid_t pid, struct process *ret)
{
    struct process_stat s;
    int r = process_stat_read(pid, 0, &s);
    if (r < 0)
        return r;
    *ret = (struct process){.pid = pid, .start_ticks = s.start_ticks};
    return 0;
}

bool process_alive(const struct process *p)
{
    struct process_stat s;
    return p->pid > 0 && process_stat_read(p->pid, 0, &s) == 0 && s.start_ticks == p->start_ticks &&
           s.state != 'Z' && s.state != 'X';
}

int process_open(const struct process *p)
{
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (fd < 0)
        return -errno;
    struct process now;
    if (process_identify(p->pid, &now) < 0 || now.start_ticks != p->start_ticks)
        return -ESRCH;
    return take_fd(fd);
}
