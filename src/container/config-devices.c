/* --device, and the rule everything starts from. */
#include "container/draft.h"

#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "container/device.h"

static bool valid_access(const char *s)
{
    return *s && strspn(s, "rwm") == strlen(s) && strlen(s) <= 3;
}

/* HOST, HOST:CONTAINER, HOST:rwm, HOST:CONTAINER:rwm. */
static int add_device(struct draft *d, const char *option, struct error *err)
{
    _cleanup_strv_ char **parts = strv_split(option, ':');
    size_t n = strv_length(parts);
    const char *source = parts[0], *target = parts[0], *access = "rwm";
    if (n == 2 && *parts[1] == '/')
        target = parts[1];
    else if (n == 2)
        access = parts[1];
    if (n == 3) {
        target = *parts[1] ? parts[1] : source;
        access = parts[2];
    }
    if (n > 3 || !*source || *source != '/' || *target != '/')
        return error_kind_set(err, ERROR_USAGE, "invalid device specification: %s", option);
    if (!valid_access(access))
        return error_kind_set(err, ERROR_USAGE, "invalid device mode: %s", access);
    return device_add(d->spec, source, target, access, err);
}

int draft_devices(struct draft *d, struct error *err)
{
    if (d->options->privileged) {
        /* The nodes are looked up when it starts: they are this host's, not the container's. */
        js_set(d->config, "mountAllDevices", js_bool(true));
        return 0;
    }
    struct json *rules = js_array();
    struct json *deny = js_object();
    js_set(deny, "allow", js_bool(false));
    js_set(deny, "access", js_string("rwm"));
    js_push(rules, deny);
    js_set(draft_object(draft_object(d->spec, "linux"), "resources"), "devices", rules);
    STRV_FOREACH(option, d->options->devices)
    {
        int r = add_device(d, *option, err);
        if (r < 0)
            return r;
    }
    return 0;
}
