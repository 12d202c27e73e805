#include "base/template.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "base/template-tree.h"

struct parser {
    struct template *t;
    const char *p;   /* where we are */
    const char *end; /* of the present action */
    bool trim_next;  /* the last action ended with "-}}" */
};

static int failed(const struct parser *p, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int failed(const struct parser *p, struct error *err, const char *format, ...)
{
    size_t line = 1;
    for (const char *c = p->t->text; c < p->p && *c; c++)
        line += *c == '\n';
    va_list ap;
    va_start(ap, format);
    _cleanup_free_ char *text = xvasprintf(format, ap);
    va_end(ap);
    return error_kind_set(err, ERROR_USAGE, "template: %s:%zu: %s", p->t->name, line, text);
}

static const char *substring(struct parser *p, const char *from, const char *to)
{
    char *s = arena_alloc(p->t->arena, (size_t)(to - from) + 1);
    memcpy(s, from, (size_t)(to - from));
    return s;
}

static void skip_space(struct parser *p)
{
    while (p->p < p->end && isspace((unsigned char)*p->p))
        p->p++;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static const char *end_of_name(const struct parser *p, const char *s)
{
    while (s < p->end && is_name_char(*s))
        s++;
    return s;
}

/* Takes the word if it is next. */
static bool accept_word(struct parser *p, const char *word)
{
    size_t size = strlen(word);
    skip_space(p);
    if ((size_t)(p->end - p->p) < size || memcmp(p->p, word, size) != 0)
        return false;
    if (p->p + size < p->end && is_name_char(p->p[size]) && is_name_char(word[size - 1]))
        return false;
    p->p += size;
    return true;
}

/* ---- operands ---- */

static struct json *keep_literal(struct parser *p, struct json *value)
{
    js_push(p->t->literals, value);
    return value;
}

static char unescape(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    default:
        return c;
    }
}

static int parse_string(struct parser *p, struct operand *o, struct error *err)
{
    char quote = *p->p++;
    _cleanup_buf_ struct buf b = {0};
    buf_add_string(&b, "");
    while (p->p < p->end && *p->p != quote) {
        if (*p->p == '\\' && quote == '"' && p->p + 1 < p->end)
            buf_add_char(&b, unescape(*++p->p));
        else
            buf_add_char(&b, *p->p);
        p->p++;
    }
    if (p->p >= p->end)
        return failed(p, err, "unterminated quoted string");
    p->p++;
    o->kind = OPERAND_LITERAL;
    o->literal = keep_literal(p, js_string(b.data));
    return 0;
}

static int parse_number(struct parser *p, struct operand *o, struct error *err)
{
    char *stop;
    const char *start = p->p;
    long long i = strtoll(start, &stop, 0);
    bool real = *stop == '.' || *stop == 'e' || *stop == 'E';
    double d = real ? strtod(start, &stop) : 0;
    p->p = stop;
    if (stop == start || !isfinite(d) || (stop < p->end && is_name_char(*stop)))
        return failed(p, err, "bad number syntax: \"%.*s\"", (int)(stop + (stop < p->end) - start),
                      start);
    o->kind = OPERAND_LITERAL;
    o->literal = keep_literal(p, real ? js_real(d) : js_int(i));
    return 0;
}

/* .A.B after what stands before it. */
static void parse_fields(struct parser *p, struct operand *o)
{
    size_t used = 0;
    while (p->p < p->end && *p->p == '.') {
        const char *stop = end_of_name(p, p->p + 1);
        if (stop == p->p + 1)
            break;
        const char **more = arena_alloc(p->t->arena, (used + 2) * sizeof(char *));
        if (used)
            memcpy(more, o->fields, used * sizeof(char *));
        /* Go names the position of the second field in a chain. */
        if (used == 1)
            o->position = (size_t)(p->p - p->t->text);
        more[used++] = substring(p, p->p + 1, stop);
        o->fields = more;
        p->p = stop;
    }
}

static int parse_word(struct parser *p, struct operand *o, struct error *err)
{
    const char *start = p->p, *stop = end_of_name(p, start);
    o->name = substring(p, start, stop);
    p->p = stop;
    o->kind = OPERAND_LITERAL;
    if (string_equal(o->name, "true") || string_equal(o->name, "false"))
        o->literal = keep_literal(p, js_bool(o->name[0] == 't'));
    else if (string_equal(o->name, "nil"))
        o->literal = keep_literal(p, js_null());
    else if (template_function_find(start, (size_t)(stop - start)))
        o->kind = OPERAND_FUNCTION;
    else
        return failed(p, err, "function \"%s\" not defined", o->name);
    return 0;
}

static int parse_pipeline(struct parser *p, struct pipeline **ret, struct error *err);

static int parse_parentheses(struct parser *p, struct operand *o, struct error *err)
{
    p->p++;
    o->kind = OPERAND_PIPE;
    int r = parse_pipeline(p, &o->pipe, err);
    if (r < 0)
        return r;
    if (!accept_word(p, ")"))
        return failed(p, err, "unclosed left paren");
    return 0;
}

static int parse_operand(struct parser *p, struct operand **ret, struct error *err)
{
    struct operand *o = arena_new_of(p->t->arena, struct operand);
    const char *start = p->p;
    int r = 0;
    o->position = (size_t)(start - p->t->text);
    if (*start == '"' || *start == '`') {
        r = parse_string(p, o, err);
    } else if (isdigit((unsigned char)*start) || *start == '-' || *start == '+') {
        r = parse_number(p, o, err);
    } else if (*start == '(') {
        r = parse_parentheses(p, o, err);
    } else if (*start == '$') {
        o->kind = OPERAND_VARIABLE;
        p->p = end_of_name(p, start + 1);
        o->name = substring(p, start, p->p);
    } else if (*start == '.') {
        bool field = start + 1 < p->end && is_name_char(start[1]);
        o->kind = field ? OPERAND_FIELD : OPERAND_DOT;
        p->p += !field;
    } else if (isalpha((unsigned char)*start) || *start == '_') {
        r = parse_word(p, o, err);
    } else {
        r = failed(p, err, "unexpected \"%c\" in operand", *start);
    }
    if (r < 0)
        return r;
    parse_fields(p, o);
    o->source = substring(p, start, p->p);
    *ret = o;
    return 0;
}

/* ---- pipelines ---- */

static int parse_step(struct parser *p, struct step **ret, struct error *err)
{
    struct step *s = arena_new_of(p->t->arena, struct step);
    struct operand **tail = &s->operands;
    for (skip_space(p); p->p < p->end && *p->p != '|' && *p->p != ')'; skip_space(p)) {
        int r = parse_operand(p, tail, err);
        if (r < 0)
            return r;
        tail = &(*tail)->next;
    }
    if (!s->operands)
        return failed(p, err, "missing value for command");
    *ret = s;
    return 0;
}

/* "$v :=" or "$k, $v :=", if that is what is next. */
static void parse_declaration(struct parser *p, struct pipeline *pipe)
{
    const char *names[2] = {NULL};
    const char *start = p->p;
    for (int i = 0; i < 2; i++) {
        skip_space(p);
        if (p->p >= p->end || *p->p != '$')
            break;
        const char *stop = end_of_name(p, p->p + 1);
        names[i] = substring(p, p->p, stop);
        p->p = stop;
        if (!accept_word(p, ","))
            break;
    }
    if (names[0] && (accept_word(p, ":=") || accept_word(p, "="))) {
        pipe->variables[0] = names[0];
        pipe->variables[1] = names[1];
    } else {
        p->p = start;
    }
}

static int parse_pipeline(struct parser *p, struct pipeline **ret, struct error *err)
{
    struct pipeline *pipe = arena_new_of(p->t->arena, struct pipeline);
    parse_declaration(p, pipe);
    struct step **tail = &pipe->steps;
    do {
        int r = parse_step(p, tail, err);
        if (r < 0)
            return r;
        tail = &(*tail)->next;
    } while (accept_word(p, "|"));
    *ret = pipe;
    return 0;
}

/* ---- text and actions ---- */

/* How a list of nodes ended. */
enum list_end { LIST_EOF, LIST_END, LIST_ELSE };

static int parse_list(struct parser *p, struct node **ret, enum list_end *ret_end,
                      struct error *err);

/* Moves behind the "}}". */
static int close_action(struct parser *p, struct error *err)
{
    skip_space(p);
    if (p->p < p->end)
        return failed(p, err, "unexpected \"%.*s\" in command", (int)(p->end - p->p), p->p);
    p->p = p->end + (p->trim_next ? 3 : 2);
    return 0;
}

/* Finds the "}}" of the action that begins at p->p, past strings. */
static int open_action(struct parser *p, struct error *err)
{
    const char *c = p->p;
    char quote = 0;
    for (; *c && (quote || c[0] != '}' || c[1] != '}'); c++) {
        if (quote && *c == '\\' && quote == '"' && c[1])
            c++;
        else if (quote && *c == quote)
            quote = 0;
        else if (!quote && (*c == '"' || *c == '`'))
            quote = *c;
    }
    if (!*c)
        return failed(p, err, "unclosed action");
    p->trim_next = c - p->p >= 2 && c[-1] == '-' && isspace((unsigned char)c[-2]);
    p->end = p->trim_next ? c - 1 : c;
    return 0;
}

static int parse_control(struct parser *p, enum node_kind kind, struct node **ret,
                         struct error *err)
{
    struct node *n = arena_new_of(p->t->arena, struct node);
    n->kind = kind;
    enum list_end end;
    int r = parse_pipeline(p, &n->pipe, err);
    if (r >= 0)
        r = close_action(p, err);
    if (r >= 0)
        r = parse_list(p, &n->body, &end, err);
    if (r < 0)
        return r;
    *ret = n;
    if (end == LIST_EOF)
        return failed(p, err, "unexpected EOF");
    if (end == LIST_END)
        return close_action(p, err);
    /* {{else if X}} is {{else}}{{if X}} with one {{end}} for both. */
    if (accept_word(p, "if"))
        return parse_control(p, NODE_IF, &n->otherwise, err);
    r = close_action(p, err);
    if (r >= 0)
        r = parse_list(p, &n->otherwise, &end, err);
    if (r < 0)
        return r;
    return end == LIST_END ? close_action(p, err) : failed(p, err, "unexpected {{else}}");
}

static int parse_action(struct parser *p, struct node **ret, struct error *err)
{
    if (p->end - p->p >= 2 && p->p[0] == '/' && p->p[1] == '*') {
        p->p = p->end;
        return close_action(p, err);
    }
    if (accept_word(p, "if"))
        return parse_control(p, NODE_IF, ret, err);
    if (accept_word(p, "range"))
        return parse_control(p, NODE_RANGE, ret, err);
    if (accept_word(p, "with"))
        return parse_control(p, NODE_WITH, ret, err);
    struct node *n = arena_new_of(p->t->arena, struct node);
    n->kind = NODE_PIPELINE;
    int r = parse_pipeline(p, &n->pipe, err);
    if (r < 0)
        return r;
    *ret = n;
    return close_action(p, err);
}

/* The text up to the next "{{" (or the end), trimmed where a dash says so. */
static struct node *parse_text(struct parser *p)
{
    const char *from = p->p, *to = strstr(from, "{{");
    if (!to)
        to = from + strlen(from);
    p->p = to;
    if (p->trim_next)
        while (from < to && isspace((unsigned char)*from))
            from++;
    p->trim_next = false;
    if (to[0] && to[2] == '-' && isspace((unsigned char)to[3]))
        while (to > from && isspace((unsigned char)to[-1]))
            to--;
    if (from == to)
        return NULL;
    struct node *n = arena_new_of(p->t->arena, struct node);
    n->kind = NODE_TEXT;
    n->text = substring(p, from, to);
    return n;
}

static int parse_list(struct parser *p, struct node **ret, enum list_end *ret_end,
                      struct error *err)
{
    for (;;) {
        *ret = parse_text(p);
        if (*ret)
            ret = &(*ret)->next;
        *ret_end = LIST_EOF;
        if (!*p->p)
            return 0;
        p->p += p->p[2] == '-' && isspace((unsigned char)p->p[3]) ? 3 : 2;
        int r = open_action(p, err);
        if (r < 0)
            return r;
        if (accept_word(p, "end")) {
            *ret_end = LIST_END;
            return 0;
        }
        if (accept_word(p, "else")) {
            *ret_end = LIST_ELSE;
            return 0;
        }
        r = parse_action(p, ret, err);
        if (r < 0)
            return r;
        if (*ret)
            ret = &(*ret)->next;
    }
}

int template_parse(const struct template_options *options, const char *text, struct template **ret,
                   struct error *err)
{
    _cleanup_template_ struct template *t = xcalloc(1, sizeof(*t));
    t->arena = arena_new();
    t->literals = js_array();
    t->name = arena_strdup(t->arena, options->name);
    t->type = options->type ? arena_strdup(t->arena, options->type) : NULL;
    t->times = options->times;
    t->text = arena_strdup(t->arena, text);
    struct parser p = {.t = t, .p = t->text};
    enum list_end end;
    int r = parse_list(&p, &t->nodes, &end, err);
    if (r < 0)
        return r;
    if (end != LIST_EOF)
        return failed(&p, err, "unexpected {{%s}}", end == LIST_END ? "end" : "else");
    *ret = take_ptr(t);
    return 0;
}

void template_free(struct template *t)
{
    js_unref(t->literals);
    arena_free(t->arena);
    free(t);
}

bool template_is_table(const char *format)
{
    return string_starts(format, "table ");
}

char *template_normalize(const char *format)
{
    bool table = template_is_table(format);
    _cleanup_buf_ struct buf b = {0};
    for (const char *c = table ? format + 6 : format; *c; c++) {
        if (c[0] == '\\' && (c[1] == 't' || c[1] == 'n'))
            buf_add_char(&b, *++c == 't' ? '\t' : '\n');
        else
            buf_add_char(&b, table && *c == ' ' ? '\t' : *c);
    }
    if (!b.size || b.data[b.size - 1] != '\n')
        buf_add_char(&b, '\n');
    return buf_take(&b);
}
