#include "container/network.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/firn.h"
#include "container/netns-quiet.h"
#include "container/netns.h"
#include "container/network-driver.h"

static const struct network_driver *const drivers[] = {
    &network_bridge,
    &network_pasta,
    &network_slirp4netns,
};

const char *network_mode(const struct container *c)
{
    const char *mode = js_get_string(c->config, "networkMode");
    return mode && *mode ? mode : "host";
}

static const struct network_driver *driver_of(const char *mode)
{
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (string_equal(drivers[i]->mode, mode))
            return drivers[i];
    return NULL;
}

bool network_is_private(const struct container *c)
{
    return driver_of(network_mode(c));
}

const char *network_helper(const struct container *c)
{
    const struct network_driver *driver = driver_of(network_mode(c));
    return driver && driver->is_helper ? driver->mode : NULL;
}

const struct json *network_ports(const struct container *c)
{
    return js_get(c->config, "newPortMappings");
}

static char *namespace_path(const struct container *c)
{
    return xasprintf("%s/netns/%s", c->firn->runroot, c->id);
}

static char *state_path(const struct container *c)
{
    return xasprintf("%s/netns/%s.json", c->firn->runroot, c->id);
}

char *network_namespace(const struct container *c)
{
    return network_is_private(c) ? namespace_path(c) : NULL;
}

struct json *network_state(const struct container *c)
{
    struct json *state = NULL;
    _cleanup_free_ char *path = network_is_private(c) ? state_path(c) : NULL;
    if (!path || !path_exists(path) || js_parse_file(path, &state, NULL) < 0)
        return NULL;
    return state;
}

/* ---- up and down ---- */

int network_save_state(const struct network_job *job, struct error *err)
{
    _cleanup_free_ char *path = state_path(job->c);
    return js_write_file(path, job->state, 0600, err);
}

static int connect_namespace(struct network_job *job, const struct network_driver *driver,
                             struct error *err)
{
    int r = network_save_state(job, err);
    if (r == 0 && job->wish && job->wish->quiet)
        network_close(job->c);
    if (r == 0)
        r = driver->up(job, err);
    int saved = network_save_state(job, r < 0 ? NULL : err);
    return r < 0 ? r : saved;
}

int network_up(struct container *c, const struct network_wish *wish, struct error *err)
{
    const struct network_driver *driver = driver_of(network_mode(c));
    int r = driver ? network_down(c, err) : 0;
    if (!driver || r < 0)
        return r;
    _cleanup_free_ char *netns = namespace_path(c);
    _cleanup_free_ char *directory = path_join(c->firn->runroot, "netns");
    _cleanup_json_ struct json *state = js_object();
    js_set(state, "mode", js_string(driver->mode));
    struct network_job job = {
        .c = c, .wish = wish, .netns = netns, .directory = directory, .state = state};
    r = netns_make(netns, err);
    if (r == 0)
        r = connect_namespace(&job, driver, err);
    if (r < 0)
        network_down(c, NULL);
    return r;
}

/* The namespace goes last: while it is there the work is not done. */
int network_down(struct container *c, struct error *err)
{
    _cleanup_free_ char *netns = network_is_private(c) ? namespace_path(c) : NULL;
    if (!netns || !path_exists(netns))
        return 0;
    _cleanup_free_ char *directory = path_join(c->firn->runroot, "netns");
    _cleanup_free_ char *path = state_path(c);
    _cleanup_json_ struct json *state = network_state(c);
    const struct network_driver *driver = driver_of(js_get_string(state, "mode"));
    struct network_job job = {.c = c, .netns = netns, .directory = directory, .state = state};
    int r = driver ? driver->down(&job, err) : 0;
    port_sockets_close(&c->port_sockets);
    if (r < 0)
        return r;
    unlink(path);
    return netns_remove(netns, err);
}

/* ---- opened and closed ---- */

static void set_quiet(struct container *c, bool quiet)
{
    _cleanup_free_ char *netns = network_namespace(c);
    int r = netns && path_exists(netns) ? netns_quiet(netns, quiet) : 0;
    if (r < 0)
        firn_debug(c->firn, "container %s: connections may be reset, for nf_tables says: %s",
                   c->name, strerror(-r));
}

void network_close(struct container *c)
{
    set_quiet(c, true);
}

void network_open(struct container *c)
{
    set_quiet(c, false);
}
