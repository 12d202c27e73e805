#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "cli/check-user.h"
#include "cli/commands.h"
#include "cli/probe.h"
#include "cli/report.h"
#include "container/cgroup.h"
#include "container/firn.h"
#include "container/netavark.h"

struct check_options {
    char *format;
};

static const struct option table[] = {
    {"format", 0, OPTION_STRING, offsetof(struct check_options, format), "string",
     "Change the output format to JSON or a Go template"},
    {0},
};

static const struct kernel_check {
    const char *name;
    enum check_need need;
    int (*probe)(void);
    const char *without; /* what then */
} kernel_checks[] = {
    {"ptrace", CHECK_NEEDED, probe_ptrace, "processes cannot be examined"},
    {"clone3 set_tid", CHECK_NEEDED, probe_set_tid, "processes cannot get their pids back"},
    {"PR_SET_MM_MAP", CHECK_NEEDED, probe_mm_map, "address spaces cannot be rebuilt"},
    {"kcmp", CHECK_NEEDED, probe_kcmp, "shared descriptors cannot be told apart"},
    {"pidfd_getfd", CHECK_NEEDED, probe_pidfd_getfd, "open files cannot be examined"},
    {"overlayfs", CHECK_NEEDED, probe_overlayfs, "containers have no file system"},
    {"cgroup freezer", CHECK_NEEDED, probe_freezer, "containers cannot be frozen"},
    {"seccomp filters", CHECK_WANTED, probe_seccomp_filter,
     "containers with seccomp filters cannot be checkpointed"},
    {"seccomp suspension", CHECK_WANTED, probe_suspend_seccomp,
     "checkpoints of containers with seccomp filters take a slower way"},
    {"rseq", CHECK_WANTED, probe_rseq, "restartable sequences are not carried over"},
    {"PAGEMAP_SCAN", CHECK_WANTED, probe_pagemap_scan,
     "memory is scanned by the slower /proc/PID/pagemap"},
    {"userfaultfd WP_ASYNC", CHECK_WANTED, probe_userfaultfd,
     "--leave-running stops the container for longer"},
    {"time namespace", CHECK_WANTED, probe_time_namespace, "CLOCK_MONOTONIC jumps at restore"},
};

static const struct program_check {
    const char *name;
    enum check_need need;
    const char *without;
} program_checks[] = {
    {"conmon", CHECK_NEEDED, "containers cannot run; install the package conmon"},
    {"skopeo", CHECK_WANTED, "images cannot be pulled; install the package skopeo"},
    {"catatonit", CHECK_WANTED, "--init does not work; install the package catatonit"},
};

void check_add(struct json *rows, const char *name, bool works, enum check_need need,
               const char *detail)
{
    struct json *row = js_object();
    js_set(row, "Name", js_string(name));
    js_set(row, "Works", js_bool(works));
    js_set(row, "Result", js_string(works ? "yes" : need == CHECK_NEEDED ? "NO" : "no"));
    js_set(row, "Needed", js_bool(need == CHECK_NEEDED));
    js_set(row, "Detail", js_string(detail));
    js_push(rows, row);
}

/* What is said of an ordinary user elsewhere, see check-user.c. */
static bool of_root(const struct kernel_check *k)
{
    return k->probe == probe_freezer || k->probe == probe_seccomp_filter;
}

static void check_kernel(struct json *rows, bool rootless)
{
    char text[128];
    for (size_t i = 0; i < ARRAY_LEN(kernel_checks); i++) {
        const struct kernel_check *k = &kernel_checks[i];
        if (rootless && of_root(k))
            continue;
        int code = k->probe();
        _cleanup_free_ char *detail =
            code ? xasprintf("%s: %s", errno_text(code, text, sizeof(text)), k->without)
                 : xstrdup("");
        check_add(rows, k->name, code == 0, k->need, detail);
    }
}

static void check_cgroups(struct json *rows)
{
    static const char *const modes[] = {
        [CGROUP_V2] = "v2",
        [CGROUP_V1] = "v1",
        [CGROUP_HYBRID] = "v1 controllers, v2 mounted beside them (hybrid)",
    };
    check_add(rows, "cgroups", true, CHECK_NEEDED, modes[cgroup_mode()]);
}

static void check_programs(struct firn *firn, struct json *rows)
{
    struct error why = {0};
    const char *runtime = firn_runtime(firn, &why);
    check_add(rows, "OCI runtime", runtime, CHECK_NEEDED, runtime ? runtime : why.text);
    for (size_t i = 0; i < ARRAY_LEN(program_checks); i++) {
        const struct program_check *p = &program_checks[i];
        _cleanup_free_ char *path = find_program(p->name);
        check_add(rows, p->name, path, p->need, path ? path : p->without);
    }
}

/* What the private network of root's containers takes. */
static void check_bridges(struct json *rows)
{
    _cleanup_free_ char *netavark = netavark_find(), *dns = netavark_find_dns();
    _cleanup_free_ char *iptables = find_program("iptables");
    check_add(rows, "netavark", netavark, CHECK_WANTED,
              netavark ? netavark
                       : "no bridge networks and no published ports; install the package netavark");
    check_add(rows, "aardvark-dns", dns, CHECK_WANTED,
              dns ? dns : "names of containers do not resolve; install the package aardvark-dns");
    check_add(rows, "iptables", iptables, CHECK_WANTED,
              iptables ? iptables : "netavark cannot publish ports; install the package iptables");
}

static void check_seccomp_profile(struct json *rows)
{
    static const char *const places[] = {"/etc/containers/seccomp.json",
                                         "/usr/share/containers/seccomp.json"};
    const char *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(places) && !found; i++)
        found = path_exists(places[i]) ? places[i] : NULL;
    check_add(rows, "seccomp.json", found, CHECK_WANTED,
              found ? found
                    : "containers run without a filter; install the package containers-common or "
                      "golang-github-containers-common");
}

static bool everything_needed_works(const struct json *rows)
{
    JSON_FOREACH(rows, i)
    {
        const struct json *row = js_at(rows, i);
        if (js_get_bool(row, "Needed", false) && !js_get_bool(row, "Works", false))
            return false;
    }
    return true;
}

static int run(struct call *call, struct error *err)
{
    const struct check_options *o = call->options;
    static const char *const fields[] = {"Name", "Result", "Detail", "Works", "Needed", NULL};
    static const struct report_header headers[] = {{"Name", "CHECK"}, {NULL, NULL}};
    static const struct report report = {{"check", "check.row"}, fields, headers};
    _cleanup_json_ struct json *rows = js_array();
    bool rootless = call->firn->rootless;
    check_kernel(rows, rootless);
    _cleanup_free_ char *command = rootless ? check_user(call->firn, rows) : NULL;
    if (!rootless)
        check_cgroups(rows);
    check_programs(call->firn, rows);
    if (!rootless)
        check_bridges(rows);
    check_seccomp_profile(rows);
    bool works = everything_needed_works(rows);
    if (report_is_json(o->format)) {
        _cleanup_json_ struct json *all = js_object();
        js_set(all, "CheckpointRestore", js_bool(works));
        js_set(all, "Checks", js_ref(rows));
        if (command)
            js_set(all, "AdministratorCommand", js_string(command));
        report_json(all, 4);
        return !works;
    }
    int r =
        report_print(&report, o->format ? o->format : "table {{.Name}}\t{{.Result}}\t{{.Detail}}",
                     false, rows, err);
    if (r < 0)
        return r;
    if (!o->format)
        printf("\nCheckpoint and restore %s on this machine%s.\n", works ? "work" : "do NOT work",
               rootless ? " for this user" : "");
    if (!o->format && command)
        printf("The administrator enables more with\n    %s\n", command);
    return !works;
}

const struct command command_check = {
    .paths = {"check"},
    .usage = "[options]",
    .help = "Show what this host can do for checkpoint and restore",
    .options = table,
    .options_size = sizeof(struct check_options),
    .run = run,
};
