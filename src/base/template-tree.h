/* The tree of a parsed template: between template.c, which makes it, template-run.c, which walks
 * it, and template-functions.c. Not for others. */
#pragma once

#include "base/arena.h"
#include "base/template.h"

enum operand_kind {
    OPERAND_DOT,      /* . */
    OPERAND_FIELD,    /* .A.B */
    OPERAND_VARIABLE, /* $x.A, $.A */
    OPERAND_LITERAL,  /* "text" 5 true nil */
    OPERAND_FUNCTION, /* name */
    OPERAND_PIPE,     /* ( ... ).A */
};

struct operand {
    enum operand_kind kind;
    const char *name;      /* of a variable (with $) or a function */
    const char **fields;   /* NULL-terminated, may be NULL */
    struct json *literal;  /* lent by the template */
    struct pipeline *pipe; /* in parentheses */
    const char *source;    /* its text, for errors */
    size_t position;
    struct operand *next;
};

/* One step of a pipeline: an operand, or a function with arguments. */
struct step {
    struct operand *operands;
    struct step *next;
};

struct pipeline {
    const char *variables[2]; /* $k, $v := ...; one: the first */
    struct step *steps;
};

enum node_kind { NODE_TEXT, NODE_PIPELINE, NODE_IF, NODE_RANGE, NODE_WITH };

struct node {
    enum node_kind kind;
    const char *text;
    struct pipeline *pipe;
    struct node *body;
    struct node *otherwise;
    struct node *next;
};

struct template
{
    struct arena *arena;
    struct json *literals;
    const char *name;
    const char *type;
    const char *const *times;
    const char *text;
    struct node *nodes;
};

/* A function gets its arguments and returns a new value (NULL: no value). */
struct template_function {
    const char *name;
    int least, most; /* arguments; most -1: any number */
    int (*call)(struct json **args, size_t count, struct json **ret, struct error *err);
};
const struct template_function *template_function_find(const char *name, size_t size);
bool template_truth(const struct json *value);
