/* A container to be made, described in JSON: one table per dialect says what each key means in
 * terms of struct create_options, the struct that the command line fills too.
 *
 * What a table does not have is an error that names the key, unless its value says nothing (null,
 * false, 0, "", [], {}): nobody gets a container that is not the one he has asked for. */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "container/create-options.h"

struct body_field;

struct body {
    struct create_options create;
    char **texts; /* what `create` points to and nobody else owns */
};

enum body_type {
    BODY_STRING, /* char *: text, number or true/false */
    BODY_BOOL,
    BODY_STRINGS, /* char **: a list of strings, or one */
    BODY_MAP,     /* char **: {"k": "v"} as "k=v" */
    BODY_TABLE,   /* an object: `table` */
    BODY_CUSTOM,  /* `set` */
    BODY_LIST,    /* likewise, of an array */
    BODY_OBJECT,  /* likewise, of an object */
    BODY_IGNORED, /* says nothing about the container */
};

struct body_field {
    const char *key;
    enum body_type type;
    size_t offset; /* in struct create_options */
    const struct body_field *table;
    int (*set)(struct body *b, const struct json *value, struct error *err);
};
#define BODY_FIELD(member) offsetof(struct create_options, member)

void body_init(struct body *b);
void body_free(struct body *b);
#define _cleanup_body_ _cleanup_(body_free)
int body_read(struct body *b, const struct body_field *table, const struct json *o,
              struct error *err);

/* For `set`: text that lives as long as the body. */
const char *body_text(struct body *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int body_wrong(const char *key, struct error *err);

extern const struct body_field body_libpod[]; /* Podman's SpecGenerator */
extern const struct body_field body_docker[]; /* Docker's Config with HostConfig */
