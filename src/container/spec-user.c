#include "container/spec-user.h"

#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "base/userns.h"
#include "container/delegation.h"

static bool has_namespace(const struct json *spec, const char *type)
{
    const struct json *list = js_path(spec, "linux", "namespaces", NULL);
    JSON_FOREACH(list, i)
    {
        if (string_equal(js_get_string(js_at(list, i), "type"), type))
            return true;
    }
    return false;
}

/* The kernel lets only the owner of a namespace mount what shows it. */
static void bind_instead(struct json *mount, const char *source)
{
    bool read_only = false;
    const struct json *before = js_get(mount, "options");
    JSON_FOREACH(before, i)
    {
        read_only |= string_equal(js_text(js_at(before, i)), "ro");
    }
    _cleanup_strv_ char **options = strv_split("rbind,rprivate,nosuid,noexec,nodev", ',');
    strv_add(&options, read_only ? "ro" : "rw");
    js_set(mount, "type", js_string("bind"));
    js_set(mount, "source", js_string(source));
    js_set(mount, "options", js_strings(options));
}

/* Group 5 is the terminals' by convention; it may not be one the user has. */
static void drop_group(struct json *mount)
{
    struct json *options = js_get(mount, "options");
    for (size_t j = js_count(options); j-- > 0;)
        if (string_starts(js_text(js_at(options, j)), "gid="))
            js_remove_at(options, j);
}

static void fit_mount(const struct json *spec, struct json *mount)
{
    const char *type = js_get_string(mount, "type");
    if (string_equal(type, "sysfs") && !has_namespace(spec, "network"))
        bind_instead(mount, "/sys");
    else if (string_equal(type, "proc") && !has_namespace(spec, "pid"))
        bind_instead(mount, "/proc");
    else if (string_equal(type, "devpts") && !userns_has_many_ids())
        drop_group(mount);
}

/* A place of the host that is bound into every container, if it is there. */
static bool is_missing(const struct json *mount)
{
    return string_equal(js_get_string(mount, "source"), "/dev/mqueue") &&
           !path_exists("/dev/mqueue");
}

void spec_fit_user(struct json *spec, char *const *controllers)
{
    struct json *mounts = js_get(spec, "mounts");
    for (size_t i = js_count(mounts); i-- > 0;) {
        fit_mount(spec, js_at(mounts, i));
        if (is_missing(js_at(mounts, i)))
            js_remove_at(mounts, i);
    }
    _cleanup_strv_ char **missing =
        delegation_fit(js_path(spec, "linux", "resources", NULL), controllers);
    if (!controllers)
        js_remove(js_get(spec, "linux"), "resources");
}
