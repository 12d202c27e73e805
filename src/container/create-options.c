#include "container/create-options.h"

#include <stddef.h>

#include "base/strv.h"

void create_options_init(struct create_options *o)
{
    *o = (struct create_options){.tls_verify = true, .read_only_tmpfs = true};
}

void create_options_free(struct create_options *o)
{
    char **lists[] = {
        o->command,   o->create_command, o->log_opts,
        o->labels,    o->label_files,    o->annotations,
        o->env,       o->env_files,      o->unset_env,
        o->group_add, o->volumes,        o->mounts,
        o->tmpfs,     o->devices,        o->networks,
        o->cap_add,   o->cap_drop,       o->security_opts,
        o->sysctls,   o->ulimits,        o->add_hosts,
        o->dns,       o->dns_search,     o->dns_options,
        o->publish,   o->expose,         o->network_aliases,
    };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        strv_free(lists[i]);
    create_options_init(o);
}
