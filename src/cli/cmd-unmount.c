#include "cli/commands.h"
#include "cli/each.h"
#include "container/mount.h"

struct unmount_options {
    bool all, force, latest;
};

#define UNMOUNT(field) offsetof(struct unmount_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, UNMOUNT(all),
     .help = "Unmount all of the currently mounted containers"},
    {"force", 'f', OPTION_BOOL, UNMOUNT(force),
     .help = "Force the complete unmount of the specified mounted containers"},
    {"latest", 'l', OPTION_BOOL, UNMOUNT(latest),
     .help = "Act on the latest container firn is aware of"},
    {0},
};

static int unmount_one(struct container *c, const void *context, struct error *err)
{
    return container_unmount(c, *(const bool *)context, err);
}

static int run(struct call *call, struct error *err)
{
    const struct unmount_options *o = call->options;
    struct each e = {
        .all = o->all,
        .latest = o->latest,
        .wanted = wanted_stopped,
        .act = unmount_one,
        .context = &o->force,
    };
    return each_container(call, &e, err);
}

const struct command command_unmount = {
    .paths = {"unmount", "umount", "container unmount", "container umount"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Unmounts working container's root filesystem",
    .options = table,
    .options_size = sizeof(struct unmount_options),
    .args_most = ARGS_ANY,
    .run = run,
};
