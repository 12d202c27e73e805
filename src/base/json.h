/* JSON values. The only file that knows the library (jansson) is json.c; the prefix is js_ because
 * json_ is its.
 *
 * Values are counted references. Functions that take a `struct json *value` to store it (`js_set`,
 * `js_push`) take the caller's reference over; `js_get` and `js_at` lend one that lives as
 * long as its parent. A NULL value is accepted everywhere and reads as missing.
 *
 *     _cleanup_json_ struct json *o = js_object();
 *     js_set(o, "id", js_string("abc"));
 *     js_set(o, "pid", js_int(42));
 *     const char *id = js_get_string(o, "id");      // "abc", or NULL when missing / not a string
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

struct json;

struct json *js_object(void);
struct json *js_array(void);
struct json *js_string(const char *s); /* NULL gives JSON null; invalid UTF-8 is replaced by '?' */
struct json *js_int(int64_t v);
struct json *js_real(double v);
struct json *js_bool(bool v);
struct json *js_null(void);
struct json *js_strings(char *const *list); /* an array, empty for NULL */
struct json *js_ref(struct json *v);
struct json *js_copy(const struct json *v); /* deep */
void js_unref(struct json *v);
DEFINE_CLEANUP(struct json *, js_unref);
#define _cleanup_json_ _cleanup_(js_unrefp)

bool js_is_object(const struct json *v);
bool js_is_array(const struct json *v);
bool js_is_string(const struct json *v);
bool js_is_int(const struct json *v);
bool js_is_real(const struct json *v);
bool js_is_bool(const struct json *v);
bool js_is_null(const struct json *v);
bool js_equal(const struct json *a, const struct json *b);

/* Objects. Insertion order is kept. */
void js_set(struct json *o, const char *key, struct json *value);
void js_remove(struct json *o, const char *key);
struct json *js_get(const struct json *o, const char *key);
/* Walks several keys: js_path(o, "process", "user", "uid", NULL). */
struct json *js_path(const struct json *o, ...) __attribute__((sentinel));
const char *js_get_string(const struct json *o, const char *key);
int64_t js_get_int(const struct json *o, const char *key, int64_t otherwise);
bool js_get_bool(const struct json *o, const char *key, bool otherwise);
/* A copy of an array of strings (other elements are skipped); the caller frees. NULL if missing. */
char **js_get_strings(const struct json *o, const char *key);

/* Arrays. */
void js_push(struct json *a, struct json *value);
size_t js_count(const struct json *v); /* elements of an array or keys of an object */
struct json *js_at(const struct json *a, size_t index);
void js_remove_at(struct json *a, size_t index);

const char *js_text(const struct json *v); /* of a string value, else NULL */
int64_t js_int_value(const struct json *v);
double js_real_value(const struct json *v);
bool js_bool_value(const struct json *v);

/* Iterates an object: `for (void *it = js_first(o); it; it = js_next(o, it))`. */
void *js_first(struct json *o);
void *js_next(struct json *o, void *it);
const char *js_iter_key(void *it);
struct json *js_iter_value(void *it);
#define JSON_FOREACH_KEY(o, it) for (void *it = js_first(o); it; it = js_next((o), it))
#define JSON_FOREACH(a, i)      for (size_t i = 0; i < js_count(a); i++)

/* Parses a whole document; duplicate keys and trailing garbage are errors.
 * `what` names the document in the error. */
int js_parse(const char *text, size_t size, const char *what, struct json **ret, struct error *err);
int js_parse_file(const char *path, struct json **ret, struct error *err);
/* indent 0: one line. The caller frees. */
char *js_dump(const struct json *v, int indent);
int js_write_file(const char *path, const struct json *v, mode_t mode, struct error *err);
