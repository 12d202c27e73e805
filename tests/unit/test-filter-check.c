#include "test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "engine/filter-check.h"

#define NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))

static void lists_are_searched(void)
{
    const struct sock_filter program[] = {
        NUMBER,
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_seccomp, 2, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 38),
    };
    CHECK_INT(filter_verdict(program, ARRAY_LEN(program), SYS_mmap), SECCOMP_RET_ALLOW);
    CHECK_INT(filter_verdict(program, ARRAY_LEN(program), SYS_prctl), SECCOMP_RET_KILL_PROCESS);
    CHECK_INT(filter_verdict(program, ARRAY_LEN(program), SYS_seccomp + 1), SECCOMP_RET_ERRNO | 38);
}

static void the_machine_computes(void)
{
    const struct sock_filter program[] = {
        NUMBER,
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 7),
        BPF_STMT(BPF_ST, 3),
        BPF_STMT(BPF_LDX | BPF_MEM, 3),
        BPF_STMT(BPF_LD | BPF_IMM, 1),
        BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 4),
        BPF_STMT(BPF_ALU | BPF_OR | BPF_X, 0),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_MISC | BPF_TXA, 0),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    CHECK_INT(filter_verdict(program, ARRAY_LEN(program), 2), 16 | 9);
}

/* The kernel takes no such program, an archive or a broken file may still hold one. */
static void broken_programs_kill(void)
{
    const struct sock_filter open_end[] = {NUMBER};
    const struct sock_filter far[] = {BPF_STMT(BPF_JMP | BPF_JA, 4000000000u)};
    const struct sock_filter outside[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 100000),
        BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0),
        BPF_STMT(BPF_STX, 99),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    CHECK_INT(filter_verdict(open_end, 1, 0), SECCOMP_RET_KILL_PROCESS);
    CHECK_INT(filter_verdict(far, 1, 0), SECCOMP_RET_KILL_PROCESS);
    CHECK_INT(filter_verdict(outside, ARRAY_LEN(outside), 0), 0);
    CHECK_INT(filter_verdict(NULL, 0, 0), SECCOMP_RET_KILL_PROCESS);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(lists_are_searched),
        TEST(the_machine_computes),
        TEST(broken_programs_kill),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
