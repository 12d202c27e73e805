#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/create-table.h"
#include "container/create.h"

static const struct option table[] = {
    {.type = OPTION_TABLE, .table = create_table, .offset = offsetof(struct create_call, create)},
    {"attach", 'a', OPTION_STRINGS, offsetof(struct create_call, attach), "strings",
     "Attach to STDIN, STDOUT or STDERR"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    struct create_call *o = call->options;
    _cleanup_container_ struct container *c = NULL;
    _cleanup_free_ char *replaced = NULL;
    create_finish(call, o);
    int r = container_create(call->firn, &o->create, &c, &replaced, err);
    strv_free(o->create.command);
    strv_free(o->create.create_command);
    if (r < 0)
        return r;
    if (replaced)
        printf("%s\n", o->create.name);
    printf("%s\n", c->id);
    return 0;
}

const struct command command_create = {
    .paths = {"create", "container create"},
    .usage = "[options] IMAGE [COMMAND [ARG...]]",
    .help = "Create but do not start a container",
    .options = table,
    .options_size = sizeof(struct create_call),
    .prepare = create_prepare,
    .args_least = 1,
    .args_most = ARGS_ANY,
    .flags = COMMAND_STOP_AT_POSITIONAL,
    .run = run,
};
