/* What runs, and with which environment. */
#include "container/draft.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "container/environment.h"
#include "container/firn.h"
#include "store/image.h"

static const char default_path[] =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* --entrypoint: a JSON array, a program, or "" for none. */
static char **parse_entrypoint(const char *text)
{
    char **list = NULL;
    _cleanup_json_ struct json *v = NULL;
    if (*text == '[' && js_parse(text, strlen(text), "--entrypoint", &v, NULL) == 0 &&
        js_is_array(v)) {
        JSON_FOREACH(v, i)
        {
            if (js_text(js_at(v, i)))
                strv_add(&list, js_text(js_at(v, i)));
        }
    } else if (*text) {
        strv_add(&list, text);
    }
    return list;
}

static int draft_arguments(struct draft *d, struct json *process, struct error *err)
{
    const struct create_options *o = d->options;
    _cleanup_strv_ char **entrypoint =
        o->entrypoint ? parse_entrypoint(o->entrypoint) : image_entrypoint(d->image);
    _cleanup_strv_ char **command = strv_copy(o->command);
    /* An entrypoint given by the user makes the image's command meaningless. */
    if (!strv_length(command) && !o->entrypoint) {
        strv_free(command);
        command = image_cmd(d->image);
    }
    _cleanup_strv_ char **args = NULL;
    if (o->init) {
        strv_add(&args, "/run/podman-init");
        strv_add(&args, "--");
    }
    strv_add_all(&args, entrypoint);
    strv_add_all(&args, command);
    if (strv_length(entrypoint) + strv_length(command) == 0)
        return error_kind_set(
            err, ERROR_USAGE,
            "no command or entrypoint provided, and no CMD or ENTRYPOINT from image");
    js_set(process, "args", js_strings(args));
    if (strv_length(entrypoint))
        js_set(d->config, "entrypoint", js_strings(entrypoint));
    if (strv_length(command))
        js_set(d->config, "command", js_strings(command));
    return 0;
}

static int draft_environment(struct draft *d, struct json *process, struct error *err)
{
    const struct create_options *o = d->options;
    _cleanup_strv_ char **env = NULL;
    environment_set(&env, default_path);
    environment_set(&env, "TERM=xterm");
    environment_set(&env, "container=podman");
    if (o->env_host)
        STRV_FOREACH(pair, environ)
        {
            environment_set(&env, *pair);
        }
    _cleanup_strv_ char **from_image = image_env(d->image);
    STRV_FOREACH(pair, from_image)
    {
        environment_set(&env, *pair);
    }
    if (o->unset_env_all) {
        strv_free(env);
        env = NULL;
    }
    STRV_FOREACH(key, o->unset_env)
    {
        environment_unset(&env, *key);
    }
    int r = 0;
    STRV_FOREACH(file, o->env_files)
    {
        if ((r = environment_add_file(&env, *file, err)) < 0)
            return r;
    }
    STRV_FOREACH(option, o->env)
    {
        if ((r = environment_add(&env, *option, err)) < 0)
            return r;
    }
    js_set(process, "env", js_strings(env));
    return 0;
}

static int draft_user(struct draft *d, struct json *process, struct error *err)
{
    const char *user = d->options->user ? d->options->user : image_user(d->image);
    if (*user)
        js_set(d->config, "user", js_string(user));
    if (d->options->group_add)
        js_set(d->config, "groups", js_strings(d->options->group_add));
    struct json *o = draft_object(process, "user");
    js_set(o, "uid", js_int(0));
    js_set(o, "gid", js_int(0));
    const char *umask = d->options->umask ? d->options->umask : "0022";
    char *end;
    long mask = strtol(umask, &end, 8);
    if (!*umask || *end || mask < 0 || mask > 0777)
        return error_kind_set(err, ERROR_USAGE, "invalid umask string %s: invalid argument", umask);
    js_set(o, "umask", js_int(mask));
    js_set(d->config, "umask", js_string(umask));
    return 0;
}

static int draft_directory(struct draft *d, struct json *process, struct error *err)
{
    const char *dir = d->options->workdir ? d->options->workdir : image_workdir(d->image);
    if (!*dir)
        dir = "/";
    if (*dir != '/')
        return error_kind_set(err, ERROR_USAGE,
                              "the working directory \"%s\" is invalid, it needs to be an absolute "
                              "path",
                              dir);
    js_set(process, "cwd", js_string(dir));
    return 0;
}

int draft_process(struct draft *d, struct error *err)
{
    struct json *process = draft_object(d->spec, "process");
    js_set(process, "terminal", js_bool(d->options->tty));
    js_set(d->config, "stdin", js_bool(d->options->interactive));
    int r = draft_user(d, process, err);
    if (r == 0)
        r = draft_arguments(d, process, err);
    if (r == 0)
        r = draft_environment(d, process, err);
    if (r == 0)
        r = draft_directory(d, process, err);
    return r;
}
