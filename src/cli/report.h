/* Lists: rows (JSON objects) through a format. The default output of a list command is just the
 * default value of its --format. */
#pragma once

#include "base/json.h"
#include "base/template.h"

/* Headers that are not just the field's name in capitals ("RunningFor": "CREATED"). */
struct report_header {
    const char *field;
    const char *text;
};

struct report {
    struct template_options names;       /* of the command and the row's type, for error texts */
    const char *const *fields;           /* all there are; ends with NULL */
    const struct report_header *headers; /* ends with {NULL}; may be NULL */
};

/* `format` as given to --format ("table ..." or a template). Prints on stdout. */
int report_print(const struct report *report, const char *format, bool no_heading,
                 struct json *rows, struct error *err);

/* A single object (version, info) through a format. */
int report_object(const struct template_options *names, const char *format, struct json *object,
                  struct error *err);
/* "json" or one of its spellings ("{{json .}}", "{{ json . }}"). */
bool report_is_json(const char *format);
/* Prints a value as indented JSON with a newline. */
void report_json(const struct json *value, int indent);
