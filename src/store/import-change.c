#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/strv.h"
#include "store/import.h"

/* "CMD echo hi" or "CMD=echo hi". */
struct change {
    const char *text; /* whole, for errors */
    char *instruction;
    const char *value;
};

static int bad(const struct change *c, const char *reason, struct error *err)
{
    return error_kind_set(err, ERROR_USAGE, "invalid change \"%s\" - %s", c->text, reason);
}

/* A JSON array of strings, or NULL when the value is no array. */
static struct json *string_array(const char *value)
{
    struct json *list = NULL;
    if (*value != '[' || js_parse(value, strlen(value), "change", &list, NULL) < 0)
        return NULL;
    JSON_FOREACH(list, i)
    {
        if (!js_is_string(js_at(list, i))) {
            js_unref(list);
            return NULL;
        }
    }
    return list;
}

static struct json *object(struct json *config, const char *key)
{
    if (!js_is_object(js_get(config, key)))
        js_set(config, key, js_object());
    return js_get(config, key);
}

static int command(struct json *config, const struct change *c, const char *key)
{
    struct json *list = string_array(c->value);
    if (!list) {
        char *shell[] = {(char *)"/bin/sh", (char *)"-c", (char *)c->value, NULL};
        list = js_strings(shell);
    }
    js_set(config, key, list);
    return 0;
}

static int change_cmd(struct json *config, const struct change *c, struct error *err)
{
    return command(config, c, "Cmd");
}

static int change_entrypoint(struct json *config, const struct change *c, struct error *err)
{
    return command(config, c, "Entrypoint");
}

/* The next word, quotes removed, or NULL at the end. The caller frees. */
static char *next_word(const char **text)
{
    const char *s = *text;
    while (isspace((unsigned char)*s))
        s++;
    if (!*s)
        return NULL;
    _cleanup_buf_ struct buf b = {0};
    for (char quote = 0; *s && (quote || !isspace((unsigned char)*s)); s++) {
        if (quote ? *s == quote : *s == '"' || *s == '\'')
            quote = quote ? 0 : *s;
        else if (*s == '\\' && s[1] && quote != '\'')
            buf_add_char(&b, *++s);
        else
            buf_add_char(&b, *s);
    }
    *text = s;
    return buf_take(&b);
}

/* "A=1 B=2", or the old form "A the rest". Calls `set` for each pair. */
static int pairs(const struct change *c, void (*set)(void *, const char *, const char *),
                 void *context, struct error *err)
{
    const char *at = c->value;
    _cleanup_free_ char *word = NULL;
    while ((word = next_word(&at))) {
        char *equals = strchr(word, '=');
        if (equals == word)
            return bad(c, "a name is missing", err);
        if (!equals) {
            while (isspace((unsigned char)*at))
                at++;
            set(context, word, at);
            return 0;
        }
        *equals = '\0';
        set(context, word, equals + 1);
        free(take_ptr(word));
    }
    return 0;
}

static void set_env(void *context, const char *key, const char *value)
{
    strv_env_set(context, key, value);
}

static int change_env(struct json *config, const struct change *c, struct error *err)
{
    _cleanup_strv_ char **env = js_get_strings(config, "Env");
    int r = pairs(c, set_env, &env, err);
    js_set(config, "Env", js_strings(env));
    return r;
}

static void set_label(void *context, const char *key, const char *value)
{
    js_set(context, key, js_string(value));
}

static int change_label(struct json *config, const struct change *c, struct error *err)
{
    return pairs(c, set_label, object(config, "Labels"), err);
}

static int change_expose(struct json *config, const struct change *c, struct error *err)
{
    const char *at = c->value;
    _cleanup_free_ char *port = NULL;
    for (; (port = next_word(&at)); free(take_ptr(port))) {
        size_t n = strspn(port, "0123456789-");
        const char *protocol = port[n] == '/' ? port + n + 1 : "";
        if (n == 0 || (port[n] && port[n] != '/') ||
            (*protocol && strcasecmp(protocol, "tcp") != 0 && strcasecmp(protocol, "udp") != 0 &&
             strcasecmp(protocol, "sctp") != 0))
            return bad(c, "a port is NUMBER or NUMBER/PROTOCOL", err);
        _cleanup_free_ char *full = xasprintf("%s%s", port, port[n] ? "" : "/tcp");
        js_set(object(config, "ExposedPorts"), full, js_object());
    }
    return 0;
}

static int change_volume(struct json *config, const struct change *c, struct error *err)
{
    _cleanup_json_ struct json *list = string_array(c->value);
    if (!list)
        js_set(object(config, "Volumes"), c->value, js_object());
    JSON_FOREACH(list, i)
    js_set(object(config, "Volumes"), js_text(js_at(list, i)), js_object());
    return 0;
}

static int change_stopsignal(struct json *config, const struct change *c, struct error *err)
{
    js_set(config, "StopSignal", js_string(c->value));
    return 0;
}

static int change_user(struct json *config, const struct change *c, struct error *err)
{
    js_set(config, "User", js_string(c->value));
    return 0;
}

static int change_workdir(struct json *config, const struct change *c, struct error *err)
{
    js_set(config, "WorkingDir", js_string(c->value));
    return 0;
}

static const struct {
    const char *name;
    int (*apply)(struct json *config, const struct change *c, struct error *err);
} instructions[] = {
    {"CMD", change_cmd},       {"ENTRYPOINT", change_entrypoint}, {"ENV", change_env},
    {"EXPOSE", change_expose}, {"LABEL", change_label},           {"STOPSIGNAL", change_stopsignal},
    {"USER", change_user},     {"VOLUME", change_volume},         {"WORKDIR", change_workdir},
};

int import_apply_change(struct json *config, const char *text, struct error *err)
{
    const char *start = text + strspn(text, " \t");
    size_t n = strcspn(start, " \t=");
    _cleanup_free_ char *name = xstrndup(start, n);
    struct change c = {.text = text, .instruction = name};
    c.value = start + n + (start[n] == '=');
    c.value += strspn(c.value, " \t");
    if (n == 0 || !start[n] || !*c.value)
        return bad(&c, "must be formatted as KEY VALUE", err);
    for (size_t i = 0; i < ARRAY_LEN(instructions); i++)
        if (strcasecmp(name, instructions[i].name) == 0)
            return instructions[i].apply(config, &c, err);
    _cleanup_free_ char *reason = xasprintf("invalid instruction %s", name);
    return bad(&c, reason, err);
}
