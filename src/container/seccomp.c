#include "container/seccomp.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/io.h"
#include "container/capability.h"

/* This machine, as profiles name it: Go's name and libseccomp's. */
struct architecture {
    const char *machine, *go, *seccomp;
};

static const struct architecture *our_architecture(void)
{
    static const struct architecture all[] = {
        {"x86_64", "amd64", "SCMP_ARCH_X86_64"},
        {"aarch64", "arm64", "SCMP_ARCH_AARCH64"},
    };
    struct utsname u;
    if (uname(&u) < 0)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (strcmp(all[i].machine, u.machine) == 0)
            return &all[i];
    return NULL;
}

static struct json *architectures(const struct json *profile, const struct architecture *our)
{
    const struct json *map = js_get(profile, "archMap");
    struct json *list = js_array();
    JSON_FOREACH(map, i)
    {
        const struct json *entry = js_at(map, i);
        const char *name = js_get_string(entry, "architecture");
        if (!our || !name || strcmp(name, our->seccomp) != 0)
            continue;
        js_push(list, js_string(name));
        const struct json *sub = js_get(entry, "subArchitectures");
        JSON_FOREACH(sub, s)
        {
            js_push(list, js_ref(js_at(sub, s)));
        }
    }
    return list;
}

static bool has_text(const struct json *list, const char *text)
{
    JSON_FOREACH(list, i)
    {
        const char *s = js_text(js_at(list, i));
        if (s && strcmp(s, text) == 0)
            return true;
    }
    return false;
}

/* All capabilities and, if any are named, one of the architectures for an inclusion; one of them is
 * enough for an exclusion. */
static bool rule_applies(const struct json *rule, uint64_t caps, const struct architecture *our)
{
    const struct json *in = js_get(rule, "includes"), *out = js_get(rule, "excludes");
    const struct json *arches = js_get(in, "arches");
    uint64_t needed = capability_mask(js_get(in, "caps"));
    if ((caps & needed) != needed)
        return false;
    if (js_count(arches) && !(our && has_text(arches, our->go)))
        return false;
    if (caps & capability_mask(js_get(out, "caps")))
        return false;
    return !(our && has_text(js_get(out, "arches"), our->go));
}

static struct json *convert_rule(const struct json *rule)
{
    struct json *o = js_object();
    struct json *names = js_get(rule, "names");
    if (names) {
        js_set(o, "names", js_ref(names));
    } else {
        names = js_array();
        js_push(names, js_string(js_get_string(rule, "name")));
        js_set(o, "names", names);
    }
    js_set(o, "action", js_string(js_get_string(rule, "action")));
    if (js_is_int(js_get(rule, "errnoRet")))
        js_set(o, "errnoRet", js_ref(js_get(rule, "errnoRet")));
    if (js_count(js_get(rule, "args")))
        js_set(o, "args", js_ref(js_get(rule, "args")));
    return o;
}

int seccomp_make(const struct json *profile, uint64_t capabilities, struct json **ret,
                 struct error *err)
{
    const struct architecture *our = our_architecture();
    if (!js_get_string(profile, "defaultAction"))
        return error_kind_set(err, ERROR_USAGE,
                              "loading seccomp profile failed: it has no defaultAction");
    if (js_get(profile, "archMap") && js_get(profile, "architectures"))
        return error_kind_set(err, ERROR_USAGE,
                              "loading seccomp profile failed: 'architectures' and 'archMap' were "
                              "specified in the seccomp profile, use either 'architectures' or "
                              "'archMap'");
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "defaultAction", js_string(js_get_string(profile, "defaultAction")));
    if (js_is_int(js_get(profile, "defaultErrnoRet")))
        js_set(o, "defaultErrnoRet", js_ref(js_get(profile, "defaultErrnoRet")));
    struct json *plain = js_get(profile, "architectures");
    js_set(o, "architectures", plain ? js_ref(plain) : architectures(profile, our));
    if (js_count(js_get(profile, "flags")))
        js_set(o, "flags", js_ref(js_get(profile, "flags")));
    struct json *rules = js_array();
    js_set(o, "syscalls", rules);
    const struct json *all = js_get(profile, "syscalls");
    JSON_FOREACH(all, i)
    {
        if (rule_applies(js_at(all, i), capabilities, our))
            js_push(rules, convert_rule(js_at(all, i)));
    }
    *ret = take_ptr(o);
    return 0;
}

int seccomp_default_profile(struct json **ret, struct error *err)
{
    static const char *const places[] = {"/etc/containers/seccomp.json",
                                         "/usr/share/containers/seccomp.json"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (path_exists(places[i]))
            return js_parse_file(places[i], ret, err);
    *ret = NULL;
    return 0;
}
