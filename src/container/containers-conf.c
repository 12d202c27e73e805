#include "container/containers-conf.h"

#include <dirent.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "base/userns.h"
#include "store/toml.h"

#define SYSTEM_CONF "/etc/containers/containers.conf"

static int setting(void *context, const char *table, const char *key, char *const *values,
                   struct error *err)
{
    struct containers_conf *c = context;
    const struct {
        const char *table, *key;
        char **value;
    } known[] = {
        {"containers", "netns", &c->netns},
        {"network", "default_rootless_network_cmd", &c->rootless_network},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (key && string_equal(known[i].table, table) && string_equal(known[i].key, key) &&
            strv_length(values) == 1) {
            free(*known[i].value);
            *known[i].value = xstrdup(values[0]);
        }
    return 0;
}

static int read_file(struct containers_conf *c, const char *path, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    if (!path || !path_exists(path))
        return 0;
    int r = file_read(path, &text, err);
    return r < 0 ? r : toml_parse(text.data ? text.data : "", path, setting, c, err);
}

static int is_conf(const struct dirent *e)
{
    return e->d_name[0] != '.' && string_ends(e->d_name, ".conf");
}

static int read_dir(struct containers_conf *c, const char *dir, struct error *err)
{
    struct dirent **names = NULL;
    int n = scandir(dir, &names, is_conf, alphasort), r = 0;
    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *path = path_join(dir, names[i]->d_name);
        if (r >= 0)
            r = read_file(c, path, err);
        free(names[i]);
    }
    free(names);
    return r;
}

static char *user_conf(void)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (userns_is_host_root() || (!config && !home))
        return NULL;
    return config ? xasprintf("%s/containers/containers.conf", config)
                  : xasprintf("%s/.config/containers/containers.conf", home);
}

int containers_conf_load(struct containers_conf *ret, struct error *err)
{
    _cleanup_containers_conf_ struct containers_conf c = {0};
    const char *given = getenv("CONTAINERS_CONF");
    _cleanup_free_ char *own = user_conf();
    int r = 0;
    if (given && *given) {
        r = read_file(&c, given, err);
    } else {
        r = read_file(&c, "/usr/share/containers/containers.conf", err);
        if (r == 0)
            r = read_file(&c, SYSTEM_CONF, err);
        if (r == 0)
            r = read_dir(&c, SYSTEM_CONF ".d", err);
        if (r == 0)
            r = read_file(&c, own, err);
    }
    if (r < 0)
        return r;
    *ret = c;
    c = (struct containers_conf){0};
    return 0;
}

void containers_conf_free(struct containers_conf *c)
{
    free(c->netns);
    free(c->rootless_network);
}
