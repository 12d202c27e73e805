#include <stdio.h>

#include "base/buf.h"
#include "base/strv.h"
#include "base/table.h"
#include "cli/commands.h"
#include "container/container.h"
#include "container/top.h"

struct top_command_options {
    bool latest, list;
};

static const struct option table[] = {
    {"latest", 'l', OPTION_BOOL, offsetof(struct top_command_options, latest),
     .help = "Act on the latest container firn is aware of"},
    {"list-descriptors", 0, OPTION_BOOL, offsetof(struct top_command_options, list),
     .help = "List supported descriptors"},
    {0},
};

static void add_line(struct buf *b, const struct json *texts)
{
    JSON_FOREACH(texts, i)
    {
        buf_printf(b, "%s%s", i ? "\t" : "", js_text(js_at(texts, i)));
    }
    buf_add_char(b, '\n');
}

static void print(const struct json *top)
{
    _cleanup_buf_ struct buf text = {0}, aligned = {0};
    const struct json *processes = js_get(top, "Processes");
    add_line(&text, js_get(top, "Titles"));
    JSON_FOREACH(processes, i)
    {
        add_line(&text, js_at(processes, i));
    }
    table_align(text.data, &aligned);
    fputs(aligned.data, stdout);
}

static int run(struct call *call, struct error *err)
{
    const struct top_command_options *o = call->options;
    _cleanup_container_ struct container *c = NULL;
    _cleanup_json_ struct json *top = NULL;
    _cleanup_strv_ char **names = container_top_columns();
    if (o->list) {
        STRV_FOREACH(name, names)
        printf("%s\n", *name);
        return 0;
    }
    if (!o->latest && !call->arg_count)
        return error_kind_set(err, ERROR_USAGE,
                              "you must provide the name or id of a running "
                              "container");
    int r = o->latest ? container_lookup_latest(call->firn, &c, err)
                      : container_lookup(call->firn, call->args[0], &c, err);
    if (r == 0)
        r = container_top(c, call->args + !o->latest, &top, err);
    if (r < 0)
        return r;
    print(top);
    return 0;
}

const struct command command_top = {
    .paths = {"top", "container top"},
    .usage = "[options] CONTAINER [FORMAT-DESCRIPTORS|ARGS...]",
    .help = "Display the running processes of a container",
    .options = table,
    .options_size = sizeof(struct top_command_options),
    .args_most = ARGS_ANY,
    .flags = COMMAND_STOP_AT_POSITIONAL,
    .run = run,
};
