#include "execution/config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"

/* ---- types ---- */

static bool is_text(const struct json *v)
{
    return js_is_string(v) && *js_text(v);
}

static bool is_texts(const struct json *v)
{
    bool good = js_is_array(v);
    for (size_t i = 0; good && i < js_count(v); i++)
        good = js_is_string(js_at(v, i));
    return good;
}

static bool is_words(const struct json *v)
{
    return js_is_string(v) || is_texts(v);
}

static bool is_map(const struct json *v)
{
    bool good = js_is_object(v);
    JSON_FOREACH_KEY((struct json *)v, it)
    good &= js_is_string(js_iter_value(it));
    return good;
}

static bool is_map_or_list(const struct json *v)
{
    return js_is_object(v) ? is_map(v) : is_texts(v);
}

static bool is_number(const struct json *v)
{
    return (js_is_int(v) || js_is_real(v)) && js_real_value(v) > 0;
}

static bool is_size(const struct json *v)
{
    return is_text(v) || (js_is_int(v) && js_int_value(v) > 0);
}

static bool is_user(const struct json *v)
{
    return is_text(v) || (js_is_int(v) && js_int_value(v) >= 0);
}

/* ---- what each key does ---- */

struct application {
    struct create_options *o;
    char ***keep;
};

/* A text that lives on in the list. */
static const char *keep(const struct application *a, char *text)
{
    strv_take(a->keep, text);
    return text;
}

static const char *number_text(const struct application *a, const struct json *v)
{
    if (js_is_string(v))
        return js_text(v);
    if (js_is_int(v))
        return keep(a, xasprintf("%lld", (long long)js_int_value(v)));
    return keep(a, xasprintf("%.6f", js_real_value(v)));
}

static void add_texts(char ***list, const struct json *v)
{
    for (size_t i = 0; js_is_array(v) && i < js_count(v); i++)
        strv_add(list, js_text(js_at(v, i)));
    if (!js_is_object(v))
        return;
    JSON_FOREACH_KEY((struct json *)v, it)
    strv_addf(list, "%s=%s", js_iter_key(it), js_text(js_iter_value(it)));
}

static void apply_image(const struct application *a, const struct json *v)
{
    a->o->image = js_text(v);
}

static void apply_network(const struct application *a, const struct json *v)
{
    strv_add(&a->o->networks, js_text(v));
}

/* A single string is a line for the shell. */
static void apply_command(const struct application *a, const struct json *v)
{
    if (js_is_string(v)) {
        strv_add(&a->o->command, "/bin/sh");
        strv_add(&a->o->command, "-c");
        strv_add(&a->o->command, js_text(v));
    } else {
        add_texts(&a->o->command, v);
    }
}

static void apply_work_dir(const struct application *a, const struct json *v)
{
    a->o->workdir = js_text(v);
}

static void apply_env(const struct application *a, const struct json *v)
{
    add_texts(&a->o->env, v);
}

static void apply_volumes(const struct application *a, const struct json *v)
{
    add_texts(&a->o->volumes, v);
}

static void apply_ports(const struct application *a, const struct json *v)
{
    add_texts(&a->o->publish, v);
}

static void apply_memory(const struct application *a, const struct json *v)
{
    a->o->memory = number_text(a, v);
}

static void apply_cpus(const struct application *a, const struct json *v)
{
    a->o->cpus = number_text(a, v);
}

static void apply_user(const struct application *a, const struct json *v)
{
    a->o->user = number_text(a, v);
}

static void apply_labels(const struct application *a, const struct json *v)
{
    add_texts(&a->o->labels, v);
}

static const struct key {
    const char *name;
    bool (*check)(const struct json *v);
    const char *what; /* in the error */
    void (*apply)(const struct application *a, const struct json *v);
} keys[] = {
    {"image", is_text, "the name of an image", apply_image},
    {"network", is_text, "the name of a network", apply_network},
    {"command", is_words, "a list of strings, or one string for the shell", apply_command},
    {"work_dir", is_text, "a path", apply_work_dir},
    {"env", is_map_or_list, "an object of strings, or a list of \"NAME=value\"", apply_env},
    {"volumes", is_texts, "a list of \"source:/destination\"", apply_volumes},
    {"ports", is_texts, "a list of \"8080:80\"", apply_ports},
    {"memory", is_size, "a number of bytes, or a size like \"512m\"", apply_memory},
    {"cpus", is_number, "a number greater than 0", apply_cpus},
    {"user", is_user, "a user's name or number", apply_user},
    {"labels", is_map, "an object of strings", apply_labels},
};

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

static int check_key(const char *name, const struct json *value, struct error *err)
{
    const struct key *k = find_key(name);
    _cleanup_strv_ char **known = NULL;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        strv_add(&known, keys[i].name);
    _cleanup_free_ char *all = strv_join(known, ", ");
    if (!k)
        return error_kind_set(err, ERROR_USAGE,
                              "unknown key \"%s\" in the execution's config: there are %s", name,
                              all);
    if (k->check(value))
        return 0;
    _cleanup_free_ char *is = js_dump(value, 0);
    return error_kind_set(err, ERROR_USAGE,
                          "\"%s\" of the execution's config must be %s, not %.100s", name, k->what,
                          is);
}

int execution_config_check(struct json *config, struct json **ret, struct error *err)
{
    if (!js_is_object(config))
        return error_kind_set(err, ERROR_USAGE,
                              "the execution's config must be a JSON object like "
                              "{\"image\": \"NAME\"}");
    JSON_FOREACH_KEY(config, it)
    {
        int r = check_key(js_iter_key(it), js_iter_value(it), err);
        if (r < 0)
            return r;
    }
    if (!js_get(config, "image"))
        return error_kind_set(err, ERROR_USAGE, "the execution's config names no \"image\"");
    const char *network = js_get_string(config, "network");
    if (js_count(js_get(config, "ports")) && (!network || strcmp(network, "host") == 0))
        return error_kind_set(err, ERROR_USAGE,
                              "\"ports\" of the execution's config need a \"network\" other than "
                              "host, where every port is the host's own");
    *ret = js_copy(config);
    if (!network)
        js_set(*ret, "network", js_string("host"));
    return 0;
}

void execution_config_apply(const struct json *config, struct create_options *o, char ***kept)
{
    const struct application a = {.o = o, .keep = kept};
    JSON_FOREACH_KEY((struct json *)config, it)
    {
        const struct key *k = find_key(js_iter_key(it));
        if (k)
            k->apply(&a, js_iter_value(it));
    }
}
