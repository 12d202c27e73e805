/* The memory areas of a process, from /proc/PID/smaps (proc(5)). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "engine/puppet.h"

/* Bits of vma_entry.status in the checkpoint's mm image. */
enum {
    VMA_REGULAR = 1 << 0,
    VMA_STACK = 1 << 1,
    VMA_VSYSCALL = 1 << 2,
    VMA_VDSO = 1 << 3,
    VMA_HEAP = 1 << 5,
    VMA_FILE_PRIVATE = 1 << 6,
    VMA_FILE_SHARED = 1 << 7,
    VMA_ANON_SHARED = 1 << 8,
    VMA_ANON_PRIVATE = 1 << 9,
    VMA_SYSVIPC = 1 << 10,
    VMA_VVAR = 1 << 12,
    VMA_AIO = 1 << 13, /* the ring of an io_setup(2) context */
    VMA_MEMFD = 1 << 14,
    VMA_GUARD = 1 << 16, /* not an area but a range of MADV_GUARD_INSTALL, behind all areas */
};

struct vma {
    remote_addr start, end;
    uint32_t prot;      /* PROT_* */
    uint32_t flags;     /* MAP_* */
    uint32_t status;    /* VMA_* above */
    uint64_t madvice;   /* bit n: madvise(n) was said */
    bool sealed;        /* mseal(2) */
    bool on_fault;      /* locked, but only what is touched: mlock2(2) */
    uint64_t page_size; /* of huge TLB pages, else PAGE */
    uint64_t offset;
    dev_t dev;
    ino_t ino;
    char *name;          /* path or [name] or "" */
    const char *refusal; /* what it is, if that cannot be saved: "a userfaultfd"; else NULL */
};

struct vma_list {
    struct vma *areas; /* ascending */
    size_t count;
    remote_addr vdso, vdso_end; /* 0: none */
};

/* Reads and judges the areas of process `pid`, called `vpid` in errors. The caller frees with
 * vma_list_free. */
int vma_list_read(pid_t pid, pid_t vpid, struct vma_list **ret, struct error *err);
void vma_list_free(struct vma_list *list);

/* Only start, end and name are filled in; for restoring, where nothing needs judging. */
int vma_list_read_plain(pid_t pid, struct vma_list **ret, struct error *err);

/* The flags of mmap(2) that ask for huge TLB pages, of a size. */
#define MAP_HUGETLB_BITS (MAP_HUGETLB | (uint32_t)MAP_HUGE_MASK << MAP_HUGE_SHIFT)
/* The size of the pages of a mapping with these flags. */
uint64_t vma_page_size(uint32_t flags);

/* The kernel's own mappings: vdso, vvar and whatever joins them ([vvar_vclock], ...). */
bool vma_is_kernel(const char *name);
/* Finds a syscall instruction in the vdso. */
int vdso_find_syscall(pid_t pid, remote_addr vdso, remote_addr *ret, struct error *err);
