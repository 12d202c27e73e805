#include "cli/each.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "cli/failures.h"

bool wanted_alive(enum container_state state)
{
    return container_state_is_alive(state);
}

bool wanted_running(enum container_state state)
{
    return state == CONTAINER_RUNNING;
}

bool wanted_paused(enum container_state state)
{
    return state == CONTAINER_PAUSED;
}

bool wanted_exited(enum container_state state)
{
    return state == CONTAINER_EXITED || state == CONTAINER_STOPPED;
}

bool wanted_stopped(enum container_state state)
{
    return wanted_exited(state) || state == CONTAINER_CREATED || state == CONTAINER_INITIALIZED;
}

/* The ids in the files join the names. */
static int read_cidfiles(char *const *files, char ***names, struct error *err)
{
    STRV_FOREACH(file, files)
    {
        _cleanup_buf_ struct buf b = {0};
        struct error cause = {0};
        if (file_read(*file, &b, &cause) < 0)
            return error_set(err, cause.code, "reading CIDFile: open %s: %s", *file,
                             errno_text(cause.code, (char[128]){0}, 128));
        strv_take(names, xstrndup(b.data ? b.data : "", b.data ? strcspn(b.data, "\n") : 0));
    }
    return 0;
}

static int drop_missing(struct firn *firn, char *const *names, char ***ret, struct error *err)
{
    STRV_FOREACH(name, names)
    {
        _cleanup_container_ struct container *c = NULL;
        struct error one = {0};
        int r = container_lookup(firn, *name, &c, &one);
        if (r >= 0)
            strv_add(ret, *name);
        else if (one.kind != ERROR_NOT_FOUND) {
            *err = one;
            return r;
        }
    }
    return 0;
}

static int keep_wanted(const struct each *e, struct container_list *all, struct container_list *ret,
                       struct error *err)
{
    for (size_t i = 0; i < all->count; i++) {
        struct container_status status;
        struct error one = {0};
        /* One that vanished meanwhile is not wanted. */
        if (e->wanted &&
            (container_status(all->items[i], &status, &one) < 0 || !e->wanted(status.state)))
            continue;
        container_list_add(ret, take_ptr(all->items[i]));
    }
    return 0;
}

int each_select(struct call *call, const struct each *e, struct container_list *ret,
                char ***ret_names, struct error *err)
{
    _cleanup_strv_ char **names = NULL, **there = NULL;
    _cleanup_container_list_ struct container_list found = {0};
    strv_add_all(&names, call->args);
    int r = read_cidfiles(e->cidfiles, &names, err);
    if (r >= 0 && e->ignore_missing)
        r = drop_missing(call->firn, names, &there, err);
    if (r < 0)
        return r;
    if (e->ignore_missing && names && !there && !e->all && !e->latest)
        return 0;
    struct container_selection selection = {
        .names = e->ignore_missing ? there : names,
        .all = e->all,
        .latest = e->latest,
        .filters = e->filters,
    };
    r = container_select(call->firn, &selection, &found, err);
    if (r < 0)
        return r;
    bool typed = !e->all && !e->latest;
    r = keep_wanted(e->all ? e : &(struct each){0}, &found, ret, err);
    for (size_t i = 0; i < ret->count; i++)
        strv_add(ret_names, typed ? selection.names[i] : ret->items[i]->id);
    return r;
}

int each_container(struct call *call, const struct each *e, struct error *err)
{
    _cleanup_container_list_ struct container_list list = {0};
    _cleanup_strv_ char **names = NULL;
    struct failures failures = {0};
    int r = each_select(call, e, &list, &names, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.count; i++) {
        struct error one = {0};
        r = e->act(list.items[i], e->context, &one);
        /* Gone since it was looked up: as good as never there. */
        bool passed_over = one.kind == ERROR_NOT_FOUND && (e->ignore_missing || e->all);
        if (r < 0 && !passed_over)
            failures_add(&failures, &one);
        else if (r == 0 && !e->quiet)
            printf("%s\n", names[i]);
        fflush(stdout);
    }
    return failures_end(&failures, err);
}
