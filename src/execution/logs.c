#include "execution/logs.h"

#include <errno.h>
#include <time.h>

#include "container/container.h"

enum { PAUSE_MS = 20, TRIES = 500 };

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
}

/* It is away for a moment while it is brought back. */
static int find_container(struct execution *e, struct container **ret, struct error *err)
{
    int r = container_lookup(e->firn, e->id, ret, err);
    for (int i = 0; r == -ENOENT && i < TRIES && !execution_is_over(e); i++) {
        pause_a_little();
        if (execution_refresh(e, err) < 0)
            break;
        r = container_lookup(e->firn, e->id, ret, err);
    }
    return r;
}

/* The container goes and comes: its log travels with its checkpoint. */
static int follow(struct execution *e, struct logs_options *o, struct error *err)
{
    int64_t shown = 0;
    int r = 0;
    o->shown = &shown;
    while (r == 0) {
        _cleanup_container_ struct container *c = NULL;
        r = execution_refresh(e, err);
        bool over = r == 0 && execution_is_over(e);
        if (r == 0 && container_lookup(e->firn, e->id, &c, NULL) == 0)
            r = container_logs(c, o, err);
        if (r < 0 || over)
            return r;
        o->tail = -1;
        pause_a_little();
    }
    return r;
}

int execution_logs(struct execution *e, const struct logs_options *options, struct error *err)
{
    struct logs_options o = *options;
    _cleanup_container_ struct container *c = NULL;
    if (o.follow)
        return follow(e, &o, err);
    int r = find_container(e, &c, err);
    return r < 0 ? r : container_logs(c, &o, err);
}
