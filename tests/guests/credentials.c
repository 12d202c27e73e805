/* Users, groups, capabilities and securebits of a process that gave up most of them. */
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#include "guest.h"

static char before[4096];

/* The lines of /proc/self/status that say who this is. */
static void describe(char *text, size_t size)
{
    char line[1024];
    FILE *f = fopen("/proc/self/status", "re");
    text[0] = '\0';
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "Uid:", 4) == 0 || strncmp(line, "Gid:", 4) == 0 ||
            strncmp(line, "Groups:", 7) == 0 || strncmp(line, "Cap", 3) == 0 ||
            strncmp(line, "NoNewPrivs:", 11) == 0)
            strncat(text, line, size - strlen(text) - 1);
    if (f)
        fclose(f);
    snprintf(line, sizeof(line), "securebits %d keepcaps %d\n", prctl(PR_GET_SECUREBITS),
             prctl(PR_GET_KEEPCAPS));
    strncat(text, line, size - strlen(text) - 1);
}

static void verify(void)
{
    char now[4096];
    describe(now, sizeof(now));
    if (strcmp(now, before) == 0)
        return;
    size_t i = 0;
    while (now[i] == before[i])
        i++;
    while (i > 0 && now[i - 1] != '\n')
        i--;
    guest_fail("it is now %.80s instead of %.80s", now + i, before + i);
}

static void give_up(void)
{
    static const gid_t groups[] = {10, 2000, 30, 65534};
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2] = {{0}};
    guest_need(setgroups(COUNT_OF(groups), groups) == 0, "the groups");
    guest_need(prctl(PR_CAPBSET_DROP, CAP_CHOWN) == 0, "the bounding set");
    guest_need(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP |
                                            SECBIT_NO_SETUID_FIXUP_LOCKED) == 0,
               "the securebits");
    guest_need(setresgid(21, 22, 23) == 0 && setresuid(11, 12, 13) == 0, "the ids");
    setfsuid(14);
    setfsgid(24);
    d[0].permitted =
        1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE | 1u << CAP_SETUID | 1u << CAP_SETGID;
    d[0].effective = 1u << CAP_KILL;
    d[0].inheritable = 1u << CAP_NET_BIND_SERVICE;
    guest_need(syscall(SYS_capset, &h, d) == 0, "the capabilities");
    guest_need(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) == 0,
               "the ambient set");
}

int main(int argc, char **argv)
{
    if (getuid() == 0)
        give_up();
    describe(before, sizeof(before));
    guest_serve(verify);
}
