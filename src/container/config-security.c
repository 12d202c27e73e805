/* Capabilities, seccomp, masked paths, --privileged, --security-opt. */
#include "container/draft.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "container/capability.h"
#include "container/firn.h"
#include "store/image.h"

static const char *const masked[] = {
    "/proc/acpi",       "/proc/kcore",       "/proc/keys",        "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
    "/sys/firmware",    "/sys/fs/selinux",   "/sys/dev/block",
};
static const char *const read_only[] = {
    "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static bool runs_as_root(const struct draft *d)
{
    const char *user = js_get_string(d->config, "user");
    if (!user)
        return true;
    size_t n = strcspn(user, ":");
    return n == 0 || (n == 1 && *user == '0') || (n == 4 && strncmp(user, "root", 4) == 0);
}

static int draft_capabilities(struct draft *d, struct error *err)
{
    const struct create_options *o = d->options;
    uint64_t base = o->privileged ? capability_bounding() : capability_defaults();
    uint64_t all, asked;
    int r = capability_merge(base, o->cap_add, o->cap_drop, &all, err);
    if (r == 0)
        r = capability_merge(0, o->cap_add, o->cap_drop, &asked, err);
    if (r < 0)
        return r;
    struct json *caps = draft_object(draft_object(d->spec, "process"), "capabilities");
    bool root = runs_as_root(d);
    uint64_t effective = root ? all : asked & all;
    js_set(caps, "bounding", capability_names(all));
    js_set(caps, "effective", capability_names(effective));
    js_set(caps, "inheritable", capability_names(root ? 0 : effective));
    js_set(caps, "permitted", capability_names(effective));
    js_set(caps, "ambient", capability_names(root ? 0 : effective));
    return 0;
}

static struct json *strings_of(const char *const *list, size_t count)
{
    struct json *a = js_array();
    for (size_t i = 0; i < count; i++)
        js_push(a, js_string(list[i]));
    return a;
}

/* Adds paths separated by ':' to linux.maskedPaths, or takes them away. */
static void change_masks(struct draft *d, const char *paths, bool mask)
{
    struct json *linux_part = draft_object(d->spec, "linux");
    if (!mask && strcasecmp(paths, "all") == 0) {
        js_set(linux_part, "maskedPaths", js_array());
        js_set(linux_part, "readonlyPaths", js_array());
        return;
    }
    _cleanup_strv_ char **list = strv_split(paths, ':');
    struct json *sets[] = {js_get(linux_part, "maskedPaths"), js_get(linux_part, "readonlyPaths")};
    STRV_FOREACH(path, list)
    {
        for (size_t s = 0; s < 2 && !mask; s++)
            for (size_t i = js_count(sets[s]); i-- > 0;)
                if (string_equal(js_text(js_at(sets[s], i)), *path))
                    js_remove_at(sets[s], i);
        if (mask)
            js_push(sets[0], js_string(*path));
    }
}

static int set_seccomp(struct draft *d, const char *value, struct error *err)
{
    if (strcmp(value, "unconfined") == 0) {
        js_set(d->own, "seccomp", js_string("unconfined"));
        return 0;
    }
    /* Read now, so that a later change of the file does not change this container. */
    _cleanup_json_ struct json *profile = NULL;
    int r = js_parse_file(value, &profile, err);
    if (r < 0)
        return error_wrap(err, "opening seccomp profile failed");
    js_set(d->own, "seccomp", js_string(value));
    js_set(d->own, "seccompProfile", take_ptr(profile));
    return 0;
}

static int set_no_new_privileges(struct draft *d, const char *value, struct error *err)
{
    int on = option_bool(value);
    if (on < 0)
        return error_kind_set(err, ERROR_USAGE,
                              "invalid --security-opt 1: \"no-new-privileges:%s\"", value);
    js_set(draft_object(d->spec, "process"), "noNewPrivileges", js_bool(on));
    return 0;
}

static int set_label(struct draft *d, const char *value, struct error *err)
{
    js_set(d->config, "labelopts", js_array());
    js_push(js_get(d->config, "labelopts"), js_string(value));
    if (strcmp(value, "disable") == 0)
        return 0;
    return error_kind_set(err, ERROR_USAGE, "--security-opt label=%s is not supported: use disable",
                          value);
}

static int set_apparmor(struct draft *d, const char *value, struct error *err)
{
    if (strcmp(value, "unconfined") != 0)
        js_set(draft_object(d->spec, "process"), "apparmorProfile", js_string(value));
    return 0;
}

static int set_mask(struct draft *d, const char *value, struct error *err)
{
    change_masks(d, value, true);
    return 0;
}

static int set_unmask(struct draft *d, const char *value, struct error *err)
{
    change_masks(d, value, false);
    return 0;
}

static const struct {
    const char *key;
    bool value_needed;
    int (*set)(struct draft *d, const char *value, struct error *err);
} security_options[] = {
    {"seccomp", true, set_seccomp}, {"no-new-privileges", false, set_no_new_privileges},
    {"label", true, set_label},     {"apparmor", true, set_apparmor},
    {"mask", true, set_mask},       {"unmask", true, set_unmask},
};

static int draft_security_option(struct draft *d, const char *option, struct error *err)
{
    _cleanup_free_ char *key = xstrdup(option);
    char *separator = strpbrk(key, "=:");
    const char *value = separator ? separator + 1 : NULL;
    if (separator)
        *separator = '\0';
    for (size_t i = 0; i < ARRAY_LEN(security_options); i++) {
        if (strcmp(security_options[i].key, key) != 0)
            continue;
        if (!value && security_options[i].value_needed)
            break;
        return security_options[i].set(d, value, err);
    }
    return error_kind_set(err, ERROR_USAGE, "invalid --security-opt 1: \"%s\"", option);
}

int draft_security(struct draft *d, struct error *err)
{
    int r = draft_capabilities(d, err);
    if (r < 0)
        return r;
    bool privileged = d->options->privileged;
    struct json *linux_part = draft_object(d->spec, "linux");
    js_set(d->config, "privileged", js_bool(privileged));
    js_set(linux_part, "maskedPaths",
           privileged ? js_array() : strings_of(masked, ARRAY_LEN(masked)));
    js_set(linux_part, "readonlyPaths",
           privileged ? js_array() : strings_of(read_only, ARRAY_LEN(read_only)));
    js_set(d->own, "seccomp", js_string(privileged ? "unconfined" : "default"));
    STRV_FOREACH(option, d->options->security_opts)
    {
        if ((r = draft_security_option(d, *option, err)) < 0)
            return r;
    }
    return 0;
}
