/* Regular files and directories, and all that is open as a path only (O_PATH): opened again by path
 * inside the container. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/strv.h"
#include "engine/ghost.h"
#include "engine/hoard.h"
#include "engine/resources/resource.h"

/* With O_PATH nothing but the path is open, whatever stands there. */
static bool match(const struct descriptor *f)
{
    if (f->fd >= 0 && f->flags & O_PATH && f->link[0] == '/')
        return true;
    return S_ISREG(f->st.st_mode) || S_ISDIR(f->st.st_mode) || S_ISLNK(f->st.st_mode);
}

/* The path must still lead to this very file. */
static int check_path(struct dump *d, const struct descriptor *f, struct error *err)
{
    _cleanup_close_ int fd = open_in_root(d->root_fd, f->link, O_PATH | O_NOFOLLOW, 0);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, fd < 0 ? -fd : errno,
                           "%s is %s, which cannot be found in the container any more",
                           descriptor_name(d, f), f->link);
    if (st.st_ino != f->st.st_ino || st.st_dev != f->st.st_dev)
        return error_set(err, ENOTSUP,
                         "%s is %s, but another file or mount stands at that path now",
                         descriptor_name(d, f), f->link);
    return 0;
}

/* Such a file may still get a name, unlike one that has lost its own. The kernel calls it by its
 * number; O_TMPFILE itself is gone from what a restore has opened again. */
static bool never_had_a_name(const struct descriptor *f)
{
    char name[32];
    const char *slash = strrchr(f->link, '/');
    snprintf(name, sizeof(name), "#%ju", (uintmax_t)f->st.st_ino);
    return f->deleted && f->st.st_nlink == 0 && slash && strcmp(slash + 1, name) == 0;
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    int r = f->deleted ? 0 : check_path(d, f, err);
    if (r < 0)
        return r;
    RegFileEntry *reg = arena_new_of(d->arena, RegFileEntry);
    reg_file_entry__init(reg);
    reg->id = entry->id;
    reg->flags = f->flags | (never_had_a_name(f) ? O_TMPFILE : 0);
    reg->pos = (uint64_t)f->pos;
    reg->fown = descriptor_owner(d, f);
    reg->name = arena_strdup(d->arena, f->link);
    reg->has_mode = true;
    reg->mode = f->st.st_mode;
    reg->has_size = S_ISREG(f->st.st_mode);
    reg->size = (uint64_t)f->st.st_size;
    entry->type = FD_TYPES__REG;
    entry->reg = reg;
    return f->deleted ? ghost_note(d, f, reg, err) : 0;
}

uint32_t regular_file_flags(const RegFileEntry *reg)
{
    uint32_t flags = reg->flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_TMPFILE);
    return reg->has_mode && S_ISDIR(reg->mode) ? flags | O_DIRECTORY : flags;
}

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    const RegFileEntry *reg = entry->reg;
    if (!reg || !reg->name || reg->name[0] != '/')
        return error_set(err, EINVAL, "the checkpoint's file %u has no path", entry->id);
    int fd = maker_open_file(m, entry, regular_file_flags(reg), err);
    if (fd < 0 || reg->pos == 0 || reg->flags & O_PATH)
        return fd;
    int64_t r = maker_call(m, err, "seek in a file", SYS_lseek, (uint64_t)fd, reg->pos, SEEK_SET);
    return r < 0 ? (int)r : fd;
}

const struct resource resource_regular_file = {
    .name = "regular file",
    .type = FD_TYPES__REG,
    .match = match,
    .dump = dump,
    .restore = restore,
};
