/* Everything `run` and `create` accept, as typed: the command line (and later the REST service)
 * fills it in, container/ checks the values and answers with Podman's error texts.
 * Nothing here is owned by the struct but what create_options_free() names.
 *
 *     struct create_options o;
 *     create_options_init(&o);           // Podman's defaults
 *     o.image = "busybox";
 *     ...
 *     create_options_free(&o);           // frees every list
 *
 * Strings are NULL where the option was not given; lists are NULL when empty (base/strv.h) and hold
 * one element per occurrence of the option (values are NOT split at commas by the caller). */
#pragma once

#include <stdbool.h>

#include "store/progress.h"

struct create_options {
    /* What to run. */
    const char *image;
    char **command;         /* arguments after IMAGE */
    const char *entrypoint; /* a program or a JSON array; "" clears the image's */
    char **create_command;  /* the whole argv, for inspect's CreateCommand */

    /* How firn handles it. */
    const char *id; /* 64 hex digits; NULL: random */
    const char *name;
    bool replace;
    bool remove;                /* --rm */
    bool detach;                /* -d; only recorded, `run` decides what to do */
    bool interactive;           /* -i */
    bool tty;                   /* -t */
    const char *pull;           /* missing (default), always, never, newer */
    bool quiet;                 /* -q: no pull progress */
    struct progress progress;   /* where pull progress goes; nowhere by default */
    const char *creds;          /* --creds */
    const char *authfile;       /* --authfile */
    bool tls_verify;            /* --tls-verify, default true */
    bool tls_verify_given;      /* it was on the command line */
    const char *restart;        /* no only; others are refused */
    const char *cidfile;        /* --cidfile */
    const char *pidfile;        /* --pidfile */
    const char *conmon_pidfile; /* --conmon-pidfile */
    const char *stop_signal;    /* name or number */
    const char *stop_timeout;   /* seconds, default 10 */
    const char *log_driver;     /* k8s-file (default), json-file, none */
    char **log_opts;            /* path=, max-size= */
    char **labels;              /* k=v or k */
    char **label_files;
    char **annotations;

    /* Environment of the process. */
    char **env;       /* K=V or K (copied from ours), K* */
    char **env_files; /* --env-file */
    bool env_host;
    char **unset_env; /* --unsetenv */
    bool unset_env_all;
    const char *user; /* -u user[:group] */
    char **group_add;
    const char *workdir;
    const char *hostname;
    const char *umask; /* octal, default 0022 */
    bool init;         /* --init */
    const char *init_path;
    const char *timezone; /* --tz: refused unless NULL */

    /* Mounts. */
    char **volumes;       /* -v */
    char **mounts;        /* --mount */
    char **tmpfs;         /* --tmpfs */
    bool read_only;       /* --read-only */
    bool read_only_tmpfs; /* default true */
    const char *shm_size; /* default 64m */
    char **devices;       /* --device */

    /* Isolation. */
    char **networks; /* --network, each MODE or NAME[,NAME] or NAME:OPTIONS; default host */
    char **publish;  /* -p */
    bool publish_all;
    char **expose; /* with publish_all: these too */
    const char *ip, *mac_address;
    char **network_aliases;
    char **cap_add; /* names, with or without CAP_, "all", comma lists */
    char **cap_drop;
    bool privileged;
    char **
        security_opts; /* seccomp=..., no-new-privileges, label=..., apparmor=..., unmask=, mask= */
    const char *userns;   /* host */
    const char *pid;      /* private (default), host */
    const char *ipc;      /* private/shareable (default), host */
    const char *uts;      /* private (default), host */
    const char *cgroupns; /* private (default), host */
    const char *cgroups;  /* enabled (default), disabled */
    const char *cgroup_parent;
    char **sysctls;

    /* Resources. */
    const char *memory;
    const char *memory_swap;
    const char *memory_reservation;
    const char *cpus;
    const char *cpu_shares;
    const char *cpu_period;
    const char *cpu_quota;
    const char *cpuset_cpus;
    const char *cpuset_mems;
    const char *pids_limit; /* default 2048; 0 or -1: none */
    const char *oom_score_adj;
    char **ulimits;

    /* Hosts files. */
    char **add_hosts; /* host:ip */
    char **dns;
    char **dns_search;
    char **dns_options;
    bool no_hosts;
};

void create_options_init(struct create_options *o);
/* Frees the lists (char **); strings belong to the caller. */
void create_options_free(struct create_options *o);
