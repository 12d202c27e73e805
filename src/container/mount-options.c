#include "container/mount-options.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/strv.h"

/* At most one option of a group may be given. `standard` is what is added when none is. */
static const struct group {
    const char *names[9];
    const char *standard_bind; /* also for volumes */
    const char *standard_tmpfs;
    const char *what;
} groups[] = {
    {{"ro", "rw"}, "rw", "rw", "'ro' or 'rw'"},
    {{"private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"},
     "rprivate",
     "rprivate",
     "root propagation"},
    {{"bind", "rbind"}, "rbind", NULL, "'bind' and 'rbind'"},
    {{"exec", "noexec"}, NULL, NULL, "'noexec' and 'exec'"},
    {{"dev", "nodev"}, NULL, "nodev", "'nodev' and 'dev'"},
    {{"suid", "nosuid"}, NULL, "nosuid", "'nosuid' and 'suid'"},
    {{"tmpcopyup", "notmpcopyup"}, NULL, "tmpcopyup", "'tmpcopyup' and 'notmpcopyup'"},
    {{"z", "Z"}, NULL, NULL, "'z' or 'Z'"},
    {{"copy", "nocopy"}, NULL, NULL, "'copy' and 'nocopy'"},
    {{"noatime", "atime", "relatime", "strictatime"}, NULL, NULL, "access time"},
};

/* Not for the runtime: SELinux labels (no SELinux here means nothing to do) and volume copy-up. */
static const char *const own_options[] = {"z",    "Z",   "notmpcopyup", "copy", "nocopy",
                                          "exec", "dev", "suid",        "atime"};
static const char *const unsupported[] = {"U", "O", "idmap", "nosymfollow"};

static const struct group *find_group(const char *option)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        for (const char *const *name = groups[i].names; *name; name++)
            if (strcmp(*name, option) == 0)
                return &groups[i];
    return NULL;
}

static bool is_tmpfs_value(const char *option)
{
    static const char *const keys[] = {
        "size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "huge="};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (string_starts(option, keys[i]))
            return true;
    return false;
}

static bool in_list(const char *const *list, size_t count, const char *s)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], s) == 0)
            return true;
    return false;
}

static int check(const char *type, const char *option, bool *seen, struct error *err)
{
    bool tmpfs = strcmp(type, "tmpfs") == 0;
    if (tmpfs && is_tmpfs_value(option))
        return 0;
    if (in_list(unsupported, ARRAY_LEN(unsupported), option))
        return error_kind_set(err, ERROR_USAGE, "mount option \"%s\" is not supported", option);
    const struct group *g = find_group(option);
    if (!g)
        return error_kind_set(err, ERROR_USAGE, "invalid option type \"%s\"", option);
    if (tmpfs && strcmp(g->names[0], "bind") == 0)
        return error_kind_set(err, ERROR_USAGE,
                              "the 'bind' and 'rbind' options are not allowed with tmpfs mounts: "
                              "invalid mount option");
    if (seen[g - groups])
        return error_kind_set(err, ERROR_USAGE, "can only specify one of %s: duplicate option",
                              g->what);
    seen[g - groups] = true;
    return 0;
}

int mount_options_complete(const char *type, char ***options, struct error *err)
{
    bool seen[ARRAY_LEN(groups)] = {0};
    bool tmpfs = strcmp(type, "tmpfs") == 0;
    _cleanup_strv_ char **list = NULL;
    STRV_FOREACH(option, *options)
    {
        if (!**option)
            continue;
        int r = check(type, *option, seen, err);
        if (r < 0)
            return r;
        if (!in_list(own_options, ARRAY_LEN(own_options), *option) ||
            (strcmp(type, "volume") == 0 && strcmp(*option, "nocopy") == 0))
            strv_add(&list, *option);
    }
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        const char *standard = tmpfs ? groups[i].standard_tmpfs : groups[i].standard_bind;
        if (!seen[i] && standard)
            strv_add(&list, standard);
    }
    strv_free(*options);
    *options = take_ptr(list);
    return 0;
}

char *mount_clean_path(const char *path)
{
    _cleanup_strv_ char **parts = strv_split(path, '/');
    _cleanup_buf_ struct buf b = {0};
    STRV_FOREACH(part, parts)
    {
        if (!**part || strcmp(*part, ".") == 0)
            continue;
        if (strcmp(*part, "..") == 0) {
            char *slash = b.size ? strrchr(b.data, '/') : NULL;
            b.size = slash ? (size_t)(slash - b.data) : 0;
            if (b.data)
                b.data[b.size] = '\0';
            continue;
        }
        buf_add_char(&b, '/');
        buf_add_string(&b, *part);
    }
    if (!b.size)
        buf_add_char(&b, '/');
    return buf_take(&b);
}
