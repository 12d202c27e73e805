/* What this host can do for us, each asked of the kernel by doing it. A probe returns 0, or the
 * errno that says why not. Nothing stays behind. */
#pragma once

int probe_ptrace(void);
int probe_seccomp_filter(void);  /* PTRACE_SECCOMP_GET_FILTER */
int probe_suspend_seccomp(void); /* PTRACE_O_SUSPEND_SECCOMP */
int probe_rseq(void);            /* PTRACE_GET_RSEQ_CONFIGURATION */
int probe_pagemap_scan(void);
int probe_userfaultfd(void);   /* with UFFD_FEATURE_WP_ASYNC */
int probe_kernel_faults(void); /* userfaultfd that sees the kernel's accesses, too */
int probe_set_tid(void);       /* clone3 */
int probe_mm_map(void);        /* PR_SET_MM_MAP */
int probe_pidfd_getfd(void);
int probe_kcmp(void);
int probe_time_namespace(void);
int probe_overlayfs(void);
int probe_freezer(void);
