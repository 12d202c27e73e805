#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "base/spawn.h"

#define SHELL(script) ((char *const[]){(char *)"sh", (char *)"-c", (char *)(script), NULL})

static int run(const char *script, struct buf *out, struct buf *errors)
{
    struct spawn s = SPAWN_INIT;
    struct error err = {0};
    s.argv = SHELL(script);
    s.stdout_to = out;
    s.stderr_to = errors;
    return spawn_run(&s, &err);
}

static void collects_both_outputs(void)
{
    _cleanup_buf_ struct buf out = {0}, errors = {0};
    CHECK_INT(run("echo out; echo err >&2; exit 3", &out, &errors), 3);
    CHECK_STRING(out.data, "out\n");
    CHECK_STRING(errors.data, "err\n");
}

static void collects_more_than_a_pipe_holds(void)
{
    _cleanup_buf_ struct buf out = {0}, errors = {0};
    CHECK_INT(run("head -c 300000 /dev/zero >&2; head -c 200000 /dev/zero", &out, &errors), 0);
    CHECK_INT(out.size, 200000);
    CHECK_INT(errors.size, 300000);
}

static void one_buffer_takes_both(void)
{
    _cleanup_buf_ struct buf both = {0};
    CHECK_INT(run("echo a; echo b >&2; echo c", &both, &both), 0);
    CHECK_STRING(both.data, "a\nb\nc\n");
}

static void death_by_signal_is_128_and_more(void)
{
    CHECK_INT(run("kill -9 $$", NULL, NULL), 128 + 9);
}

static void failures_name_the_program(void)
{
    struct spawn s = SPAWN_INIT;
    struct error err = {0};
    s.argv = (char *const[]){(char *)"no-such-program", NULL};
    CHECK_INT(spawn_run(&s, &err), -ENOENT);
    CHECK_CONTAINS(err.text, "no-such-program");
    _cleanup_test_directory_ char *dir = test_directory();
    CHECK_INT(chdir(dir), 0);
    CHECK_INT(system("echo '#!/none' > script; chmod +x script"), 0);
    s.argv = (char *const[]){(char *)"./script", NULL};
    CHECK_INT(spawn_run(&s, &err), -ENOENT);
    CHECK_CONTAINS(err.text, "script");
}

static void runs_in_a_directory_with_an_environment(void)
{
    _cleanup_buf_ struct buf out = {0};
    struct spawn s = SPAWN_INIT;
    struct error err = {0};
    s.argv = SHELL("pwd; echo $X; echo \"[$HOME]\"");
    s.cwd = "/usr";
    s.env = (char *const[]){(char *)"X=y", NULL};
    s.stdout_to = &out;
    CHECK_INT(spawn_run(&s, &err), 0);
    CHECK_STRING(out.data, "/usr\ny\n[]\n");
    s.cwd = "/none";
    CHECK_INT(spawn_run(&s, &err), -ENOENT);
}

static void only_kept_descriptors_pass(void)
{
    _cleanup_buf_ struct buf out = {0};
    struct spawn s = SPAWN_INIT;
    struct error err = {0};
    _cleanup_close_ int a = open("/dev/zero", O_RDONLY), b = open("/dev/full", O_RDONLY);
    CHECK_INT(dup2(a, 77), 77);
    s.argv = SHELL("cd /proc/$$/fd; for f in *; do [ $f -lt 10 ] && echo $f $(readlink $f); "
                   "[ $f = 77 ] && echo leak; done; true");
    s.stdout_to = &out;
    s.keep_fds = (const int[]){b, a};
    s.keep_fd_count = 2;
    CHECK_INT(spawn_run(&s, &err), 0);
    CHECK_CONTAINS(out.data, "0 /dev/null\n");
    CHECK_CONTAINS(out.data, "3 /dev/full\n4 /dev/zero\n");
    CHECK(!strstr(out.data, "leak") && !strstr(out.data, "\n6 ")); /* 5 is the shell's own */
}

static void kept_descriptors_may_cross(void)
{
    _cleanup_buf_ struct buf out = {0};
    struct spawn s = SPAWN_INIT;
    struct error err = {0};
    CHECK_INT(dup2(open("/dev/zero", O_RDONLY), 4), 4);
    CHECK_INT(dup2(open("/dev/full", O_RDONLY), 3), 3);
    s.argv = SHELL("readlink /proc/$$/fd/3 /proc/$$/fd/4");
    s.stdout_to = &out;
    s.keep_fds = (const int[]){4, 3};
    s.keep_fd_count = 2;
    CHECK_INT(spawn_run(&s, &err), 0);
    CHECK_STRING(out.data, "/dev/zero\n/dev/full\n");
}

static void signals_start_fresh(void)
{
    _cleanup_buf_ struct buf out = {0};
    sigset_t all;
    signal(SIGINT, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    CHECK_INT(run("grep -E 'SigBlk|SigIgn' /proc/self/status", &out, NULL), 0);
    CHECK_STRING(out.data, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

static int leave_a_mark(void *context)
{
    return write(*(int *)context, "!", 1) == 1 ? 0 : -EIO;
}

static int refuse(void *context)
{
    return -EPERM;
}

static void prepare_runs_in_the_child(void)
{
    struct spawn s = SPAWN_INIT;
    struct error err = {0};
    int p[2];
    char mark = 0;
    CHECK_INT(pipe(p), 0);
    s.argv = SHELL("true");
    s.prepare = leave_a_mark;
    s.context = &p[1];
    CHECK_INT(spawn_run(&s, &err), 0);
    CHECK_INT(read(p[0], &mark, 1), 1);
    CHECK_INT(mark, '!');
    s.prepare = refuse;
    CHECK_INT(spawn_run(&s, &err), -EPERM);
    close(p[0]);
    close(p[1]);
}

static void starts_in_the_background(void)
{
    struct spawn s = SPAWN_INIT;
    struct error err = {0};
    s.argv = SHELL("[ $(ps -o sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/$$/stat) = $$ ]");
    s.new_session = true;
    pid_t pid = spawn_start(&s, &err);
    CHECK(pid > 0);
    CHECK_INT(spawn_wait(pid), 0);
    CHECK_INT(spawn_wait(pid), -ECHILD);
}

static void finds_programs(void)
{
    _cleanup_free_ char *sh = find_program("sh");
    CHECK(sh && sh[0] == '/');
    CHECK(find_program("no-such-program") == NULL);
    CHECK(find_program("/etc/passwd") == NULL);
    _cleanup_free_ char *absolute = find_program("/bin/sh");
    CHECK(absolute && absolute[0] == '/');
}

int main(void)
{
    static const struct test tests[] = {
        TEST(collects_both_outputs),      TEST(collects_more_than_a_pipe_holds),
        TEST(one_buffer_takes_both),      TEST(death_by_signal_is_128_and_more),
        TEST(failures_name_the_program),  TEST(runs_in_a_directory_with_an_environment),
        TEST(only_kept_descriptors_pass), TEST(kept_descriptors_may_cross),
        TEST(signals_start_fresh),        TEST(prepare_runs_in_the_child),
        TEST(starts_in_the_background),   TEST(finds_programs),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
