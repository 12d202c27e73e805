/* The keyrings of a thread, see keyrings(7). The runtime makes every container a session keyring of
 * its own, so empty ones are there again; keys would get other numbers, and are refused. */
#include <errno.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "engine/state.h"

static const struct {
    int id;
    const char *what;
} rings[] = {
    {KEY_SPEC_SESSION_KEYRING, "session keyring"},
    {KEY_SPEC_PROCESS_KEYRING, "process keyring"},
    {KEY_SPEC_THREAD_KEYRING, "thread keyring"},
};

struct asked {
    size_t
        user; /* the call for the user's keyring: it is in what stands in for a session keyring */
    size_t calls[ARRAY_LEN(rings)];
    remote_addr first[ARRAY_LEN(rings)];
};

/* The result is the size of all key numbers; the first one is enough for us. */
static void *ask(struct look *l)
{
    struct asked *a = arena_new_of(l->dump->arena, struct asked);
    a->user = batch_try(l->batch, SYS_keyctl, KEYCTL_GET_KEYRING_ID,
                        (uint64_t)(int64_t)KEY_SPEC_USER_KEYRING, 0);
    for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
        a->first[i] = look_room(l, int32_t);
        a->calls[i] = batch_try(l->batch, SYS_keyctl, KEYCTL_READ, (uint64_t)(int64_t)rings[i].id,
                                a->first[i], sizeof(int32_t));
    }
    return a;
}

/* "type;uid;gid;perm;description", if we may see it. */
static void describe(int32_t key, char *to, size_t size)
{
    char text[256] = "";
    long n = syscall(SYS_keyctl, KEYCTL_DESCRIBE, (long)key, text, sizeof(text) - 1);
    const char *name = n > 0 && n < (long)sizeof(text) ? strrchr(text, ';') : NULL;
    if (name)
        snprintf(to, size, " (%.*s \"%.100s\")", (int)strcspn(text, ";"), text, name + 1);
    else
        snprintf(to, size, " (number %d)", key);
}

static int take(struct look *l, void *asked, struct error *err)
{
    const struct asked *a = asked;
    for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
        int64_t size = batch_result(l->batch, a->calls[i]);
        int32_t first = *look_local(l, int32_t, a->first[i]);
        bool users = size == sizeof(first) && first == batch_result(l->batch, a->user);
        if (size <= 0 || users)
            continue;
        char name[192];
        describe(first, name, sizeof(name));
        return error_set(err, ENOTSUP,
                         "process %d (%s) of container %s has a key%s in its %s: made again, it "
                         "would have another number",
                         l->task->vpid, l->task->stat.comm, l->dump->options.name, name,
                         rings[i].what);
    }
    return 0;
}

const struct state_part state_keyrings = {"keyrings", ask, take, NULL};
