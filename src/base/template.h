/* Go templates as Podman's users write them, evaluated on JSON values:
 *
 *     {{.Field}} {{.A.B}} {{json .}} {{.X | upper}} {{index .X "k"}} {{len .X}} {{(index .A 0).B}}
 *     {{if .X}}..{{else if .Y}}..{{else}}..{{end}} {{range .X}}..{{else}}..{{end}}
 *     {{range $k, $v := .X}}..{{end}} {{with .X}}..{{end}} {{$v := .X}} {{/ * comment * /}} {{- -}}
 *
 * Functions: and or not eq ne lt le gt ge len index print printf println json lower upper title
 * join split pad truncate.
 *
 *     _cleanup_template_ struct template *t = NULL;
 *     r = template_parse(&(struct template_options){"ps", "containers.psReporter"}, text, &t, err);
 *     r = template_run(t, rows, &out, err);
 *
 * A field an object has not is an error, as a field unknown to a Go struct is, unless the object is
 * a map (Labels and the like): then it reads as "<no value>". Names are compared exactly first,
 * then without case, since JSON keys ("Id") and Podman's field names (".ID") differ. */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

struct template_options {
    const char *name; /* in error texts: "ps" */
    const char *type; /* of the data in error texts: "containers.psReporter"; NULL: it is a map */
    const char *const *times; /* fields that are times and print as Go's do; may be NULL */
};

struct template;
int template_parse(const struct template_options *options, const char *text, struct template **ret,
                   struct error *err);
int template_run(const struct template *t, struct json *data, struct buf *out, struct error *err);
void template_free(struct template *t);
DEFINE_CLEANUP(struct template *, template_free);
#define _cleanup_template_ _cleanup_(template_freep)

/* A value as Go's fmt prints it by %v: [a b], map[k:v], <no value>. */
void template_print(const struct json *value, struct buf *out);

/* What Podman does to --format: takes "table " away (then spaces separate columns too), turns \t
 * and \n into what they mean and adds a newline at the end. The caller frees. */
char *template_normalize(const char *format);
/* Starts with "table ". */
bool template_is_table(const char *format);
