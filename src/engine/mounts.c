#include "engine/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "base/userns.h"

/* A line of proc_pid_mountinfo(5): "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root
 * rw". */
struct mount {
    const char *device, *root, *point, *options, *type;
    bool received; /* by propagation */
};

struct mounts {
    struct mount *list;
    size_t count, room;
};

static void mounts_clear(struct mounts *m)
{
    free(m->list);
}

static bool parse_line(char *line, struct mount *m)
{
    char *state = NULL;
    size_t n = 0;
    bool tail = false;
    *m = (struct mount){0};
    for (char *word = strtok_r(line, " ", &state); word; word = strtok_r(NULL, " ", &state), n++) {
        const char **const fixed[] = {NULL, NULL, &m->device, &m->root, &m->point, &m->options};
        if (n < ARRAY_LEN(fixed) && fixed[n])
            *fixed[n] = word;
        else if (tail && !m->type)
            m->type = word;
        else if (n >= ARRAY_LEN(fixed) && strcmp(word, "-") == 0)
            tail = true;
        else if (n >= ARRAY_LEN(fixed) && !tail && string_starts(word, "master:"))
            m->received = true;
    }
    return m->type != NULL;
}

/* Points into `text`, which it takes apart. */
static void parse(char *text, struct mounts *ret)
{
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        struct mount m;
        if (!parse_line(line, &m))
            continue;
        array_reserve(ret->list, ret->count, ret->room);
        ret->list[ret->count++] = m;
    }
}

static const struct mount *find(const struct mounts *all, const struct mount *m)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct mount *o = &all->list[i];
        if (string_equal(o->point, m->point) && string_equal(o->device, m->device) &&
            string_equal(o->root, m->root))
            return o;
    }
    return NULL;
}

static bool has_option(const char *options, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = options; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (!at[length] || at[length] == ','))
            return true;
    }
    return false;
}

/* Without real root the runtime takes rights from its mounts only when the program is started,
 * which looks as if the container had. */
static bool has_changed(const struct mount *old, const struct mount *now)
{
    static const char *const limits[] = {"ro", "nosuid", "nodev", "noexec"};
    if (strcmp(old->options, now->options) == 0)
        return false;
    bool fewer = false;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        fewer =
            fewer || (has_option(old->options, limits[i]) && !has_option(now->options, limits[i]));
    return fewer || userns_is_host_root();
}

static int compare(struct dump *d, const struct mounts *before, const struct mounts *now)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < now->count; i++) {
        const struct mount *m = &now->list[i], *old = find(before, m);
        if (!old && !m->received)
            r = dump_refuse(d, NULL,
                            "has mounted %s at %s since it was started, which firn cannot save: "
                            "unmount it, or have it mounted by `firn create`",
                            m->type, m->point);
        else if (old && has_changed(old, m))
            r = dump_refuse(d, NULL,
                            "has mounted %s again, as %s instead of %s, which firn cannot save",
                            m->point, m->options, old->options);
    }
    for (size_t i = 0; r == 0 && i < before->count; i++)
        if (!before->list[i].received && !find(now, &before->list[i]))
            r = dump_refuse(d, NULL, "has unmounted %s, which firn cannot save",
                            before->list[i].point);
    return r;
}

/* An init that has changed its root sees other paths. */
static bool has_root(pid_t init)
{
    char link[4096];
    return proc_link(init, "root", link, sizeof(link)) == 0 && strcmp(link, "/") == 0;
}

int dump_check_mounts(struct dump *d, struct error *err)
{
    char path[64];
    _cleanup_buf_ struct buf text = {0};
    _cleanup_free_ char *recorded = xstrdup_null(d->options.mounts);
    _cleanup_(mounts_clear) struct mounts before = {0}, now = {0};
    if (!recorded || !has_root(d->options.init))
        return 0;
    snprintf(path, sizeof(path), "/proc/%d/mountinfo", d->options.init);
    int r = file_read(path, &text, err);
    if (r < 0 || !text.data)
        return r;
    parse(recorded, &before);
    parse(text.data, &now);
    return compare(d, &before, &now);
}
