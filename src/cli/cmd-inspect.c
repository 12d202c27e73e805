#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "cli/network-report.h"
#include "cli/report.h"
#include "container/container.h"
#include "container/image-report.h"
#include "container/inspect.h"
#include "container/volume-report.h"

struct inspect_options {
    bool latest, size;
    char *format, *type;
};

#define INSPECT(field) offsetof(struct inspect_options, field)

static const struct option table[] = {
    {"format", 'f', OPTION_STRING, INSPECT(format), "string",
     "Format the output to a Go template or json", .initial = "json"},
    {"latest", 'l', OPTION_BOOL, INSPECT(latest),
     .help = "Act on the latest container firn is aware of"},
    {"size", 's', OPTION_BOOL, INSPECT(size), .help = "Display total file size"},
    {"type", 't', OPTION_STRING, INSPECT(type), "string",
     "Specify inspect-object type (\"all\"|\"container\"|\"image\"|\"network\"|\"volume\")",
     .initial = "all"},
    {0},
};

/* What can be inspected: each finds one thing by name. */
static int inspect_container(struct call *call, const char *name, struct json **ret,
                             struct error *err)
{
    const struct inspect_options *o = call->options;
    _cleanup_container_ struct container *c = NULL;
    int r = name ? container_lookup(call->firn, name, &c, err)
                 : container_lookup_latest(call->firn, &c, err);
    return r < 0 ? r : container_inspect(c, o->size, ret, err);
}

static int inspect_image(struct call *call, const char *name, struct json **ret, struct error *err)
{
    return image_report_inspect(call->firn, name, ret, err);
}

static int inspect_volume(struct call *call, const char *name, struct json **ret, struct error *err)
{
    return volume_report_inspect(call->firn, name, ret, err);
}

static int inspect_network(struct call *call, const char *name, struct json **ret,
                           struct error *err)
{
    return network_report_inspect(call->firn, name, ret, err);
}

static const struct kind {
    const char *name;
    int (*find)(struct call *, const char *name, struct json **ret, struct error *);
    const char *missing; /* text when it is not there; %s is the name */
} kinds[] = {
    {"container", inspect_container, "no such container %s"},
    {"image", inspect_image, "%s: image not known"},
    {"volume", inspect_volume, "no such volume %s"},
    {"network", inspect_network, "network %s: no such network"},
};

static int find(struct call *call, const char *type, const char *name, struct json **ret,
                struct error *err)
{
    bool all = string_equal(type, "all");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct error one = {0};
        if (!all && !string_equal(type, kinds[i].name))
            continue;
        int r = kinds[i].find(call, name, ret, &one);
        if (r >= 0)
            return 0;
        if (one.kind != ERROR_NOT_FOUND || !name) {
            *err = one;
            return r;
        }
        if (!all) {
            _cleanup_free_ char *prefix =
                xstrndup(kinds[i].missing, strcspn(kinds[i].missing, "%"));
            return error_kind_set(err, ERROR_NOT_FOUND, "inspecting object: %s%s%s", prefix, name,
                                  strstr(kinds[i].missing, "%s") + 2);
        }
    }
    return error_kind_set(err, ERROR_NOT_FOUND, "inspecting object: no such object: \"%s\"", name);
}

static int print(const struct inspect_options *o, struct json *found, struct error *err)
{
    static const char *const times[] = {"Created",        "CreatedAt",  "StartedAt", "FinishedAt",
                                        "CheckpointedAt", "RestoredAt", NULL};
    static const struct report report = {{"inspect", "interface {}", times}, NULL, NULL};
    if (!report_is_json(o->format)) {
        int r = js_count(found) ? report_print(&report, o->format, true, found, err) : 0;
        return r < 0 ? error_wrap(err, "inspecting object: printing inspect output") : 0;
    }
    if (js_count(found))
        report_json(found, 5);
    else
        printf("[]\n");
    return 0;
}

/* The first thing that was not found is the command's error, the others are told before it. */
static int tell_failures(char *const *failures, const struct error *first, struct error *err)
{
    if (!failures)
        return 0;
    fflush(stdout);
    STRV_FOREACH(text, failures + 1)
    fprintf(stderr, "error %s\n", *text);
    *err = *first;
    return -first->code;
}

static int run_type(struct call *call, const char *type, struct error *err)
{
    const struct inspect_options *o = call->options;
    _cleanup_json_ struct json *found = js_array();
    _cleanup_strv_ char **failures = NULL;
    struct error first = {0};
    static const char *const latest[] = {NULL};
    char *const *name = o->latest ? (char *const *)latest : call->args;
    if (o->latest && call->arg_count)
        return error_kind_set(err, ERROR_USAGE, "--latest and arguments cannot be used together");
    if (!o->latest && !call->arg_count)
        return error_kind_set(err, ERROR_USAGE, "no names or ids specified");
    do {
        struct error one = {0};
        struct json *object = NULL;
        if (find(call, o->latest ? "container" : type, *name, &object, &one) >= 0) {
            js_push(found, object);
            continue;
        }
        if (!failures)
            first = one;
        strv_add(&failures, one.text);
    } while (*name && *++name);
    int r = print(o, found, err);
    return r < 0 ? r : tell_failures(failures, &first, err);
}

static int run(struct call *call, struct error *err)
{
    const struct inspect_options *o = call->options;
    bool known = string_equal(o->type, "all");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        known |= string_equal(o->type, kinds[i].name);
    if (!known)
        return error_kind_set(err, ERROR_USAGE,
                              "invalid type \"%s\": must be \"image\", \"container\", "
                              "\"volume\", \"network\", or \"all\"",
                              o->type);
    return run_type(call, o->type, err);
}

const struct command command_inspect = {
    .paths = {"inspect"},
    .usage = "[options] {CONTAINER|IMAGE|NETWORK|VOLUME} [...]",
    .help = "Display the configuration of object denoted by ID",
    .options = table,
    .options_size = sizeof(struct inspect_options),
    .args_most = ARGS_ANY,
    .run = run,
};

/* ---- the same of one kind only ---- */

static int run_container(struct call *call, struct error *err)
{
    return run_type(call, "container", err);
}

const struct command command_container_inspect = {
    .paths = {"container inspect"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Display the configuration of a container",
    .options = table,
    .options_size = sizeof(struct inspect_options),
    .args_most = ARGS_ANY,
    .run = run_container,
};

static int run_image(struct call *call, struct error *err)
{
    return run_type(call, "image", err);
}

const struct command command_image_inspect = {
    .paths = {"image inspect"},
    .usage = "[options] IMAGE [IMAGE...]",
    .help = "Display the configuration of an image",
    .options = table,
    .options_size = sizeof(struct inspect_options),
    .args_most = ARGS_ANY,
    .run = run_image,
};

static int run_volume(struct call *call, struct error *err)
{
    return run_type(call, "volume", err);
}

const struct command command_volume_inspect = {
    .paths = {"volume inspect"},
    .usage = "[options] VOLUME [VOLUME...]",
    .help = "Display detailed information on one or more volumes",
    .options = table,
    .options_size = sizeof(struct inspect_options),
    .args_most = ARGS_ANY,
    .run = run_volume,
};

static int run_network(struct call *call, struct error *err)
{
    return run_type(call, "network", err);
}

const struct command command_network_inspect = {
    .paths = {"network inspect"},
    .usage = "[options] NETWORK [NETWORK...]",
    .help = "Inspect network",
    .options = table,
    .options_size = sizeof(struct inspect_options),
    .args_most = ARGS_ANY,
    .run = run_network,
};
