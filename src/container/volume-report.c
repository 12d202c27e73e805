#include "container/volume-report.h"

#include "base/clock.h"
#include "container/firn.h"
#include "store/volume.h"

struct json *volume_report(const struct volume *v)
{
    _cleanup_free_ char *created = time_rfc3339(v->created);
    struct json *o = js_object();
    js_set(o, "Name", js_string(v->name));
    js_set(o, "Driver", js_string(v->driver));
    js_set(o, "Mountpoint", js_string(v->mountpoint));
    js_set(o, "CreatedAt", js_string(created));
    js_set(o, "Labels", v->labels ? js_copy(v->labels) : js_object());
    js_set(o, "Scope", js_string("local"));
    js_set(o, "Options", v->options ? js_copy(v->options) : js_object());
    if (v->anonymous)
        js_set(o, "Anonymous", js_bool(true));
    js_set(o, "MountCount", js_int(0));
    js_set(o, "NeedsCopyUp", js_bool(v->needs_copy_up));
    js_set(o, "NeedsChown", js_bool(v->needs_copy_up));
    return o;
}

int volume_report_inspect(struct firn *firn, const char *name, struct json **ret, struct error *err)
{
    _cleanup_volume_ struct volume *v = NULL;
    int r = volume_lookup(firn->store, name, &v, err);
    if (r < 0)
        return r;
    *ret = volume_report(v);
    return 0;
}
