#include "engine/host.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/vma.h"

/* What the processor can do, as the first one in /proc/cpuinfo says. */
static struct json *cpu_flags(void)
{
    _cleanup_buf_ struct buf text = {0};
    struct json *list = js_array();
    if (file_read("/proc/cpuinfo", &text, NULL) < 0 || !text.data)
        return list;
    char *line = strstr(text.data, "\nflags");
    line = line ? strchr(line, ':') : NULL;
    if (!line)
        return list;
    line[strcspn(line, "\n")] = '\0';
    _cleanup_strv_ char **flags = strv_split(line + 2, ' ');
    STRV_FOREACH(flag, flags)
    {
        js_push(list, js_string(*flag));
    }
    return list;
}

/* Programs keep addresses of functions in it, so it has to be the same one. */
static void vdso_digest(char hex[static DIGEST_HEX_SIZE])
{
    struct vma_list *list = NULL;
    hex[0] = '\0';
    if (vma_list_read_plain(getpid(), &list, NULL) < 0)
        return;
    for (size_t i = 0; i < list->count; i++) {
        const struct vma *v = &list->areas[i];
        if (v->start == list->vdso && list->vdso)
            digest_of((const void *)v->start, v->end - v->start, hex);
    }
    vma_list_free(list);
}

struct json *host_describe(void)
{
    struct utsname name = {0};
    char vdso[DIGEST_HEX_SIZE];
    uname(&name);
    vdso_digest(vdso);
    struct json *host = js_object();
    js_set(host, "kernel", js_string(name.release));
    js_set(host, "pageSize", js_int(sysconf(_SC_PAGESIZE)));
    js_set(host, "vdso", js_string(vdso));
    js_set(host, "cpu", cpu_flags());
    return host;
}

/* Flags that only describe the machine: no program dies without them. */
static bool is_hint(const char *flag)
{
    static const char *const hints[] = {
        "hypervisor", "constant_tsc", "nonstop_tsc", "tsc_known_freq", "tsc_reliable", "cpuid",
        "rep_good",   "nopl",         "pti",         "ibrs",           "ibpb",         "stibp",
        "ssbd",       "erms",         "fsrm",        "arat",           "aperfmperf",   "pebs",
        "bts",        "arch_perfmon",
    };
    for (size_t i = 0; i < ARRAY_LEN(hints); i++)
        if (strcmp(hints[i], flag) == 0)
            return true;
    return false;
}

static void missing_flags(const struct json *wanted, const struct json *here, struct buf *missing)
{
    _cleanup_strv_ char **flags = js_get_strings(here, "cpu");
    const struct json *list = js_get(wanted, "cpu");
    JSON_FOREACH(list, i)
    {
        const char *flag = js_text(js_at(list, i));
        if (flag && *flag && !is_hint(flag) && !strv_contains(flags, flag))
            buf_printf(missing, " %s", flag);
    }
}

int host_check(const struct json *wanted, struct error *err)
{
    if (!wanted)
        return 0;
    _cleanup_json_ struct json *here = host_describe();
    _cleanup_buf_ struct buf missing = {0}, text = {0};
    missing_flags(wanted, here, &missing);
    if (missing.size)
        buf_printf(&text, "a CPU with%s; ", missing.data);
    const char *vdso = js_get_string(wanted, "vdso"), *kernel = js_get_string(wanted, "kernel");
    if (vdso && *vdso && !string_equal(vdso, js_get_string(here, "vdso")))
        buf_printf(&text, "the vdso of kernel %s (this one is %s); ", kernel ? kernel : "?",
                   js_get_string(here, "kernel"));
    int64_t page = js_get_int(wanted, "pageSize", 4096);
    if (page != js_get_int(here, "pageSize", 4096))
        buf_printf(&text, "pages of %lld bytes; ", (long long)page);
    if (!text.size)
        return 0;
    text.data[text.size - 2] = '\0';
    return error_set(err, ENOTSUP, "the checkpoint needs what this machine does not have: %s",
                     text.data);
}

/* ---- pids ---- */

static int own_pid_limit(void)
{
    char text[32];
    int r = file_read_line("/proc/sys/kernel/pid_max", text, sizeof(text));
    return r < 0 ? 0 : atoi(text);
}

int host_pid_limit(int wanted)
{
    int limit = own_pid_limit(), ends[2];
    if (wanted < limit || pipe2(ends, O_CLOEXEC) < 0)
        return limit;
    _cleanup_close_ int from = ends[0], to = ends[1];
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        int its = own_pid_limit();
        _exit(write(to, &its, sizeof(its)) != sizeof(its));
    }
    close(take_fd(to));
    int its = 0;
    if (pid > 0 && read_full(from, &its, sizeof(its)) == sizeof(its) && its > limit)
        limit = its;
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return limit;
}
