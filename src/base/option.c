#include "base/option.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"

/* A row found, and the struct its offset counts from. */
struct target {
    const struct option *row;
    char *base;
};

/* ---- finding rows ---- */

static bool name_is(const struct option *o, const char *name, size_t size)
{
    return (o->name && strlen(o->name) == size && memcmp(o->name, name, size) == 0) ||
           (o->alias && strlen(o->alias) == size && memcmp(o->alias, name, size) == 0);
}

static bool is_end(const struct option *o)
{
    return !o->name && o->type != OPTION_TABLE;
}

static struct target find_long(const struct option *table, char *base, const char *name,
                               size_t size)
{
    for (const struct option *o = table; !is_end(o); o++) {
        if (o->type == OPTION_TABLE) {
            struct target t = find_long(o->table, base + o->offset, name, size);
            if (t.row)
                return t;
        } else if (name_is(o, name, size)) {
            return (struct target){o, base};
        }
    }
    return (struct target){0};
}

static struct target find_letter(const struct option *table, char *base, char letter)
{
    for (const struct option *o = table; !is_end(o); o++) {
        if (o->type == OPTION_TABLE) {
            struct target t = find_letter(o->table, base + o->offset, letter);
            if (t.row)
                return t;
        } else if (o->letter == letter) {
            return (struct target){o, base};
        }
    }
    return (struct target){0};
}

/* "leaveRunning", "leave_running" and "leave-running" are one name. */
static bool name_is_like(const char *name, const char *key)
{
    for (;;) {
        while (*name == '-' || *name == '_')
            name++;
        while (*key == '-' || *key == '_')
            key++;
        if (tolower((unsigned char)*name) != tolower((unsigned char)*key))
            return false;
        if (!*name)
            return true;
        name++;
        key++;
    }
}

static struct target find_key(const struct option *table, char *base, const char *key)
{
    for (const struct option *o = table; !is_end(o); o++) {
        if (o->type == OPTION_TABLE) {
            struct target t = find_key(o->table, base + o->offset, key);
            if (t.row)
                return t;
        } else if (name_is_like(o->name, key) || (o->alias && name_is_like(o->alias, key))) {
            return (struct target){o, base};
        }
    }
    return (struct target){0};
}

const struct option *option_find(const struct option *table, const char *name)
{
    char nothing;
    return find_long(table, &nothing, name, strlen(name)).row;
}

bool option_takes_value(const struct option *o)
{
    return o->type != OPTION_BOOL && (o->type != OPTION_UNSUPPORTED || o->argument);
}

/* ---- values ---- */

static void *field(const struct target *t)
{
    return t->base + t->row->offset;
}

static int parse_failed(struct error *err, const char *function, const char *value, const char *why)
{
    return error_kind_set(err, ERROR_USAGE, "strconv.%s: parsing \"%s\": %s", function, value, why);
}

static int set_bool(const struct target *t, const char *value, struct error *err)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (string_equal(value, yes[i]) || string_equal(value, no[i])) {
            *(bool *)field(t) = string_equal(value, yes[i]);
            return 0;
        }
    }
    return parse_failed(err, "ParseBool", value, "invalid syntax");
}

static int check_text(enum option_type type, const char *value, struct error *err);

static int set_string(const struct target *t, const char *value, struct error *err)
{
    int r = check_text(t->row->check, value, err);
    if (r < 0)
        return r;
    char **p = field(t);
    free(*p);
    *p = xstrdup(value);
    return 0;
}

static int set_strings(const struct target *t, const char *value, struct error *err)
{
    strv_add(field(t), value);
    return 0;
}

/* A comma-separated record in which "..." protects commas, as encoding/csv reads it. */
static int set_list(const struct target *t, const char *value, struct error *err)
{
    if (!*value)
        return 0;
    _cleanup_buf_ struct buf item = {0};
    bool quoted = false;
    for (const char *p = value;; p++) {
        if (*p == '"' && (quoted || !item.size)) {
            if (quoted && p[1] == '"')
                buf_add_char(&item, *p++);
            else
                quoted = !quoted;
        } else if (!*p || (*p == ',' && !quoted)) {
            strv_take(field(t), buf_take(&item));
            if (!*p)
                return 0;
        } else {
            buf_add_char(&item, *p);
        }
    }
}

static int set_int(const struct target *t, const char *value, struct error *err)
{
    char *end;
    errno = 0;
    long long v = strtoll(value, &end, 0);
    if (!*value || *end || isspace((unsigned char)*value))
        return parse_failed(err, "ParseInt", value, "invalid syntax");
    if (errno)
        return parse_failed(err, "ParseInt", value, "value out of range");
    *(int64_t *)field(t) = v;
    return 0;
}

static int set_uint(const struct target *t, const char *value, struct error *err)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(value, &end, 0);
    if (!isdigit((unsigned char)*value) || *end)
        return parse_failed(err, "ParseUint", value, "invalid syntax");
    if (errno)
        return parse_failed(err, "ParseUint", value, "value out of range");
    *(uint64_t *)field(t) = v;
    return 0;
}

static int set_float(const struct target *t, const char *value, struct error *err)
{
    char *end;
    double v = strtod(value, &end);
    if (!*value || *end || isspace((unsigned char)*value))
        return parse_failed(err, "ParseFloat", value, "invalid syntax");
    *(double *)field(t) = v;
    return 0;
}

static int set_size(const struct target *t, const char *value, struct error *err)
{
    return size_parse(value, field(t), err);
}

static int set_duration(const struct target *t, const char *value, struct error *err)
{
    return duration_parse(value, field(t), err);
}

static int set_map(const struct target *t, const char *value, struct error *err)
{
    strv_add(field(t), value);
    return 0;
}

static int set_unsupported(const struct target *t, const char *value, struct error *err)
{
    return error_kind_set(err, ERROR_USAGE, "--%s is not supported by firn yet", t->row->name);
}

static void free_string(void *p)
{
    free(*(char **)p);
}

static void free_strings(void *p)
{
    strv_free(*(char ***)p);
}

/* What there is to know about each type. */
static const struct {
    const char *argument; /* in the help */
    size_t size;          /* of the field */
    int (*set)(const struct target *, const char *value, struct error *);
    void (*release)(void *field);
} types[] = {
    [OPTION_BOOL] = {NULL, sizeof(bool), set_bool, NULL},
    [OPTION_STRING] = {"string", sizeof(char *), set_string, free_string},
    [OPTION_STRINGS] = {"stringArray", sizeof(char **), set_strings, free_strings},
    [OPTION_LIST] = {"strings", sizeof(char **), set_list, free_strings},
    [OPTION_INT] = {"int", sizeof(int64_t), set_int, NULL},
    [OPTION_UINT] = {"uint", sizeof(uint64_t), set_uint, NULL},
    [OPTION_SIZE] = {"bytes", sizeof(uint64_t), set_size, NULL},
    [OPTION_FLOAT] = {"float", sizeof(double), set_float, NULL},
    [OPTION_DURATION] = {"duration", sizeof(int64_t), set_duration, NULL},
    [OPTION_MAP] = {"stringArray", sizeof(char **), set_map, free_strings},
    [OPTION_TABLE] = {0},
    [OPTION_UNSUPPORTED] = {NULL, 0, set_unsupported, NULL},
};

/* For numbers kept as text: would the text do? */
static int check_text(enum option_type type, const char *value, struct error *err)
{
    uint64_t scratch;
    static const struct option row = {.name = ""};
    struct target t = {&row, (char *)&scratch};
    if (type != OPTION_INT && type != OPTION_UINT && type != OPTION_FLOAT)
        return 0;
    return types[type].set(&t, value, err);
}

static int set_value(const struct target *t, const char *value, struct error *err)
{
    const struct option *o = t->row;
    int r = types[o->type].set(t, value, err);
    if (r >= 0 || o->type == OPTION_UNSUPPORTED)
        return r;
    char shorthand[] = {'-', o->letter, ',', ' ', 0};
    return error_wrap(err, "invalid argument \"%s\" for \"%s--%s\" flag", value,
                      o->letter ? shorthand : "", o->name);
}

/* A list that still holds its default is emptied by the first value given. */
static int give(const struct target *t, const char *value, struct option_result *ret,
                struct error *err)
{
    const struct option *o = t->row;
    bool first = !option_given(ret, o->name);
    if (first && o->initial && types[o->type].release == free_strings) {
        char ***list = field(t);
        strv_free(take_ptr(*list));
    }
    int r = set_value(t, value, err);
    if (r < 0)
        return r;
    if (first)
        strv_add(&ret->given, o->name);
    return 0;
}

void option_defaults(const struct option *table, void *options)
{
    for (const struct option *o = table; !is_end(o); o++) {
        struct target t = {o, options};
        if (o->type == OPTION_TABLE)
            option_defaults(o->table, field(&t));
        else if (o->initial && o->type != OPTION_UNSUPPORTED)
            set_value(&t, o->initial, NULL);
    }
}

void option_free(const struct option *table, void *options)
{
    for (const struct option *o = table; !is_end(o); o++) {
        struct target t = {o, options};
        if (o->type == OPTION_TABLE) {
            option_free(o->table, field(&t));
            continue;
        }
        if (types[o->type].release)
            types[o->type].release(field(&t));
        memset(field(&t), 0, types[o->type].size);
    }
}

int option_set(const struct option *table, void *options, const char *name, const char *value,
               struct error *err)
{
    struct target t = find_long(table, options, name, strlen(name));
    if (!t.row)
        return error_kind_set(err, ERROR_USAGE, "unknown flag: --%s", name);
    return set_value(&t, value, err);
}

/* ---- argv ---- */

struct parse {
    const struct option *table;
    char *options;
    char *const *next; /* the argument after the one looked at */
    struct option_result *ret;
};

static int parse_long(struct parse *p, const char *arg, struct error *err)
{
    const char *name = arg + 2;
    size_t size = strcspn(name, "=");
    const char *value = name[size] ? name + size + 1 : NULL;
    if (!*name || *name == '-' || *name == '=')
        return error_kind_set(err, ERROR_USAGE, "bad flag syntax: %s", arg);
    struct target t = find_long(p->table, p->options, name, size);
    if (!t.row && size == 4 && memcmp(name, "help", 4) == 0) {
        p->ret->help = true;
        return 0;
    }
    if (!t.row)
        return error_kind_set(err, ERROR_USAGE, "unknown flag: --%.*s", (int)size, name);
    if (t.row->type == OPTION_UNSUPPORTED)
        return set_unsupported(&t, NULL, err);
    if (!value && t.row->type == OPTION_BOOL)
        value = "true";
    if (!value && !*p->next)
        return error_kind_set(err, ERROR_USAGE, "flag needs an argument: %s", arg);
    if (!value)
        value = *p->next++;
    return give(&t, value, p->ret, err);
}

/* -it, -n5, -n=5, -n 5. */
static int parse_letters(struct parse *p, const char *arg, struct error *err)
{
    for (const char *c = arg + 1; *c && !p->ret->help; c++) {
        struct target t = find_letter(p->table, p->options, *c);
        if (!t.row && *c == 'h') {
            p->ret->help = true;
            return 0;
        }
        if (!t.row)
            return error_kind_set(err, ERROR_USAGE, "unknown shorthand flag: '%c' in -%s", *c, c);
        if (t.row->type == OPTION_UNSUPPORTED)
            return set_unsupported(&t, NULL, err);
        const char *value = NULL;
        if (c[1] == '=' && c[2])
            value = c + 2;
        else if (t.row->type != OPTION_BOOL && c[1])
            value = c + 1;
        if (!value && t.row->type == OPTION_BOOL) {
            int r = give(&t, "true", p->ret, err);
            if (r < 0)
                return r;
            continue;
        }
        if (!value && !*p->next)
            return error_kind_set(err, ERROR_USAGE, "flag needs an argument: '%c' in -%s", *c, c);
        return give(&t, value ? value : *p->next++, p->ret, err);
    }
    return 0;
}

int option_parse(const struct option *table, void *options, char *const *argv, unsigned flags,
                 struct option_result *ret, struct error *err)
{
    struct parse p = {.table = table, .options = options, .next = argv, .ret = ret};
    option_defaults(table, options);
    while (*p.next && !ret->help) {
        const char *arg = *p.next++;
        if (string_equal(arg, "--"))
            break;
        if (arg[0] != '-' || !arg[1]) {
            strv_add(&ret->args, arg);
            if (flags & OPTION_STOP_AT_POSITIONAL)
                break;
            continue;
        }
        int r = arg[1] == '-' ? parse_long(&p, arg, err) : parse_letters(&p, arg, err);
        if (r < 0)
            return r;
    }
    strv_add_all(&ret->args, p.next);
    return 0;
}

bool option_given(const struct option_result *r, const char *name)
{
    return strv_contains(r->given, name);
}

void option_result_free(struct option_result *r)
{
    strv_free(r->args);
    strv_free(r->given);
    *r = (struct option_result){0};
}

/* ---- JSON ---- */

static bool says_nothing(const struct json *v)
{
    if (js_is_string(v))
        return !*js_text(v);
    if (js_is_int(v))
        return js_int_value(v) == 0;
    if (js_is_array(v) || js_is_object(v))
        return js_count(v) == 0;
    return !v || js_is_null(v) || (js_is_bool(v) && !js_bool_value(v));
}

static int from_json(const struct target *t, const struct json *value, struct error *err);

static int from_json_list(const struct target *t, const struct json *value, struct error *err)
{
    JSON_FOREACH(value, i)
    {
        int r = from_json(t, js_at(value, i), err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int from_json_map(const struct target *t, struct json *value, struct error *err)
{
    JSON_FOREACH_KEY(value, it)
    {
        const char *text = js_text(js_iter_value(it));
        if (!text)
            return error_kind_set(err, ERROR_USAGE, "value of \"%s\" in \"%s\" is not a string",
                                  js_iter_key(it), t->row->name);
        strv_addf(field(t), "%s=%s", js_iter_key(it), text);
    }
    return 0;
}

static int from_json(const struct target *t, const struct json *value, struct error *err)
{
    bool many = types[t->row->type].release == free_strings;
    if (t->row->type == OPTION_UNSUPPORTED)
        return says_nothing(value) ? 0 : set_unsupported(t, NULL, err);
    if (js_is_null(value))
        return 0;
    if (many && js_is_array(value))
        return from_json_list(t, value, err);
    if (many && js_is_object(value))
        return from_json_map(t, (struct json *)value, err);
    if (many && js_is_string(value)) {
        strv_add(field(t), js_text(value));
        return 0;
    }
    if (js_is_string(value))
        return set_value(t, js_text(value), err);
    if (js_is_array(value) || js_is_object(value))
        return error_kind_set(err, ERROR_USAGE, "value of \"%s\" has the wrong type", t->row->name);
    _cleanup_free_ char *text = js_dump(value, 0);
    return set_value(t, text, err);
}

bool option_has_key(const struct option *table, const char *key)
{
    char nothing;
    return find_key(table, &nothing, key).row != NULL;
}

int option_from_json(const struct option *table, void *options, const struct json *object,
                     struct error *err)
{
    option_defaults(table, options);
    if (!js_is_object(object))
        return error_kind_set(err, ERROR_USAGE, "parameters are not an object");
    JSON_FOREACH_KEY((struct json *)object, it)
    {
        struct target t = find_key(table, options, js_iter_key(it));
        if (!t.row)
            return error_kind_set(err, ERROR_USAGE, "unknown parameter \"%s\"", js_iter_key(it));
        int r = from_json(&t, js_iter_value(it), err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- help ---- */

static void list_rows(const struct option *table, const struct option ***list, size_t *used,
                      size_t *room)
{
    for (const struct option *o = table; !is_end(o); o++) {
        if (o->type == OPTION_TABLE) {
            list_rows(o->table, list, used, room);
            continue;
        }
        if (!o->help || o->type == OPTION_UNSUPPORTED)
            continue;
        array_reserve(*list, *used, *room);
        (*list)[(*used)++] = o;
    }
}

static int compare_rows(const void *a, const void *b)
{
    const struct option *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

const struct option **option_list(const struct option *table)
{
    const struct option **list = NULL;
    size_t used = 0, room = 0;
    list_rows(table, &list, &used, &room);
    if (used)
        qsort(list, used, sizeof(*list), compare_rows);
    array_reserve(list, used, room);
    list[used] = NULL;
    return list;
}

static char *usage_left(const struct option *o)
{
    const char *argument = o->argument ? o->argument : types[o->type].argument;
    _cleanup_buf_ struct buf b = {0};
    if (o->letter)
        buf_printf(&b, "  -%c, --%s", o->letter, o->name);
    else
        buf_printf(&b, "      --%s", o->name);
    if (option_takes_value(o) && argument)
        buf_printf(&b, " %s", argument);
    return buf_take(&b);
}

static bool worth_showing(const char *initial)
{
    return initial && *initial && !string_equal(initial, "0") && !string_equal(initial, "false");
}

void option_usage(const struct option *table, struct buf *out)
{
    _cleanup_free_ const struct option **list = option_list(table);
    _cleanup_strv_ char **left = NULL;
    size_t width = 0;
    for (size_t i = 0; list[i]; i++) {
        strv_take(&left, usage_left(list[i]));
        size_t size = strlen(left[i]);
        width = size > width ? size : width;
    }
    for (size_t i = 0; list[i]; i++) {
        const struct option *o = list[i];
        buf_printf(out, "%-*s   %s", (int)width, left[i], o->help);
        if (worth_showing(o->initial))
            buf_printf(out, o->type == OPTION_STRING ? " (default \"%s\")" : " (default %s)",
                       o->initial);
        buf_add_char(out, '\n');
    }
}
