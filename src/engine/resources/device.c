/* The character devices every container has: null, zero, full, random, urandom, tty. They have no
 * state; the checkpoint names them by path as it does regular files. */
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "engine/resources/resource.h"

static const struct {
    unsigned major, minor;
    const char *path;
} devices[] = {
    {1, 3, "/dev/null"},   {1, 5, "/dev/zero"},    {1, 7, "/dev/full"},
    {1, 8, "/dev/random"}, {1, 9, "/dev/urandom"}, {5, 0, "/dev/tty"},
};

static const char *device_path(const struct descriptor *f)
{
    for (size_t i = 0; S_ISCHR(f->st.st_mode) && i < ARRAY_LEN(devices); i++)
        if (f->st.st_rdev == makedev(devices[i].major, devices[i].minor))
            return devices[i].path;
    return NULL;
}

static bool match(const struct descriptor *f)
{
    return device_path(f) != NULL;
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    RegFileEntry *reg = arena_new_of(d->arena, RegFileEntry);
    reg_file_entry__init(reg);
    reg->id = entry->id;
    reg->flags = f->flags;
    reg->fown = descriptor_owner(d, f);
    reg->name = arena_strdup(d->arena, device_path(f));
    reg->has_mode = true;
    reg->mode = f->st.st_mode;
    entry->type = FD_TYPES__REG;
    entry->reg = reg;
    return 0;
}

const struct resource resource_device = {
    .name = "character device",
    .type = FD_TYPES__REG,
    .match = match,
    .dump = dump,
};
