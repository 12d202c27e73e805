#include "engine/vma.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "base/strv.h"

bool vma_is_kernel(const char *name)
{
    return string_equal(name, "[vdso]") || string_starts(name, "[vvar") ||
           string_equal(name, "[vsyscall]") || string_equal(name, "[uprobes]");
}

void vma_list_free(struct vma_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++)
        free(list->areas[i].name);
    free(list->areas);
    free(list);
}
DEFINE_CLEANUP(struct vma_list *, vma_list_free);

/* "55d0-55d1 r-xp 00001000 fe:00 1234   /bin/busybox", and no other line of smaps, which is as
 * quickly told as there are many. */
static bool parse_header(const char *line, struct vma *v)
{
    char *at;
    if (!(line[0] >= '0' && line[0] <= '9') && !(line[0] >= 'a' && line[0] <= 'f'))
        return false;
    v->start = strtoull(line, &at, 16);
    if (*at != '-')
        return false;
    v->end = strtoull(at + 1, &at, 16);
    if (strlen(at) < 6)
        return false;
    const char *perms = at + 1;
    v->offset = strtoull(perms + 4, &at, 16);
    unsigned long major_number = strtoul(at, &at, 16);
    unsigned long minor_number = *at == ':' ? strtoul(at + 1, &at, 16) : 0;
    v->dev = makedev(major_number, minor_number);
    v->ino = strtoull(at, &at, 10);
    v->prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
              (perms[2] == 'x' ? PROT_EXEC : 0);
    v->flags = perms[3] == 's' ? MAP_SHARED : MAP_PRIVATE;
    v->page_size = PAGE;
    while (*at == ' ')
        at++;
    v->name = xstrndup(at, strcspn(at, "\n"));
    return true;
}

enum flag_meaning {
    FLAG_MAP,
    FLAG_MADVISE,
    FLAG_ON_FAULT,
    FLAG_SEALED,
    FLAG_HUGE_TLB,
    FLAG_REFUSE
};

/* VmFlags of proc(5) that say something a new mapping would not have by itself. */
static const struct vm_flag {
    char name[3];
    enum flag_meaning meaning;
    int value;
    const char *refusal;
} vm_flags[] = {
    {"gd", FLAG_MAP, MAP_GROWSDOWN, NULL},
    {"nr", FLAG_MAP, MAP_NORESERVE, NULL},
    {"lo", FLAG_MAP, MAP_LOCKED, NULL},
    {"sr", FLAG_MADVISE, MADV_SEQUENTIAL, NULL},
    {"rr", FLAG_MADVISE, MADV_RANDOM, NULL},
    {"dc", FLAG_MADVISE, MADV_DONTFORK, NULL},
    {"wf", FLAG_MADVISE, MADV_WIPEONFORK, NULL},
    {"dd", FLAG_MADVISE, MADV_DONTDUMP, NULL},
    {"hg", FLAG_MADVISE, MADV_HUGEPAGE, NULL},
    {"nh", FLAG_MADVISE, MADV_NOHUGEPAGE, NULL},
    {"mg", FLAG_MADVISE, MADV_MERGEABLE, NULL},
    {"lf", FLAG_ON_FAULT, 0, NULL},
    {"ht", FLAG_HUGE_TLB, 0, NULL},
    {"io", FLAG_REFUSE, 0, "device memory"},
    {"pf", FLAG_REFUSE, 0, "device memory"},
    {"um", FLAG_REFUSE, 0, "memory watched by userfaultfd"},
    {"ui", FLAG_REFUSE, 0, "memory watched by userfaultfd"},
    {"uw", FLAG_REFUSE, 0, "memory watched by userfaultfd"},
    {"ss", FLAG_REFUSE, 0, "a shadow stack"},
    {"sl", FLAG_SEALED, 0, NULL},
};

/* Pages of hugetlbfs: those without a file are like other anonymous memory, but for their size. */
static const char *huge_tlb(struct vma *v)
{
    if (!(v->status & (VMA_ANON_PRIVATE | VMA_ANON_SHARED)) || v->status & VMA_SYSVIPC)
        return "huge TLB pages of a file, a memfd or a System V segment";
    v->flags |= MAP_HUGETLB | (uint32_t)__builtin_ctzll(v->page_size) << MAP_HUGE_SHIFT;
    return NULL;
}

static const char *apply_vm_flag(struct vma *v, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(vm_flags); i++) {
        const struct vm_flag *f = &vm_flags[i];
        if (strncmp(f->name, name, 2) != 0)
            continue;
        if (f->meaning == FLAG_MAP)
            v->flags |= (uint32_t)f->value;
        else if (f->meaning == FLAG_MADVISE)
            v->madvice |= 1ull << f->value;
        v->sealed = v->sealed || f->meaning == FLAG_SEALED;
        v->on_fault = v->on_fault || f->meaning == FLAG_ON_FAULT;
        if (f->meaning == FLAG_HUGE_TLB)
            return huge_tlb(v);
        return f->refusal;
    }
    return NULL;
}

/* Names of mappings without a file the image could name. */
static const struct {
    const char *prefix, *what;
} refused_names[] = {
    {"anon_inode:", "memory of an anonymous inode"},
    {"socket:", "memory of a packet socket"},
};

static const char *classify(struct vma *v)
{
    v->status = VMA_REGULAR;
    if (string_equal(v->name, "[vsyscall]")) {
        v->status = VMA_VSYSCALL;
    } else if (string_equal(v->name, "[vdso]")) {
        v->status |= VMA_VDSO | VMA_ANON_PRIVATE;
        v->flags |= MAP_ANONYMOUS;
    } else if (vma_is_kernel(v->name)) {
        v->status |= VMA_VVAR | VMA_ANON_PRIVATE;
        v->flags |= MAP_ANONYMOUS;
    } else if (v->ino == 0) {
        v->status |= VMA_ANON_PRIVATE;
        v->flags |= MAP_ANONYMOUS;
        if (string_equal(v->name, "[heap]"))
            v->status |= VMA_HEAP;
        if (string_equal(v->name, "[stack]"))
            v->status |= VMA_STACK;
    } else if ((string_equal(v->name, "/dev/zero (deleted)") ||
                string_starts(v->name, "[anon_shmem:")) &&
               v->flags & MAP_SHARED) {
        v->status |= VMA_ANON_SHARED;
        v->flags |= MAP_ANONYMOUS;
    } else if (string_starts(v->name, "/anon_hugepage")) {
        v->status |= v->flags & MAP_SHARED ? VMA_ANON_SHARED : VMA_ANON_PRIVATE;
        v->flags |= MAP_ANONYMOUS;
        v->offset = v->flags & MAP_SHARED ? v->offset : 0;
    } else if (string_starts(v->name, "/[aio]")) {
        v->status |= VMA_AIO;
    } else if (string_starts(v->name, "/SYSV")) {
        v->status |= VMA_ANON_SHARED | VMA_SYSVIPC;
        v->flags |= MAP_ANONYMOUS;
    } else {
        for (size_t i = 0; i < ARRAY_LEN(refused_names); i++)
            if (string_starts(v->name, refused_names[i].prefix))
                return refused_names[i].what;
        v->status |= string_starts(v->name, "/memfd:") ? VMA_MEMFD : 0;
        v->status |= v->flags & MAP_SHARED ? VMA_FILE_SHARED : VMA_FILE_PRIVATE;
    }
    return NULL;
}

static struct vma *append(struct vma_list *list, size_t *room, const struct vma *v)
{
    array_reserve(list->areas, list->count, *room);
    list->areas[list->count] = *v;
    if (string_equal(v->name, "[vdso]"))
        list->vdso = v->start, list->vdso_end = v->end;
    return &list->areas[list->count++];
}

static const char *judge(struct vma *v, char *vm_flags_line)
{
    const char *refusal = classify(v);
    if (v->status & (VMA_VSYSCALL | VMA_VDSO | VMA_VVAR))
        return NULL;
    char *save = NULL;
    for (char *f = strtok_r(vm_flags_line, " \n", &save); f; f = strtok_r(NULL, " \n", &save)) {
        const char *no = apply_vm_flag(v, f);
        refusal = refusal ? refusal : no;
    }
    /* Locking and populating is one in mmap(2). */
    if (v->on_fault)
        v->flags &= ~(uint32_t)MAP_LOCKED;
    return refusal;
}

static bool parse_page_size(const char *line, struct vma *v)
{
    const char *size = string_after(line, "KernelPageSize:");
    if (size && v)
        v->page_size = strtoull(size, NULL, 10) * 1024;
    return size != NULL;
}

uint64_t vma_page_size(uint32_t flags)
{
    return flags & MAP_HUGETLB ? 1ull << (flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK) : PAGE;
}

int vma_list_read(pid_t pid, pid_t vpid, struct vma_list **ret, struct error *err)
{
    char path[64], line[8192];
    snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    if (!f)
        return error_errno(err, errno, "cannot read the memory map of process %d", vpid);
    _cleanup_(vma_list_freep) struct vma_list *list = xcalloc(1, sizeof(*list));
    size_t room = 0;
    struct vma *current = NULL;
    while (fgets(line, sizeof(line), f)) {
        struct vma v = {0};
        if (parse_header(line, &v)) {
            current = append(list, &room, &v);
            continue;
        }
        if (parse_page_size(line, current) || !current || strncmp(line, "VmFlags:", 8) != 0)
            continue;
        current->refusal = judge(current, line + 8);
    }
    *ret = take_ptr(list);
    return 0;
}

int vma_list_read_plain(pid_t pid, struct vma_list **ret, struct error *err)
{
    char path[64], line[8192];
    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    if (!f)
        return error_errno(err, errno, "cannot read the memory map of process %d", pid);
    struct vma_list *list = xcalloc(1, sizeof(*list));
    size_t room = 0;
    while (fgets(line, sizeof(line), f)) {
        struct vma v = {0};
        if (parse_header(line, &v))
            append(list, &room, &v);
    }
    *ret = list;
    return 0;
}

int vdso_find_syscall(pid_t pid, remote_addr vdso, remote_addr *ret, struct error *err)
{
    uint8_t code[2 * PAGE];
    int r = vdso ? remote_read(pid, vdso, code, sizeof(code)) : -ENOENT;
    if (r < 0 && vdso)
        r = remote_read(pid, vdso, code, PAGE);
    ssize_t at = r == 0 ? find_syscall(code, r == 0 ? sizeof(code) : PAGE) : -1;
    if (at < 0)
        return error_set(err, ENOTSUP, "process %d has no vdso with a system call in it", pid);
    *ret = vdso + (remote_addr)at;
    return 0;
}
