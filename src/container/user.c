#include "container/user.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/strv.h"

void container_user_clear(struct container_user *u)
{
    free(u->groups);
    free(u->home);
    *u = (struct container_user){0};
}

/* The lines of a file, none when it is not there. */
static char **read_lines(int rootfd, const char *path)
{
    _cleanup_close_ int fd = open_in_root(rootfd, path, O_RDONLY | O_NONBLOCK, 0);
    _cleanup_buf_ struct buf b = {0};
    const size_t limit = 16 << 20;
    while (fd >= 0 && b.size < limit) {
        ssize_t n = read_full(fd, buf_reserve(&b, 16384), 16384);
        if (n <= 0)
            break;
        b.size += (size_t)n;
        b.data[b.size] = '\0';
    }
    return strv_split(b.data ? b.data : "", '\n');
}

static bool parse_id(const char *s, unsigned *ret)
{
    if (!*s || strspn(s, "0123456789") != strlen(s) || strlen(s) > 10)
        return false;
    unsigned long long n = strtoull(s, NULL, 10);
    *ret = (unsigned)n;
    return n < 0xffffffffULL;
}

/* The entry whose first field is `name`, or whose third is `id`. The caller frees. */
static char **find_entry(char *const *lines, const char *name, const unsigned *id, size_t fields)
{
    STRV_FOREACH(line, lines)
    {
        char **parts = strv_split(*line, ':');
        unsigned n;
        if (strv_length(parts) >= fields && parse_id(parts[2], &n) &&
            ((name && strcmp(parts[0], name) == 0) || (id && n == *id)))
            return parts;
        strv_free(parts);
    }
    return NULL;
}

static void add_group(struct container_user *u, gid_t gid)
{
    for (size_t i = 0; i < u->group_count; i++)
        if (u->groups[i] == gid)
            return;
    u->groups = xrealloc(u->groups, (u->group_count + 1) * sizeof(*u->groups));
    u->groups[u->group_count++] = gid;
}

static int find_group(char *const *lines, const char *group, gid_t *ret, struct error *err)
{
    unsigned id = 0;
    bool number = parse_id(group, &id);
    _cleanup_strv_ char **entry = find_entry(lines, group, NULL, 3);
    if (entry)
        number = parse_id(entry[2], &id);
    if (!number)
        return error_kind_set(err, ERROR_CANNOT_INVOKE,
                              "unable to find group %s: no matching entries in group file", group);
    *ret = id;
    return 0;
}

static void add_memberships(struct container_user *u, char *const *lines, const char *name)
{
    STRV_FOREACH(line, lines)
    {
        _cleanup_strv_ char **parts = strv_split(*line, ':');
        unsigned gid;
        if (strv_length(parts) < 4 || !parse_id(parts[2], &gid))
            continue;
        _cleanup_strv_ char **members = strv_split(parts[3], ',');
        if (strv_contains(members, name))
            add_group(u, gid);
    }
}

static int find_user(char *const *passwd, const char *name, struct container_user *u,
                     char **ret_name, struct error *err)
{
    unsigned id = 0, gid = 0;
    bool number = parse_id(name, &id);
    _cleanup_strv_ char **entry = find_entry(passwd, name, number ? &id : NULL, 6);
    if (!entry && !number)
        return error_kind_set(err, ERROR_CANNOT_INVOKE,
                              "unable to find user %s: no matching entries in passwd file", name);
    if (entry) {
        parse_id(entry[2], &id);
        parse_id(entry[3], &gid);
        free(u->home);
        u->home = xstrdup(*entry[5] ? entry[5] : "/");
        *ret_name = xstrdup(entry[0]);
    }
    u->uid = id;
    u->gid = gid;
    return 0;
}

int container_user_lookup(const char *rootfs, const char *user, char *const *extra_groups,
                          struct container_user *ret, struct error *err)
{
    _cleanup_close_ int rootfd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rootfd < 0)
        return error_errno(err, errno, "cannot open %s", rootfs);
    _cleanup_container_user_ struct container_user u = {.home = xstrdup("/")};
    _cleanup_strv_ char **passwd = read_lines(rootfd, "/etc/passwd");
    _cleanup_strv_ char **groups = read_lines(rootfd, "/etc/group");
    _cleanup_strv_ char **parts = strv_split(user, ':');
    _cleanup_free_ char *name = NULL;
    int r = find_user(passwd, *parts[0] ? parts[0] : "0", &u, &name, err);
    if (r < 0)
        return r;
    if (parts[1]) {
        r = find_group(groups, parts[1], &u.gid, err);
        if (r < 0)
            return r;
    } else if (name) {
        add_memberships(&u, groups, name);
    }
    STRV_FOREACH(group, extra_groups)
    {
        gid_t gid;
        r = find_group(groups, *group, &gid, err);
        if (r < 0)
            return r;
        add_group(&u, gid);
    }
    *ret = u;
    u = (struct container_user){0};
    return 0;
}

void container_user_store(const struct container_user *u, struct json *process_user)
{
    js_set(process_user, "uid", js_int(u->uid));
    js_set(process_user, "gid", js_int(u->gid));
    js_remove(process_user, "additionalGids");
    if (!u->group_count)
        return;
    struct json *list = js_array();
    for (size_t i = 0; i < u->group_count; i++)
        js_push(list, js_int(u->groups[i]));
    js_set(process_user, "additionalGids", list);
}
