/* What a process is told by prctl and friends: names, working directory, umask, dumpable, ... */
#include <sys/prctl.h>
#include <sys/stat.h>

#include "guest.h"

static int get(int option)
{
    int value = -1;
    prctl(option, &value, 0, 0, 0);
    return value;
}

static void verify(void)
{
    char name[17] = "", cwd[256] = "";
    mode_t mask = umask(0);
    umask(mask);
    guest_check(mask == 0137, "the umask is %o", mask);
    guest_check(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/tmp/deep/er") == 0,
                "the working directory is %s", cwd);
    prctl(PR_GET_NAME, name);
    guest_check(strcmp(name, "my (odd) na\nme") == 0, "the name is %s", name);
    guest_check(prctl(PR_GET_DUMPABLE) == 0, "dumpable is %d", prctl(PR_GET_DUMPABLE));
    guest_check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs is lost");
    guest_check(get(PR_GET_PDEATHSIG) == SIGUSR2, "the parent death signal is %d",
                get(PR_GET_PDEATHSIG));
    guest_check(get(PR_GET_CHILD_SUBREAPER) == 1, "the process is no subreaper any more");
    guest_check(prctl(PR_GET_TIMERSLACK) == 123456, "the timer slack is %d",
                prctl(PR_GET_TIMERSLACK));
    guest_check(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1, "huge pages are not disabled");
}

int main(void)
{
    umask(0);
    mkdir("/tmp/deep", 0755);
    mkdir("/tmp/deep/er", 0755);
    guest_need(chdir("/tmp/deep/er") == 0, "the working directory");
    umask(0137);
    guest_need(prctl(PR_SET_NAME, "my (odd) na\nme") == 0, "the name");
    guest_need(prctl(PR_SET_DUMPABLE, 0) == 0, "dumpable");
    guest_need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    guest_need(prctl(PR_SET_PDEATHSIG, SIGUSR2) == 0, "the parent death signal");
    guest_need(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "the subreaper");
    guest_need(prctl(PR_SET_TIMERSLACK, 123456) == 0, "the timer slack");
    guest_need(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0, "the huge page setting");
    guest_serve(verify);
}
