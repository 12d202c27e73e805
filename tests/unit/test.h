/* The frame of a unit test program. Each test runs in a child process of its own, so a crash or a
 * leak (sanitizer build) fails that test only; results are written as TAP.
 *
 *     static void append(void)
 *     {
 *         _cleanup_buf_ struct buf b = {0};
 *         buf_add_string(&b, "x");
 *         CHECK_STRING(b.data, "x");
 *     }
 *
 *     int main(void)
 *     {
 *         static const struct test tests[] = {TEST(append)};
 *         return run_tests(tests, ARRAY_LEN(tests));
 *     }
 */
#pragma once

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

struct test {
    const char *name;
    void (*function)(void);
};
#define TEST(f)                                                                                    \
    {                                                                                              \
#f, f                                                                                      \
    }

#define TEST_SKIPPED 77

/* A failed check ends the test. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_failed(__FILE__, __LINE__, "%s is false", #condition);                            \
    } while (0)

#define CHECK_INT(is, should)                                                                      \
    do {                                                                                           \
        intmax_t is_ = (intmax_t)(is), should_ = (intmax_t)(should);                               \
        if (is_ != should_)                                                                        \
            test_failed(__FILE__, __LINE__, "%s is %jd, not %jd", #is, is_, should_);              \
    } while (0)

#define CHECK_STRING(is, should)                                                                   \
    do {                                                                                           \
        const char *is_ = (is), *should_ = (should);                                               \
        if (!is_ || !should_ ? is_ != should_ : strcmp(is_, should_) != 0)                         \
            test_failed(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #is, is_ ? is_ : "(null)", \
                        should_ ? should_ : "(null)");                                             \
    } while (0)

/* The string has the part in it. */
#define CHECK_CONTAINS(is, part)                                                                   \
    do {                                                                                           \
        const char *is_ = (is), *part_ = (part);                                                   \
        if (!is_ || !strstr(is_, part_))                                                           \
            test_failed(__FILE__, __LINE__, "%s is \"%s\", without \"%s\"", #is,                   \
                        is_ ? is_ : "(null)", part_);                                              \
    } while (0)

#define test_failed(file, line, ...)                                                               \
    do {                                                                                           \
        printf("# %s:%d: ", (file), (line));                                                       \
        printf(__VA_ARGS__);                                                                       \
        printf("\n");                                                                              \
        fflush(stdout);                                                                            \
        _exit(1);                                                                                  \
    } while (0)

/* Ends the test as skipped. */
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        printf("# skip: %s\n", (reason));                                                          \
        fflush(stdout);                                                                            \
        _exit(TEST_SKIPPED);                                                                       \
    } while (0)

/* A directory of this process alone, removed by test_directory_remove. The caller frees. */
static inline char *test_directory(void)
{
    char *path = strdup("/tmp/firn-test.XXXXXX");
    if (!path || !mkdtemp(path))
        test_failed(__FILE__, __LINE__, "no temporary directory");
    return path;
}

static inline void test_directory_remove(char **path)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf -- '%s'", *path);
    if (system(command) != 0)
        printf("# %s was not removed\n", *path);
    free(*path);
}
#define _cleanup_test_directory_ _cleanup_(test_directory_remove)

static inline int run_one_test(const struct test *t)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        t->function();
        exit(0);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return 1;
    if (WIFSIGNALED(status))
        printf("# killed by signal %d\n", WTERMSIG(status));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static inline int run_tests(const struct test *tests, size_t count)
{
    int failed = 0;
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        int status = run_one_test(&tests[i]);
        if (status != 0 && status != TEST_SKIPPED)
            failed++;
        printf("%s %zu - %s%s\n", status && status != TEST_SKIPPED ? "not ok" : "ok", i + 1,
               tests[i].name, status == TEST_SKIPPED ? " # SKIP" : "");
    }
    return failed > 0;
}
