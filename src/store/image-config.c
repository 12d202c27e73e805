#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "store/image.h"
#include "store/reference.h"

static const struct json *setting(const struct image *i, const char *key)
{
    return js_get(js_get(i->config, "config"), key);
}

static const char *text(const struct json *o, const char *key)
{
    const char *value = js_get_string(o, key);
    return value ? value : "";
}

/* Sets are written as objects with empty values. */
static char **keys(const struct json *set)
{
    char **list = NULL;
    JSON_FOREACH_KEY((struct json *)set, it)
    strv_add(&list, js_iter_key(it));
    return list;
}

static char **strings(const struct image *i, const char *key)
{
    return js_get_strings(js_get(i->config, "config"), key);
}

char **image_env(const struct image *i)
{
    return strings(i, "Env");
}

char **image_cmd(const struct image *i)
{
    return strings(i, "Cmd");
}

char **image_entrypoint(const struct image *i)
{
    return strings(i, "Entrypoint");
}

char **image_volumes(const struct image *i)
{
    return keys(setting(i, "Volumes"));
}

char **image_exposed_ports(const struct image *i)
{
    return keys(setting(i, "ExposedPorts"));
}

const char *image_workdir(const struct image *i)
{
    return text(js_get(i->config, "config"), "WorkingDir");
}

const char *image_user(const struct image *i)
{
    return text(js_get(i->config, "config"), "User");
}

const char *image_stop_signal(const struct image *i)
{
    return text(js_get(i->config, "config"), "StopSignal");
}

const char *image_arch(const struct image *i)
{
    return text(i->config, "architecture");
}

const char *image_os(const struct image *i)
{
    return text(i->config, "os");
}

const struct json *image_labels(const struct image *i)
{
    const struct json *labels = setting(i, "Labels");
    return js_is_object(labels) ? labels : NULL;
}

const struct json *image_annotations(const struct image *i)
{
    const struct json *annotations = js_get(i->manifest, "annotations");
    return js_is_object(annotations) ? annotations : NULL;
}

char **image_repo_digests(const struct image *i)
{
    char **list = NULL;
    STRV_FOREACH(name, i->names)
    {
        _cleanup_reference_ struct reference ref = {0};
        if (reference_parse(*name, &ref, NULL) < 0)
            continue;
        _cleanup_free_ char *repository = reference_repository(&ref);
        _cleanup_free_ char *full = xasprintf("%s@%s", repository, i->digest);
        if (!strv_contains(list, full))
            strv_add(&list, full);
    }
    return list;
}
