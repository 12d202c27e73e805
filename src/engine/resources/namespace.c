/* namespaces(7): descriptors of those the container lives in are opened again; the runtime has made
 * them. Others are not the container's to have again. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <sys/statfs.h>

#include "base/strv.h"
#include "engine/resources/resource.h"
#include "engine/restore.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static const struct {
    const char *name;
    uint32_t flag;
} kinds[] = {
    {"cgroup", CLONE_NEWCGROUP}, {"ipc", CLONE_NEWIPC}, {"mnt", CLONE_NEWNS},
    {"net", CLONE_NEWNET},       {"pid", CLONE_NEWPID}, {"time", CLONE_NEWTIME},
    {"user", CLONE_NEWUSER},     {"uts", CLONE_NEWUTS},
};

/* "net:[4026531840]" */
static int kind_of(const struct descriptor *f)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const char *rest = string_after(f->link, kinds[i].name);
        if (rest && string_starts(rest, ":["))
            return (int)i;
    }
    return -1;
}

static bool match(const struct descriptor *f)
{
    char path[64];
    struct statfs fs;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", f->task->pid, f->fd);
    return f->fd >= 0 && S_ISREG(f->st.st_mode) && kind_of(f) >= 0 && statfs(path, &fs) == 0 &&
           fs.f_type == NSFS_MAGIC;
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    int kind = kind_of(f);
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", d->options.init, kinds[kind].name);
    if (stat(path, &st) < 0 || st.st_ino != f->st.st_ino || st.st_dev != f->st.st_dev)
        return error_set(err, ENOTSUP,
                         "%s is a namespace (%s) that is not the container's own, which firn "
                         "cannot save",
                         descriptor_name(d, f), f->link);
    NsFileEntry *e = arena_new_of(d->arena, NsFileEntry);
    ns_file_entry__init(e);
    e->id = entry->id;
    e->ns_id = (uint32_t)f->st.st_ino;
    e->ns_cflag = kinds[kind].flag;
    e->flags = f->flags;
    entry->type = FD_TYPES__NS;
    entry->nsf = e;
    return 0;
}

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    for (size_t i = 0; entry->nsf && i < ARRAY_LEN(kinds); i++)
        if (kinds[i].flag == entry->nsf->ns_cflag) {
            char path[64];
            snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i].name);
            return maker_open(m, path, entry->nsf->flags, err);
        }
    return error_set(err, EINVAL, "the checkpoint's namespace %u is not described", entry->id);
}

const struct resource resource_namespace = {
    .name = "namespace",
    .type = FD_TYPES__NS,
    .match = match,
    .dump = dump,
    .restore = restore,
};
