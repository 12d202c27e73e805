#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"

static void print_options(const struct option *table)
{
    _cleanup_buf_ struct buf b = {0};
    if (table)
        option_usage(table, &b);
    if (b.size)
        printf("\nOptions:\n%s", b.data);
}

void help_command(const struct command *c, const char *path)
{
    printf("%s\n\nDescription:\n  %s\n\nUsage:\n  firn %s%s%s\n", c->help, c->help, path,
           c->usage ? " " : "", c->usage ? c->usage : "");
    print_options(c->options);
    putchar('\n');
}

/* "name\thelp" of every command of the group. The caller frees. */
static char **list_commands(const char *group)
{
    char **list = NULL;
    for (const struct command *const *c = commands; *c; c++) {
        const char *name = command_name_in(*c, group);
        if (name && !((*c)->flags & COMMAND_HIDDEN))
            strv_addf(&list, "%s\t%s", name, (*c)->help);
    }
    for (const struct command_group *g = command_groups; !group && g->name; g++)
        strv_addf(&list, "%s\t%s", g->name, g->help);
    return list;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_commands(const char *group)
{
    _cleanup_strv_ char **list = list_commands(group);
    if (!group)
        strv_add(&list, "help\tHelp about any command");
    if (!list)
        return;
    qsort(list, strv_length(list), sizeof(char *), compare_lines);
    printf("\nAvailable Commands:\n");
    STRV_FOREACH(line, list)
    {
        int size = (int)strcspn(*line, "\t");
        printf("  %-11.*s %s\n", size, *line, *line + size + 1);
    }
}

void help_group(const struct command_group *group)
{
    const char *help = group ? group->help : "Manage containers, and checkpoint them";
    printf("%s\n\n", help);
    if (group)
        printf("Description:\n  %s\n\nUsage:\n  firn %s [command]\n", help, group->name);
    else
        printf("Usage:\n  firn [options] [command]\n");
    print_commands(group ? group->name : NULL);
    if (group)
        putchar('\n');
    else
        print_options(global_table);
}
