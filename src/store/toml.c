#include "store/toml.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/strv.h"

struct reader {
    const char *at;
    int line;
    const char *what;
    struct error *err;
};

static int bad(struct reader *r, const char *reason)
{
    return error_set(r->err, EINVAL, "%s: line %d: %s", r->what, r->line, reason);
}

static void skip_comment(struct reader *r)
{
    r->at += strcspn(r->at, "\n");
}

static void skip_blank(struct reader *r, bool newlines)
{
    for (;; r->at++) {
        if (*r->at == '#')
            skip_comment(r);
        if (*r->at == '\n' && newlines)
            r->line++;
        else if (*r->at != ' ' && *r->at != '\t' && *r->at != '\r')
            return;
    }
}

static void unescape(struct buf *b, char c)
{
    static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
    const char *found = strchr(from, c);
    buf_add_char(b, found && c ? to[found - from] : c);
}

/* A quoted string of one line, or a bare word. */
static int read_word(struct reader *r, char **ret)
{
    _cleanup_buf_ struct buf b = {0};
    char quote = *r->at;
    if (quote != '"' && quote != '\'') {
        size_t n = strcspn(r->at, " \t\r\n=,]}#");
        if (n == 0)
            return bad(r, "a value is missing");
        *ret = xstrndup(r->at, n);
        r->at += n;
        return 0;
    }
    for (r->at++; *r->at && *r->at != '\n' && *r->at != quote; r->at++) {
        if (*r->at == '\\' && quote == '"' && r->at[1])
            unescape(&b, *++r->at);
        else
            buf_add_char(&b, *r->at);
    }
    if (*r->at != quote)
        return bad(r, "a string is not closed");
    r->at++;
    *ret = buf_take(&b);
    return 0;
}

/* Over a value nobody asks for, brackets and strings balanced. */
static int skip_value(struct reader *r)
{
    int depth = 0;
    do {
        skip_blank(r, depth > 0);
        if (!*r->at || *r->at == '\n')
            return depth ? bad(r, "a bracket is not closed") : 0;
        if (strchr("[{", *r->at)) {
            depth++, r->at++;
        } else if (strchr("]}", *r->at)) {
            depth--, r->at++;
        } else if (strchr(",=", *r->at)) {
            r->at++;
        } else {
            _cleanup_free_ char *word = NULL;
            int e = read_word(r, &word);
            if (e < 0)
                return e;
        }
    } while (depth > 0);
    return 0;
}

static int read_array(struct reader *r, char ***values)
{
    for (r->at++;;) {
        skip_blank(r, true);
        if (*r->at == ']') {
            r->at++;
            return 0;
        }
        _cleanup_free_ char *word = NULL;
        int e = *r->at == '{' || *r->at == '[' ? skip_value(r) : read_word(r, &word);
        if (e < 0)
            return e;
        if (word)
            strv_take(values, take_ptr(word));
        skip_blank(r, true);
        if (*r->at == ',')
            r->at++;
        else if (*r->at != ']')
            return bad(r, "an array is not closed");
    }
}

static int read_values(struct reader *r, char ***values)
{
    if (*r->at == '[')
        return read_array(r, values);
    if (*r->at == '{')
        return skip_value(r);
    char *word = NULL;
    int e = read_word(r, &word);
    if (e == 0)
        strv_take(values, word);
    return e;
}

static int read_header(struct reader *r, char **table, bool *ret_is_array)
{
    bool array = r->at[1] == '[';
    r->at += array ? 2 : 1;
    skip_blank(r, false);
    free(*table);
    *table = NULL;
    int e = read_word(r, table);
    if (e < 0)
        return e;
    skip_blank(r, false);
    if (strncmp(r->at, "]]", array ? 2 : 1) != 0)
        return bad(r, "a table header is not closed");
    r->at += array ? 2 : 1;
    *ret_is_array = array;
    return 0;
}

static int read_setting(struct reader *r, const char *table, toml_setting *setting, void *context)
{
    _cleanup_free_ char *key = NULL;
    _cleanup_strv_ char **values = NULL;
    int e = read_word(r, &key);
    if (e < 0)
        return e;
    skip_blank(r, false);
    if (*r->at != '=')
        return bad(r, "a key without a value");
    r->at++;
    skip_blank(r, false);
    e = read_values(r, &values);
    return e < 0 ? e : setting(context, table, key, values, r->err);
}

int toml_parse(const char *text, const char *what, toml_setting *setting, void *context,
               struct error *err)
{
    struct reader r = {.at = text ? text : "", .line = 1, .what = what, .err = err};
    _cleanup_free_ char *table = xstrdup("");
    for (;;) {
        skip_blank(&r, true);
        if (!*r.at)
            return 0;
        bool is_array = false;
        int e = *r.at == '[' ? read_header(&r, &table, &is_array)
                             : read_setting(&r, table, setting, context);
        if (e >= 0 && is_array)
            e = setting(context, table, NULL, NULL, err);
        if (e < 0)
            return e;
        skip_blank(&r, false);
        if (*r.at && *r.at != '\n')
            return bad(&r, "something is left after the value");
    }
}
