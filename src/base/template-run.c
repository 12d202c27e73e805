#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "base/template-tree.h"

struct variable {
    const char *name;
    struct json *value;
};

struct run {
    const struct template *t;
    struct buf *out;
    struct json *dot;
    struct json *made; /* values made on the way, kept to the end */
    struct variable *variables;
    size_t used, room;
};

/* ---- printing ---- */

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Go walks maps in the order of their keys. The caller frees. */
static char **sorted_keys(struct json *o)
{
    char **keys = NULL;
    JSON_FOREACH_KEY(o, it)
    strv_add(&keys, js_iter_key(it));
    if (keys)
        qsort(keys, strv_length(keys), sizeof(char *), compare_strings);
    return keys;
}

static void print_map(const struct json *value, struct buf *out)
{
    _cleanup_strv_ char **keys = sorted_keys((struct json *)value);
    buf_add_string(out, "map[");
    STRV_FOREACH(k, keys)
    {
        buf_printf(out, "%s%s:", k == keys ? "" : " ", *k);
        template_print(js_get(value, *k), out);
    }
    buf_add_char(out, ']');
}

void template_print(const struct json *value, struct buf *out)
{
    if (!value || js_is_null(value)) {
        buf_add_string(out, "<no value>");
    } else if (js_is_string(value)) {
        buf_add_string(out, js_text(value));
    } else if (js_is_object(value)) {
        print_map(value, out);
    } else if (js_is_array(value)) {
        buf_add_char(out, '[');
        JSON_FOREACH(value, i)
        {
            if (i)
                buf_add_char(out, ' ');
            template_print(js_at(value, i), out);
        }
        buf_add_char(out, ']');
    } else if (js_is_real(value)) {
        buf_printf(out, "%.10g", js_real_value(value));
    } else {
        _cleanup_free_ char *text = js_dump(value, 0);
        buf_add_string(out, text);
    }
}

bool template_truth(const struct json *v)
{
    if (js_is_bool(v))
        return js_bool_value(v);
    if (js_is_string(v))
        return *js_text(v);
    if (js_is_int(v))
        return js_int_value(v) != 0;
    if (js_is_real(v))
        return js_real_value(v) != 0;
    return js_count(v) > 0;
}

/* ---- values ---- */

static int failed(const struct run *run, const struct operand *at, struct error *err,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

static int failed(const struct run *run, const struct operand *at, struct error *err,
                  const char *format, ...)
{
    const char *text = run->t->text, *line_start = text;
    size_t line = 1;
    for (const char *c = text; c < text + at->position; c++) {
        if (*c == '\n') {
            line++;
            line_start = c + 1;
        }
    }
    va_list ap;
    va_start(ap, format);
    _cleanup_free_ char *what = xvasprintf(format, ap);
    va_end(ap);
    return error_kind_set(err, ERROR_USAGE, "template: %s:%zu:%zu: executing \"%s\" at <%s>: %s",
                          run->t->name, line, at->position - (size_t)(line_start - text),
                          run->t->name, at->source, what);
}

/* Objects whose keys are data and not the fields of a struct. */
static bool is_map(const char *field)
{
    static const char *const maps[] = {"Labels",       "Annotations", "Options", "Sysctls",
                                       "Networks",     "Ports",       "Tmpfs",   "GraphStatus",
                                       "GraphOptions", "Registries",  "Aliases"};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        if (strcasecmp(maps[i], field) == 0)
            return true;
    return false;
}

static struct json *get_without_case(struct json *o, const char *name)
{
    JSON_FOREACH_KEY(o, it)
    {
        if (strcasecmp(js_iter_key(it), name) == 0)
            return js_iter_value(it);
    }
    return NULL;
}

static const char *type_name(const struct json *v)
{
    if (js_is_string(v))
        return "string";
    if (js_is_int(v))
        return "int64";
    if (js_is_bool(v))
        return "bool";
    if (js_is_array(v))
        return "[]interface {}";
    return "interface {}";
}

/* Follows .A.B from `value`. `type` names the struct `value` is. */
static int walk(const struct run *run, const struct operand *o, struct json *value,
                const char *type, struct json **ret, struct error *err)
{
    const char *parent = NULL;
    for (const char **f = o->fields; f && *f; parent = *f++) {
        if (!value || js_is_null(value)) {
            value = NULL;
            continue;
        }
        if (!js_is_object(value))
            return failed(run, o, err, "can't evaluate field %s in type %s", *f, type_name(value));
        struct json *next = js_get(value, *f);
        if (!next)
            next = get_without_case(value, *f);
        bool map = parent ? is_map(parent) : !type;
        if (!next && !map)
            return failed(run, o, err, "can't evaluate field %s in type %s", *f,
                          parent ? parent : type);
        value = next;
    }
    *ret = value;
    return 0;
}

static int run_pipeline(struct run *run, const struct pipeline *pipe, struct json **ret,
                        struct error *err);

static int find_variable(const struct run *run, const struct operand *o, struct json **ret,
                         struct error *err)
{
    for (size_t i = run->used; i > 0; i--) {
        if (string_equal(run->variables[i - 1].name, o->name)) {
            *ret = run->variables[i - 1].value;
            return 0;
        }
    }
    return failed(run, o, err, "undefined variable \"%s\"", o->name);
}

static int call(struct run *run, const struct operand *function, struct json *piped, bool has_piped,
                struct json **ret, struct error *err);

static int operand_value(struct run *run, const struct operand *o, struct json **ret,
                         struct error *err)
{
    struct json *base = run->dot;
    int r = 0;
    switch (o->kind) {
    case OPERAND_DOT:
    case OPERAND_FIELD:
        break;
    case OPERAND_VARIABLE:
        r = find_variable(run, o, &base, err);
        break;
    case OPERAND_LITERAL:
        base = o->literal;
        break;
    case OPERAND_PIPE:
        r = run_pipeline(run, o->pipe, &base, err);
        break;
    case OPERAND_FUNCTION: {
        struct operand alone = *o;
        alone.next = NULL;
        r = call(run, &alone, NULL, false, &base, err);
        break;
    }
    }
    if (r < 0)
        return r;
    return walk(run, o, base, run->t->type, ret, err);
}

/* The function with the operands that follow it, and what came through the pipe as the last. */
static int call(struct run *run, const struct operand *function, struct json *piped, bool has_piped,
                struct json **ret, struct error *err)
{
    const struct template_function *f =
        template_function_find(function->name, strlen(function->name));
    _cleanup_free_ struct json **args = NULL;
    size_t count = 0, room = 0;
    for (const struct operand *o = function->next; o; o = o->next) {
        array_reserve(args, count, room);
        int r = operand_value(run, o, &args[count], err);
        if (r < 0)
            return r;
        count++;
    }
    array_reserve(args, count, room);
    if (has_piped)
        args[count++] = piped;
    if ((int)count < f->least || (f->most >= 0 && (int)count > f->most))
        return failed(run, function, err, "wrong number of args for %s: want %s%d got %zu", f->name,
                      f->most == f->least ? "" : "at least ", f->least, count);
    struct json *value = NULL;
    struct error inner = {0};
    int r = f->call(args, count, &value, &inner);
    if (r < 0)
        return failed(run, function, err, "error calling %s: %s", f->name, inner.text);
    js_push(run->made, value ? value : js_null());
    *ret = value;
    return 0;
}

static void add_variable(struct run *run, const char *name, struct json *value)
{
    if (!name)
        return;
    array_reserve(run->variables, run->used, run->room);
    run->variables[run->used++] = (struct variable){name, value};
}

/* The value of the pipeline, without declaring its variables. */
static int run_steps(struct run *run, const struct pipeline *pipe, struct json **ret,
                     struct error *err)
{
    struct json *value = NULL;
    for (const struct step *s = pipe->steps; s; s = s->next) {
        bool piped = s != pipe->steps;
        int r = 0;
        if (s->operands->kind == OPERAND_FUNCTION && !s->operands->fields)
            r = call(run, s->operands, value, piped, &value, err);
        else if (piped || s->operands->next)
            r = failed(run, s->operands, err, "can't give argument to non-function %s",
                       s->operands->source);
        else
            r = operand_value(run, s->operands, &value, err);
        if (r < 0)
            return r;
    }
    *ret = value;
    return 0;
}

static int run_pipeline(struct run *run, const struct pipeline *pipe, struct json **ret,
                        struct error *err)
{
    int r = run_steps(run, pipe, ret, err);
    if (r >= 0)
        add_variable(run, pipe->variables[0], *ret);
    return r;
}

/* ---- nodes ---- */

static int run_nodes(struct run *run, const struct node *n, struct error *err);

static int run_body(struct run *run, const struct node *n, struct json *dot, struct error *err)
{
    struct json *outer = run->dot;
    size_t used = run->used;
    run->dot = dot;
    int r = run_nodes(run, n, err);
    run->dot = outer;
    run->used = used;
    return r;
}

static int run_element(struct run *run, const struct node *n, struct json *key,
                       struct json *element, struct error *err)
{
    const char *const *names = (const char *const *)n->pipe->variables;
    size_t used = run->used;
    js_push(run->made, key);
    if (names[1])
        add_variable(run, names[0], key);
    add_variable(run, names[1] ? names[1] : names[0], element);
    int r = run_body(run, n->body, element, err);
    run->used = used;
    return r;
}

static int run_range(struct run *run, const struct node *n, struct error *err)
{
    struct json *list = NULL;
    int r = run_steps(run, n->pipe, &list, err);
    if (r < 0)
        return r;
    if (js_count(list) == 0 || js_is_string(list))
        return run_body(run, n->otherwise, run->dot, err);
    if (js_is_array(list)) {
        for (size_t i = 0; i < js_count(list) && r >= 0; i++)
            r = run_element(run, n, js_int((int64_t)i), js_at(list, i), err);
        return r;
    }
    _cleanup_strv_ char **keys = sorted_keys(list);
    for (char **k = keys; k && *k && r >= 0; k++)
        r = run_element(run, n, js_string(*k), js_get(list, *k), err);
    return r;
}

static int run_choice(struct run *run, const struct node *n, struct error *err)
{
    struct json *value = NULL;
    size_t used = run->used;
    int r = run_pipeline(run, n->pipe, &value, err);
    if (r >= 0 && template_truth(value))
        r = run_body(run, n->body, n->kind == NODE_WITH ? value : run->dot, err);
    else if (r >= 0)
        r = run_body(run, n->otherwise, run->dot, err);
    run->used = used;
    return r;
}

/* The B of a lone {{.A.B}}, or NULL. */
static const char *printed_field(const struct pipeline *pipe)
{
    const struct operand *o = pipe->steps->operands;
    const char *last = NULL;
    for (const char **f = o->fields; f && *f; f++)
        last = *f;
    return o->next || pipe->steps->next ? NULL : last;
}

static bool is_time(const struct run *run, const char *field)
{
    for (const char *const *t = run->t->times; t && *t; t++)
        if (string_equal(*t, field))
            return true;
    return false;
}

static void print_result(struct run *run, const struct pipeline *pipe, const struct json *value)
{
    int64_t ns = 0;
    const char *field = printed_field(pipe);
    /* What JSON shows as null is mostly an empty map or list. */
    if (field && value && js_is_null(value)) {
        buf_add_string(run->out, is_map(field) ? "map[]" : "[]");
        return;
    }
    bool time = field && js_is_string(value) && is_time(run, field);
    bool never = time && string_starts(js_text(value), "0001-");
    if (!time || (!never && time_parse(js_text(value), &ns, NULL) < 0)) {
        template_print(value, run->out);
        return;
    }
    _cleanup_free_ char *text = time_go(ns);
    buf_add_string(run->out, text);
}

static int run_nodes(struct run *run, const struct node *n, struct error *err)
{
    int r = 0;
    for (; n && r >= 0; n = n->next) {
        struct json *value = NULL;
        switch (n->kind) {
        case NODE_TEXT:
            buf_add_string(run->out, n->text);
            break;
        case NODE_PIPELINE:
            r = run_pipeline(run, n->pipe, &value, err);
            if (r >= 0 && !n->pipe->variables[0])
                print_result(run, n->pipe, value);
            break;
        case NODE_RANGE:
            r = run_range(run, n, err);
            break;
        case NODE_IF:
        case NODE_WITH:
            r = run_choice(run, n, err);
            break;
        }
    }
    return r;
}

int template_run(const struct template *t, struct json *data, struct buf *out, struct error *err)
{
    _cleanup_json_ struct json *made = js_array();
    struct run run = {.t = t, .out = out, .dot = data, .made = made};
    add_variable(&run, "$", data);
    int r = run_nodes(&run, t->nodes, err);
    free(run.variables);
    return r < 0 ? r : 0;
}
