#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "store/volume.h"

struct volume_create_options {
    bool ignore;
    char *driver;
    char **labels, **options;
};

#define VOLUME(field) offsetof(struct volume_create_options, field)

static const struct option table[] = {
    {"driver", 0, OPTION_STRING, VOLUME(driver), "string", "Specify volume driver name",
     .initial = "local"},
    {"ignore", 0, OPTION_BOOL, VOLUME(ignore), .help = "Don't fail if volume already exists"},
    {"label", 'l', OPTION_STRINGS, VOLUME(labels), "stringArray",
     "Set metadata for a volume (default [])"},
    {"opt", 'o', OPTION_STRINGS, VOLUME(options), "stringArray",
     "Set driver specific options (default [])"},
    {0},
};

/* "k=v" or "k" each. */
static struct json *to_object(char *const *list)
{
    struct json *o = js_object();
    STRV_FOREACH(s, list)
    {
        _cleanup_free_ char *key = xstrndup(*s, strcspn(*s, "="));
        const char *value = strchr(*s, '=');
        js_set(o, key, js_string(value ? value + 1 : ""));
    }
    return o;
}

static int run(struct call *call, struct error *err)
{
    const struct volume_create_options *o = call->options;
    _cleanup_json_ struct json *labels = to_object(o->labels);
    _cleanup_json_ struct json *options = to_object(o->options);
    _cleanup_volume_ struct volume *v = NULL;
    struct volume_options create = {
        .name = call->arg_count ? call->args[0] : NULL,
        .driver = o->driver,
        .labels = labels,
        .options = options,
        .ignore_existing = o->ignore,
    };
    int r = volume_create(call->firn->store, &create, &v, err);
    if (r < 0)
        return r;
    printf("%s\n", v->name);
    return 0;
}

const struct command command_volume_create = {
    .paths = {"volume create"},
    .usage = "[options] [NAME]",
    .help = "Create a new volume",
    .options = table,
    .options_size = sizeof(struct volume_create_options),
    .args_most = 1,
    .run = run,
};
