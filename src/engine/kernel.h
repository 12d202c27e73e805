/* Kernel interfaces newer than the C library's headers, under the kernel's own names. */
#pragma once

#include <linux/ioctl.h>
#include <linux/types.h>
#include <sys/ptrace.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

/* include/uapi/linux/ptrace.h */
#define FIRN_PTRACE_GET_RSEQ_CONFIGURATION 0x420f
struct firn_rseq_configuration {
    __u64 pointer;
    __u32 size;
    __u32 signature;
    __u32 flags;
    __u32 pad;
};

#define FIRN_PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211
struct firn_dispatch_configuration {
    __u64 mode, selector, offset, length;
};

#define FIRN_PTRACE_SECCOMP_GET_METADATA 0x420d
struct firn_seccomp_metadata {
    __u64 filter_off;
    __u64 flags;
};

/* include/uapi/linux/fs.h: what the pages of a range are, on /proc/PID/pagemap (6.7). */
#define PM_SCAN_PAGE_FILE    (1ull << 2)
#define PM_SCAN_PAGE_PRESENT (1ull << 3)
#define PM_SCAN_PAGE_SWAPPED (1ull << 4)
#define PM_SCAN_PAGE_PFNZERO (1ull << 5)
#define PM_SCAN_PAGE_HUGE    (1ull << 6)
#define PM_SCAN_PAGE_GUARD   (1ull << 8)
struct pm_scan_range {
    __u64 start, end, categories;
};
struct pm_scan_request {
    __u64 size, flags, start, end, walk_end, vec, vec_len, max_pages;
    __u64 category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN_IOCTL _IOWR('f', 16, struct pm_scan_request)

/* include/uapi/linux/pidfd.h: a thread, not a process (6.9) */
#define FIRN_PIDFD_THREAD O_EXCL

/* include/uapi/linux/pidfd.h: what is known of a process, how it ended (6.15) included. */
#define FIRN_PIDFD_INFO_EXIT (1ull << 3)
struct firn_pidfd_info {
    __u64 mask, cgroup;
    __u32 pid, tgid, ppid, ids[8];
    __s32 exit_code;
};
#define FIRN_PIDFD_GET_INFO _IOWR(0xff, 11, struct firn_pidfd_info)

/* include/uapi/linux/prctl.h */
#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS 77
#endif
#ifndef PR_GET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif
/* 6.4 */
#define FIRN_PR_SET_MEMORY_MERGE 67
#define FIRN_PR_GET_MEMORY_MERGE 68
#define FIRN_ANON_VMA_NAME_MAX   80

/* mseal(2), 6.10; the same number everywhere. */
#define FIRN_SYS_MSEAL 462

/* include/uapi/asm-generic/mman-common.h: madvise(2), 6.13 */
#define FIRN_MADV_GUARD_INSTALL 102
/* 5.14 and 6.1 */
#define FIRN_MADV_POPULATE_WRITE 23
#define FIRN_MADV_COLLAPSE       25
