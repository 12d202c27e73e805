#include <stdio.h>
#include <string.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "container/container.h"
#include "store/image.h"
#include "store/network.h"
#include "store/volume.h"

/* The last argument is the word being typed, those before it the finished ones. Prints one
 * candidate a line; whether it fits what was typed the shell sees itself. */

static void print_group(const char *group)
{
    for (const struct command *const *c = commands; *c; c++) {
        const char *name = command_name_in(*c, group);
        if (name && !((*c)->flags & COMMAND_HIDDEN))
            printf("%s\n", name);
    }
    for (const struct command_group *g = command_groups; !group && g->name; g++)
        printf("%s\n", g->name);
}

static void print_options(const struct option *table)
{
    _cleanup_free_ const struct option **list = option_list(table);
    for (size_t i = 0; list[i]; i++)
        printf("--%s\n", list[i]->name);
    printf("--help\n");
}

static void print_containers(struct firn *firn)
{
    _cleanup_container_list_ struct container_list list = {0};
    if (container_list_all(firn, &list, NULL) < 0)
        return;
    for (size_t i = 0; i < list.count; i++)
        printf("%s\n", list.items[i]->name);
}

static void print_images(struct firn *firn)
{
    _cleanup_image_list_ struct image_list list = {0};
    if (image_list(firn->store, &list, NULL) < 0)
        return;
    for (size_t i = 0; i < list.count; i++)
        STRV_FOREACH(name, list.items[i]->names)
    printf("%s\n", *name);
}

static void print_volumes(struct firn *firn)
{
    _cleanup_volume_list_ struct volume_list list = {0};
    if (volume_list(firn->store, &list, NULL) < 0)
        return;
    for (size_t i = 0; i < list.count; i++)
        printf("%s\n", list.items[i]->name);
}

static void print_networks(struct firn *firn)
{
    _cleanup_network_list_ struct network_list list = {0};
    if (network_list(firn->store, &list, NULL) < 0)
        return;
    for (size_t i = 0; i < list.count; i++)
        printf("%s\n", list.items[i]->name);
}

/* What a command takes is written in its usage. */
static void print_arguments(const struct command *c, struct firn *firn)
{
    if (!firn || !c->usage)
        return;
    if (strstr(c->usage, "CONTAINER"))
        print_containers(firn);
    if (strstr(c->usage, "IMAGE"))
        print_images(firn);
    if (strstr(c->usage, "VOLUME"))
        print_volumes(firn);
    if (strstr(c->usage, "NETWORK"))
        print_networks(firn);
}

/* Is the last finished word an option that waits for its value? */
static bool waits_for_value(const struct option *table, const char *word)
{
    if (!table || !string_starts(word, "--") || strchr(word, '='))
        return false;
    const struct option *o = option_find(table, word + 2);
    return o && option_takes_value(o);
}

/* The first word that is neither a global option nor the value of one. */
static char *const *skip_globals(char *const *words)
{
    for (; words[0] && words[0][0] == '-'; words++)
        if (waits_for_value(global_table, words[0]) && words[1])
            words++;
    return words;
}

static int run(struct call *call, struct error *err)
{
    if (!call->arg_count)
        return 0;
    const char *typed = call->args[call->arg_count - 1];
    const char *before = call->arg_count > 1 ? call->args[call->arg_count - 2] : "";
    char *const *words = skip_globals(call->args);
    size_t used;
    const char *path;
    const struct command *c = words[0] ? command_find(words, &used, &path) : NULL;
    const struct command_group *group = words[0] && words[1] ? command_group_find(words[0]) : NULL;
    bool in_command = c && words + used < call->args + call->arg_count;
    const struct option *table = in_command ? c->options : global_table;
    if (waits_for_value(table, before))
        return 0;
    if (typed[0] == '-' && table)
        print_options(table);
    else if (in_command)
        print_arguments(c, call->firn);
    else
        print_group(group ? group->name : NULL);
    return 0;
}

const struct command command_complete = {
    .paths = {"__complete"},
    .help = "Candidates for the completion of a command line",
    .args_most = ARGS_ANY,
    .flags = COMMAND_HIDDEN | COMMAND_RAW,
    .run = run,
};
