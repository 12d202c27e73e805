/* The host and domain name, if the container has them for itself and a program has changed them:
 * the runtime sets what is in the configuration. */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/strv.h"
#include "engine/restore.h"
#include "engine/state.h"

static bool has_own(pid_t pid)
{
    char ours[64], theirs[64];
    return proc_link(getpid(), "ns/uts", ours, sizeof(ours)) == 0 &&
           proc_link(pid, "ns/uts", theirs, sizeof(theirs)) == 0 && strcmp(ours, theirs) != 0;
}

static void *ask(struct look *l)
{
    if (l->task != &l->dump->tree.tasks[0])
        return NULL;
    remote_addr *at = arena_new_of(l->dump->arena, remote_addr);
    *at = look_room(l, struct utsname);
    batch_try(l->batch, SYS_uname, *at);
    return at;
}

static int take(struct look *l, void *asked, struct error *)
{
    if (!asked || !has_own(l->task->pid))
        return 0;
    const struct dump_options *o = &l->dump->options;
    const struct utsname *u = look_local(l, struct utsname, *(const remote_addr *)asked);
    struct json *names = js_object();
    if (!string_equal(u->nodename, o->host_name))
        js_set(names, "host", js_string(u->nodename));
    if (!string_equal(u->domainname, o->domain_name ? o->domain_name : "(none)"))
        js_set(names, "domain", js_string(u->domainname));
    js_set(l->dump->extra, "names", names);
    return 0;
}

static int restore(struct revival *v, struct error *)
{
    const struct json *names = js_get(v->restore->extra, "names");
    const char *host = js_get_string(names, "host"), *domain = js_get_string(names, "domain");
    if (v->task != &v->restore->tree.tasks[0] || !has_own(v->task->pid))
        return 0;
    if (host && strlen(host) < sizeof(((struct utsname *)0)->nodename))
        batch_call(v->batch, "set the host name", SYS_sethostname, batch_string(v->batch, host),
                   strlen(host));
    if (domain && strlen(domain) < sizeof(((struct utsname *)0)->domainname))
        batch_call(v->batch, "set the domain name", SYS_setdomainname,
                   batch_string(v->batch, domain), strlen(domain));
    return 0;
}

const struct state_part state_host_name = {"host name", ask, take, restore};
