/* Commands: what they are called, what they accept, what they do.
 *
 * To add one: write cmd-NAME.c with its options table, its run function and a
 * `const struct command command_NAME`; add a line to commands.h, commands.c and meson.build.
 *
 *     static int run(struct call *c, struct error *err)
 *     {
 *         const struct stop_options *o = c->options;
 *         ...
 *     }
 *
 * The run function prints results on stdout and returns the exit code, or a negative error with
 * `err` set: main.c prints it. */
#pragma once

#include "base/error.h"
#include "base/option.h"
#include "cli/global.h"
#include "container/firn.h"

enum command_flags {
    COMMAND_STOP_AT_POSITIONAL = 1, /* options end at the first argument: run, create, exec */
    COMMAND_WITHOUT_STORE = 2,      /* call.firn is not opened */
    COMMAND_HIDDEN = 4,             /* not in the help */
    COMMAND_RM_CODES = 8,           /* exit 1 for what is not there, 2 for what is in use */
    COMMAND_RAW = 16,               /* no options are parsed, all is in args */
};

/* args_most of commands that take any number. */
#define ARGS_ANY (-1)

struct command {
    /* What may be typed: "ps", "container list", "container ls". The first of each group is the one
     * the help shows. Ends with NULL. */
    const char *paths[6];
    const char *usage; /* after the name: "[options] CONTAINER [CONTAINER...]" */
    const char *help;  /* one line */
    const struct option *options;
    size_t options_size; /* of the struct the table fills */
    /* Before the options are parsed, on the zeroed struct; may be NULL. */
    void (*prepare)(void *options);
    int args_least, args_most;
    unsigned flags;
    int (*run)(struct call *c, struct error *err);
};

/* One call of a command. */
struct call {
    const struct command *command;
    const char *path;  /* as typed: "container ls" */
    char *const *argv; /* the whole command line */
    const struct global_options *global;
    void *options;     /* the command's struct, filled in */
    char *const *args; /* NULL-terminated */
    size_t arg_count;
    const struct option_result *given;
    struct firn *firn;
};

/* Goes where the user's containers are: nothing for root and within his namespaces, else the whole
 * program starts again in them, so that it only returns on failure. Done for all commands that use
 * the store. */
int call_enter_namespaces(const struct call *call, struct error *err);

/* Groups of commands: `firn container COMMAND`. */
struct command_group {
    const char *name;
    const char *help;
};
extern const struct command_group command_groups[];
extern const struct command *const commands[]; /* both end with an empty element */

/* The command whose path are the first one or two of `words`; *ret_used says how many, *ret_path
 * is the path. NULL: none. */
const struct command *command_find(char *const *words, size_t *ret_used, const char **ret_path);
const struct command_group *command_group_find(const char *name);
/* The name of the command in a group (NULL: top level), NULL if it is not in it. */
const char *command_name_in(const struct command *c, const char *group);
/* ``unrecognized command `firn bogus` `` with what may have been meant. `group` may be NULL. */
int command_unknown(const char *group, const char *name, struct error *err);
