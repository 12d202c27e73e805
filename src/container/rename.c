#include "container/rename.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "container/config.h"
#include "container/event.h"
#include "container/firn.h"
#include "store/store.h"

static int store_name(struct container *c, struct error *err)
{
    _cleanup_free_ char *config = js_dump(c->config, 0);
    struct error cause = {0};
    int r = database_run(c->firn->store->db, &cause,
                         "UPDATE containers SET name = ?, config = ? WHERE id = ?", "sss", c->name,
                         config, c->id);
    if (r == -EEXIST)
        return error_kind_set(err, ERROR_CONFLICT,
                              "renaming container %s: name %s already in use, cannot rename "
                              "container %s: container already exists",
                              c->id, c->name, c->id);
    if (r < 0 && err)
        *err = cause;
    return r < 0 ? r : 0;
}

int container_rename(struct container *c, const char *name, struct error *err)
{
    int r = config_check_name(name, err);
    if (r == 0)
        r = container_lock(c, err);
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    char *before = c->name;
    c->name = xstrdup(name);
    js_set(locked->config, "name", js_string(name));
    r = store_name(c, err);
    if (r < 0) {
        free(c->name);
        c->name = before;
        js_set(c->config, "name", js_string(before));
        return r;
    }
    free(before);
    container_event(c, "rename");
    return 0;
}
