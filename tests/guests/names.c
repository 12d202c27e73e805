/* Host name, domain name and limits of the ipc namespace, which a program with the right to has
 * changed. */
#include <sys/msg.h>
#include <sys/utsname.h>

#include "guest.h"

static int write_setting(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY);
    ssize_t n = write(fd, value, strlen(value));
    close(fd);
    return n == (ssize_t)strlen(value) ? 0 : -1;
}

static bool is_set(const char *path, const char *value)
{
    char now[64] = "";
    int fd = open(path, O_RDONLY);
    bool same = read(fd, now, sizeof(now) - 1) > 0 && strncmp(now, value, strlen(value)) == 0 &&
                now[strlen(value)] == '\n';
    close(fd);
    return same;
}

static void verify(void)
{
    struct utsname u;
    uname(&u);
    guest_check(strcmp(u.nodename, "changed.inside") == 0, "the host name is %s", u.nodename);
    guest_check(strcmp(u.domainname, "my.domain") == 0, "the domain name is %s", u.domainname);
    guest_check(is_set("/proc/sys/kernel/msgmax", "9999"), "msgmax");
    guest_check(is_set("/proc/sys/kernel/sem", "100\t2000\t30\t400"), "sem");
    guest_check(is_set("/proc/sys/fs/mqueue/msg_max", "77"), "msg_max");
    guest_check(is_set("/proc/sys/kernel/shmmni", "4096"), "shmmni");
}

int main(void)
{
    guest_need(sethostname("changed.inside", 14) == 0, "the host name");
    guest_need(setdomainname("my.domain", 9) == 0, "the domain name");
    guest_need(write_setting("/proc/sys/kernel/msgmax", "9999") == 0, "msgmax");
    guest_need(write_setting("/proc/sys/kernel/sem", "100 2000 30 400") == 0, "sem");
    guest_need(write_setting("/proc/sys/fs/mqueue/msg_max", "77") == 0, "msg_max");
    guest_serve(verify);
}
