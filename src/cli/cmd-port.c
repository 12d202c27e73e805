#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "container/container.h"
#include "container/port.h"

struct port_options {
    bool all, latest;
};

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, offsetof(struct port_options, all),
     .help = "Display port information for all containers"},
    {"latest", 'l', OPTION_BOOL, offsetof(struct port_options, latest),
     .help = "Act on the latest container firn is aware of"},
    {0},
};

/* "80" is "80/tcp". The caller frees; NULL: all ports. */
static int read_wanted(const char *text, char **ret, struct error *err)
{
    size_t digits = text ? strspn(text, "0123456789") : 0;
    *ret = NULL;
    if (!text)
        return 0;
    if (!digits || (text[digits] && text[digits] != '/'))
        return error_kind_set(err, ERROR_USAGE, "invalid port \"%s\"", text);
    *ret = text[digits] ? xstrdup(text) : xasprintf("%s/tcp", text);
    return 0;
}

/* Returns how many lines it printed. */
static size_t print_ports(const struct container *c, const char *wanted, bool name_it)
{
    _cleanup_json_ struct json *bindings = ports_bindings(js_get(c->config, "newPortMappings"));
    size_t count = 0;
    JSON_FOREACH_KEY(bindings, it)
    {
        if (wanted && !string_equal(wanted, js_iter_key(it)))
            continue;
        const struct json *list = js_iter_value(it);
        JSON_FOREACH(list, i)
        {
            const char *ip = js_get_string(js_at(list, i), "HostIp");
            if (name_it)
                printf("%.12s\t", c->id);
            if (!wanted)
                printf("%s -> ", js_iter_key(it));
            printf("%s:%s\n", *ip ? ip : "0.0.0.0", js_get_string(js_at(list, i), "HostPort"));
            count++;
        }
    }
    return count;
}

static int run(struct call *call, struct error *err)
{
    const struct port_options *o = call->options;
    _cleanup_container_list_ struct container_list list = {0};
    _cleanup_free_ char *wanted = NULL;
    bool one = !o->all && !o->latest;
    if (one && !call->arg_count)
        return error_kind_set(err, ERROR_USAGE, "you must supply a running container name or id");
    if (o->all && call->arg_count)
        return error_kind_set(err, ERROR_USAGE, "no arguments are needed with --all");
    char *names[] = {one ? call->args[0] : NULL, NULL};
    struct container_selection s = {.names = names, .all = o->all, .latest = o->latest};
    int r = read_wanted(call->arg_count > (size_t)one ? call->args[one] : NULL, &wanted, err);
    if (r >= 0)
        r = container_select(call->firn, &s, &list, err);
    if (r < 0)
        return r;
    size_t count = 0;
    for (size_t i = 0; i < list.count; i++)
        count += print_ports(list.items[i], wanted, o->all);
    if (wanted && !count)
        return error_kind_set(err, ERROR_NOT_FOUND, "failed to find published port \"%s\"",
                              call->args[one]);
    return 0;
}

const struct command command_port = {
    .paths = {"port", "container port"},
    .usage = "[options] CONTAINER [PORT]",
    .help = "List port mappings or a specific mapping for the container",
    .options = table,
    .options_size = sizeof(struct port_options),
    .args_most = 2,
    .run = run,
};
