/* Options: one table describes each option once, and fills the same struct from argv (with the
 * syntax and the error texts of Podman's pflag) and from JSON or query parameters.
 *
 *     struct stop_options { bool all; int64_t time; char *cidfile; };
 *     static const struct option stop_table[] = {
 *         {"all", 'a', OPTION_BOOL, offsetof(struct stop_options, all), .help = "Stop all"},
 *         {"time", 't', OPTION_INT, offsetof(struct stop_options, time), "seconds",
 *          "Seconds to wait", .initial = "10"},
 *         {0},
 *     };
 *     struct stop_options o = {0};
 *     _cleanup_option_result_ struct option_result result = {0};
 *     int r = option_parse(stop_table, &o, argv, 0, &result, err);
 *     ...
 *     option_free(stop_table, &o);
 *
 * To add an option: one row. To share options between commands: a row of type OPTION_TABLE with
 * `table` and the offset of the inner struct. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

enum option_type {
    OPTION_BOOL,        /* bool: --x, --x=false */
    OPTION_STRING,      /* char *, NULL unless given */
    OPTION_STRINGS,     /* char **: one element each time it is given */
    OPTION_LIST,        /* char **: as OPTION_STRINGS, each value split at commas (CSV quoting) */
    OPTION_INT,         /* int64_t */
    OPTION_UINT,        /* uint64_t */
    OPTION_SIZE,        /* uint64_t bytes: "64m" */
    OPTION_FLOAT,       /* double */
    OPTION_DURATION,    /* int64_t nanoseconds: "250ms" */
    OPTION_MAP,         /* char **: "key=value" each time it is given */
    OPTION_TABLE,       /* the rows of another table, in the struct at `offset` */
    OPTION_UNSUPPORTED, /* Podman has it, firn has not: refused by name, never ignored */
};

struct option {
    const char *name; /* long, without dashes */
    char letter;      /* or 0 */
    enum option_type type;
    size_t offset;              /* of the field in the options struct */
    const char *argument;       /* name of the value in the help; NULL: by type */
    const char *help;           /* NULL: hidden */
    const char *initial;        /* the default, as one would type it; NULL: zero */
    const char *alias;          /* another long name */
    const struct option *table; /* of OPTION_TABLE */
    enum option_type check;     /* of OPTION_STRING: the text must read as this type too */
};

struct option_result {
    char **args;  /* what is no option */
    char **given; /* long names of the options given */
    bool help;    /* --help (or -h where no option has that letter) was met: nothing else counts */
};

enum option_flags {
    OPTION_STOP_AT_POSITIONAL = 1, /* all that follows the first positional is positional */
};

/* Sets the defaults of the table in a zeroed struct. option_parse does it itself. */
void option_defaults(const struct option *table, void *options);
/* Fills the struct from a NULL-terminated list (without the program's name). */
int option_parse(const struct option *table, void *options, char *const *argv, unsigned flags,
                 struct option_result *ret, struct error *err);
/* Fills the struct from an object; a key names an option in any spelling ("leaveRunning",
 * "leave_running", "leave-running"). Values are of the option's type or its text form. Unknown
 * keys are errors, as are unsupported options unless their value says nothing (null, false, 0,
 * "", [], {}). */
int option_from_json(const struct option *table, void *options, const struct json *object,
                     struct error *err);
/* Whether a key names an option, as option_from_json reads it. */
bool option_has_key(const struct option *table, const char *key);
/* Sets one option from its text form, as it would be typed. */
int option_set(const struct option *table, void *options, const char *name, const char *value,
               struct error *err);
/* Releases what the fields hold and zeroes them. */
void option_free(const struct option *table, void *options);

bool option_given(const struct option_result *r, const char *name);
void option_result_free(struct option_result *r);
#define _cleanup_option_result_ _cleanup_(option_result_free)

/* Finds a row by long name, inner tables included; NULL if there is none. */
const struct option *option_find(const struct option *table, const char *name);
/* All rows that are not hidden, inner tables included, sorted by name. The caller frees the
 * array; it ends with NULL. */
const struct option **option_list(const struct option *table);
/* The lines of the help, shaped like pflag's. */
void option_usage(const struct option *table, struct buf *out);
/* Whether the option takes a value in the next argument. */
bool option_takes_value(const struct option *o);
