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

/* "55d0-55d1 r-xp 00001000 fe:00 1234   /bin/busybox" */
static bool parse_header(const char *line, struct vma *v)
{
    char perms[5];
    unsigned major_number, minor_number;
    uint64_t ino;
    int used = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 "%n", &v->start,
               &v->end, perms, &v->offset, &major_number, &minor_number, &ino, &used) < 7)
        return false;
    v->dev = makedev(major_number, minor_number);
    v->ino = ino;
    v->prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
              (perms[2] == 'x' ? PROT_EXEC : 0);
    v->flags = perms[3] == 's' ? MAP_SHARED : MAP_PRIVATE;
    const char *name = line + used;
    while (*name == ' ')
        name++;
    v->name = xstrndup(name, strcspn(name, "\n"));
    return true;
}

enum flag_meaning { FLAG_IGNORE, FLAG_MAP, FLAG_MADVISE, FLAG_LOCKED, FLAG_SEALED, FLAG_REFUSE };

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
    {"ht", FLAG_REFUSE, 0, "huge TLB pages"},
    {"io", FLAG_REFUSE, 0, "device memory"},
    {"pf", FLAG_REFUSE, 0, "device memory"},
    {"um", FLAG_REFUSE, 0, "memory watched by userfaultfd"},
    {"ui", FLAG_REFUSE, 0, "memory watched by userfaultfd"},
    {"uw", FLAG_REFUSE, 0, "memory watched by userfaultfd"},
    {"ss", FLAG_REFUSE, 0, "a shadow stack"},
    {"sl", FLAG_SEALED, 0, NULL},
};

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
        return f->refusal;
    }
    return NULL;
}

/* Names of mappings without a file the image could name. */
static const struct {
    const char *prefix, *what;
} refused_names[] = {
    {"/[aio]", "an asynchronous I/O ring"},
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
    return refusal;
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
        if (!current || strncmp(line, "VmFlags:", 8) != 0)
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
