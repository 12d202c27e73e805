#include "container/prune.h"

#include "base/strv.h"
#include "container/filter.h"
#include "container/remove.h"
#include "container/state.h"

static int prune_one(struct container *c, char ***ret_ids, struct error *err)
{
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0 || container_state_is_alive(s.state) || s.state == CONTAINER_INITIALIZED)
        return r;
    r = container_remove(c, &(struct remove_options){.timeout_seconds = -1}, err);
    /* Started, or removed by somebody else, in between: not ours to complain about. */
    if (r < 0 && (err->kind == ERROR_NOT_FOUND || err->kind == ERROR_STATE))
        return 0;
    if (r == 0)
        strv_add(ret_ids, c->id);
    return r;
}

int container_prune(struct firn *firn, char *const *filters, char ***ret_ids, struct error *err)
{
    _cleanup_filter_ struct filter f = {0};
    _cleanup_container_list_ struct container_list all = {0};
    int r = filter_parse(firn, filter_prune_keys, filters, &f, err);
    if (r == 0)
        r = container_list_all(firn, &all, err);
    for (size_t i = 0; r >= 0 && i < all.count; i++) {
        r = filter_match(&f, all.items[i], err);
        if (r > 0)
            r = prune_one(all.items[i], ret_ids, err);
    }
    return r < 0 ? r : 0;
}
