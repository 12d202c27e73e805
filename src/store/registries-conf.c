#include "store/registries-conf.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "base/userns.h"
#include "store/toml.h"

#define SYSTEM_CONF "/etc/containers/registries.conf"

struct reading {
    struct registries_conf *conf;
    const char *file;
};

static void alias_set(struct registries_conf *c, const char *name, const char *full,
                      const char *file)
{
    array_reserve(c->aliases, c->alias_count, c->alias_room);
    c->aliases[c->alias_count++] = (struct registries_alias){
        .name = xstrdup(name), .full = xstrdup(full), .file = xstrdup(file)};
}

static int setting(void *context, const char *table, const char *key, char *const *values,
                   struct error *err)
{
    struct reading *r = context;
    if (string_equal(table, "aliases") && values && values[0])
        alias_set(r->conf, key, values[0], r->file);
    if (string_equal(table, "") && string_equal(key, "unqualified-search-registries")) {
        strv_free(r->conf->search);
        r->conf->search = strv_copy(values);
    }
    return 0;
}

int registries_conf_read(struct registries_conf *c, const char *path, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    int r = file_read(path, &text, err);
    if (r < 0)
        return r;
    struct reading reading = {.conf = c, .file = path};
    return toml_parse(text.data, path, setting, &reading, err);
}

static int is_conf(const struct dirent *e)
{
    return e->d_name[0] != '.' && string_ends(e->d_name, ".conf");
}

static int read_dir(struct registries_conf *c, const char *dir, struct error *err)
{
    struct dirent **names = NULL;
    int n = scandir(dir, &names, is_conf, alphasort), r = 0;
    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *path = path_join(dir, names[i]->d_name);
        if (r >= 0)
            r = registries_conf_read(c, path, err);
        free(names[i]);
    }
    free(names);
    return r;
}

static char *user_conf(const char *suffix)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (userns_is_host_root() || (!config && !home))
        return NULL;
    return config ? xasprintf("%s/containers/registries.conf%s", config, suffix)
                  : xasprintf("%s/.config/containers/registries.conf%s", home, suffix);
}

static char *main_file(void)
{
    const char *given = getenv("CONTAINERS_REGISTRIES_CONF");
    if (given && *given)
        return xstrdup(given);
    _cleanup_free_ char *own = user_conf("");
    return own && path_exists(own) ? take_ptr(own) : xstrdup(SYSTEM_CONF);
}

int registries_conf_load(struct registries_conf *ret, struct error *err)
{
    _cleanup_registries_conf_ struct registries_conf c = {.path = main_file()};
    const char *dir = getenv("CONTAINERS_REGISTRIES_CONF_DIR");
    int r = path_exists(c.path) ? registries_conf_read(&c, c.path, err) : 0;
    if (r >= 0)
        r = read_dir(&c, dir && *dir ? dir : SYSTEM_CONF ".d", err);
    _cleanup_free_ char *own = dir ? NULL : user_conf(".d");
    if (r >= 0 && own)
        r = read_dir(&c, own, err);
    if (r < 0)
        return r;
    *ret = c;
    c = (struct registries_conf){0};
    return 0;
}

void registries_conf_free(struct registries_conf *c)
{
    free(c->path);
    strv_free(c->search);
    for (size_t i = 0; i < c->alias_count; i++) {
        free(c->aliases[i].name);
        free(c->aliases[i].full);
        free(c->aliases[i].file);
    }
    free(c->aliases);
}

const struct registries_alias *registries_conf_alias(const struct registries_conf *c,
                                                     const char *name)
{
    for (size_t i = c->alias_count; i > 0; i--)
        if (string_equal(c->aliases[i - 1].name, name))
            return &c->aliases[i - 1];
    return NULL;
}
