/* User and group ids, supplementary groups, capabilities, securebits, no_new_privs, the signal on
 * the parent's death and dumpable, which changing ids resets. All per thread. Asked from inside, so
 * that the numbers are those of the container's user namespace. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "engine/restore.h"
#include "engine/state.h"

#define GROUPS_MAX 65536
#define CAPS_WORDS 2

struct asked {
    remote_addr uid[3], gid[3], groups, pdeath;
    size_t group_count, fsuid, fsgid, securebits;
};

static void ask_ids(struct look *l, long number, remote_addr at[3])
{
    for (int i = 0; i < 3; i++)
        at[i] = look_room(l, uint32_t);
    batch_call(l->batch, "read its ids", number, at[0], at[1], at[2]);
}

static void *ask(struct look *l)
{
    struct asked *a = arena_new_of(l->dump->arena, struct asked);
    struct batch *b = l->batch;
    ask_ids(l, SYS_getresuid, a->uid);
    ask_ids(l, SYS_getresgid, a->gid);
    /* An invalid id changes nothing and tells the present one. */
    a->fsuid = batch_try(b, SYS_setfsuid, (uint64_t)-1);
    a->fsgid = batch_try(b, SYS_setfsgid, (uint64_t)-1);
    a->groups = batch_room(b, 1024 * sizeof(uint32_t));
    a->group_count = batch_try(b, SYS_getgroups, 1024, a->groups);
    a->securebits = batch_try(b, SYS_prctl, PR_GET_SECUREBITS);
    a->pdeath = look_room(l, int);
    batch_call(b, "read its parent death signal", SYS_prctl, PR_GET_PDEATHSIG, a->pdeath);
    return a;
}

static uint32_t *cap_words(struct arena *a, uint64_t set, size_t *count)
{
    uint32_t *words = arena_array_of(a, uint32_t, CAPS_WORDS);
    words[0] = (uint32_t)set;
    words[1] = (uint32_t)(set >> 32);
    *count = CAPS_WORDS;
    return words;
}

static int take(struct look *l, void *asked, struct error *err)
{
    const struct asked *a = asked;
    struct arena *arena = l->dump->arena;
    CredsEntry *c = arena_new_of(arena, CredsEntry);
    creds_entry__init(c);
    c->uid = *look_local(l, uint32_t, a->uid[0]), c->gid = *look_local(l, uint32_t, a->gid[0]);
    c->euid = *look_local(l, uint32_t, a->uid[1]), c->egid = *look_local(l, uint32_t, a->gid[1]);
    c->suid = *look_local(l, uint32_t, a->uid[2]), c->sgid = *look_local(l, uint32_t, a->gid[2]);
    c->fsuid = (uint32_t)batch_result(l->batch, a->fsuid);
    c->fsgid = (uint32_t)batch_result(l->batch, a->fsgid);
    int64_t groups = batch_result(l->batch, a->group_count);
    if (groups < 0)
        return error_errno(err, (int)-groups, "cannot read the groups of process %d",
                           l->task->vpid);
    c->n_groups = (size_t)groups;
    c->groups =
        arena_memdup(arena, batch_local(l->batch, a->groups), c->n_groups * sizeof(uint32_t));
    const struct proc_status *s = &l->thread->status;
    c->cap_inh = cap_words(arena, s->cap_inh, &c->n_cap_inh);
    c->cap_prm = cap_words(arena, s->cap_prm, &c->n_cap_prm);
    c->cap_eff = cap_words(arena, s->cap_eff, &c->n_cap_eff);
    c->cap_bnd = cap_words(arena, s->cap_bnd, &c->n_cap_bnd);
    c->cap_amb = cap_words(arena, s->cap_amb, &c->n_cap_amb);
    c->secbits = (uint32_t)batch_result(l->batch, a->securebits);
    c->has_no_new_privs = true;
    c->no_new_privs = s->no_new_privs;
    ThreadCoreEntry *thc = l->thread->core->thread_core;
    thc->creds = c;
    int pdeath = *look_local(l, int, a->pdeath);
    thc->has_pdeath_sig = pdeath != 0;
    thc->pdeath_sig = (uint32_t)pdeath;
    return 0;
}

static uint64_t cap_set(const uint32_t *words, size_t count)
{
    return (count > 0 ? words[0] : 0) | (count > 1 ? (uint64_t)words[1] << 32 : 0);
}

static void set_caps(struct batch *b, uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    for (int i = 0; i < 2; i++) {
        data[i].effective = (uint32_t)(effective >> (32 * i));
        data[i].permitted = (uint32_t)(permitted >> (32 * i));
        data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
    }
    batch_call(b,
               "get its capabilities (one of them is not in firn's own bounding set: run firn with "
               "it)",
               SYS_capset, batch_data(b, &header, sizeof(header)),
               batch_data(b, data, sizeof(data)));
}

/* In a user namespace with one id, made without help, groups cannot be changed at all: the
 * processes keep what the runtime could give them. All live in the same namespace. */
static bool groups_are_fixed(struct restore *r)
{
    const struct task *t = &r->tree.tasks[0];
    if (r->groups_known)
        return r->groups_fixed;
    char path[64], word[16];
    snprintf(path, sizeof(path), "/proc/%d/setgroups", t->pid);
    r->groups_fixed = file_read_line(path, word, sizeof(word)) == 0 && strcmp(word, "deny") == 0;
    r->groups_known = true;
    return r->groups_fixed;
}

static void set_ids(struct batch *b, const CredsEntry *c, bool with_groups)
{
    /* Keeps the capabilities over the change of ids. */
    batch_call(b, "keep its capabilities", SYS_prctl, PR_SET_SECUREBITS,
               SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS);
    if (with_groups)
        batch_call(b, "set its groups (are they in the range of this user's subordinate gids?)",
                   SYS_setgroups, c->n_groups,
                   batch_data(b, c->groups, c->n_groups * sizeof(uint32_t)));
    batch_call(b, "set its group ids (are they in the range of this user's subordinate gids?)",
               SYS_setresgid, c->gid, c->egid, c->sgid);
    batch_call(b, "set its user ids (are they in the range of this user's subordinate uids?)",
               SYS_setresuid, c->uid, c->euid, c->suid);
    batch_try(b, SYS_setfsgid, c->fsgid);
    batch_try(b, SYS_setfsuid, c->fsuid);
}

static void set_ambient(struct batch *b, uint64_t ambient)
{
    batch_try(b, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (uint64_t cap = 0; cap < 64; cap++)
        if (ambient & 1ull << cap)
            batch_call(b, "raise an ambient capability", SYS_prctl, PR_CAP_AMBIENT,
                       PR_CAP_AMBIENT_RAISE, cap, 0, 0);
}

static int restore(struct revival *v, struct error *err)
{
    const ThreadCoreEntry *thc = v->thread->core->thread_core;
    const CredsEntry *c = thc->creds;
    struct batch *b = v->batch;
    if (!c)
        return error_set(err, EINVAL, "the checkpoint holds no credentials for process %d",
                         v->task->vpid);
    if (c->n_groups > GROUPS_MAX)
        return error_set(err, EINVAL, "the checkpoint holds too many groups for process %d",
                         v->task->vpid);
    uint64_t bounding = cap_set(c->cap_bnd, c->n_cap_bnd);
    uint64_t permitted = cap_set(c->cap_prm, c->n_cap_prm);
    uint64_t inheritable = cap_set(c->cap_inh, c->n_cap_inh);
    uint64_t have = v->thread->status.cap_prm;
    set_ids(b, c, !groups_are_fixed(v->restore));
    for (uint64_t cap = 0; cap < 64; cap++)
        if (have & 1ull << cap && !(bounding & 1ull << cap))
            batch_call(b, "drop a capability", SYS_prctl, PR_CAPBSET_DROP, cap);
    set_caps(b, have, have, inheritable);
    set_ambient(b, cap_set(c->cap_amb, c->n_cap_amb));
    batch_call(b, "set its securebits", SYS_prctl, PR_SET_SECUREBITS, c->secbits);
    set_caps(b, cap_set(c->cap_eff, c->n_cap_eff), permitted, inheritable);
    if (c->has_no_new_privs && c->no_new_privs)
        batch_call(b, "set no_new_privs", SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (thc->has_pdeath_sig)
        batch_call(b, "set its parent death signal", SYS_prctl, PR_SET_PDEATHSIG, thc->pdeath_sig);
    if (v->task->mm && v->task->mm->has_dumpable && v->task->mm->dumpable < 2)
        batch_call(b, "set whether it is dumpable", SYS_prctl, PR_SET_DUMPABLE,
                   (uint64_t)v->task->mm->dumpable);
    return 0;
}

const struct state_part state_credentials = {"credentials", ask, take, restore};
