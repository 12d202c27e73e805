/* Pairs of pseudo terminals made inside: both ends, packet mode, the modes, and a child whose
 * controlling terminal one of them is. */
#include <sys/ioctl.h>
#include <termios.h>

#include "guest.h"

static int masters[3], slaves[3];
static struct guest_child child;

static void verify_child(void)
{
    int fd = open("/dev/tty", O_RDWR);
    guest_check(fd >= 0, "the child has lost its controlling terminal");
    guest_check(tcgetsid(fd) == getpid(), "the terminal is of session %d", tcgetsid(fd));
    guest_check(tcgetpgrp(fd) == getpid(), "the foreground group is %d", tcgetpgrp(fd));
    close(fd);
}

static void echo(int from, int to, const char *text)
{
    char got[64] = "";
    guest_check(write(from, text, strlen(text)) == (ssize_t)strlen(text),
                "a terminal takes no data");
    ssize_t n = read(to, got, sizeof(got) - 1);
    guest_check(n > 0 && strstr(got, "ab") != NULL, "a terminal gives %zd bytes: %s", n, got);
}

static void verify(void)
{
    struct termios t;
    int packets = 0;
    guest_check(ioctl(masters[1], TIOCGPKT, &packets) == 0 && packets == 1, "packet mode is lost");
    guest_check(tcgetattr(slaves[0], &t) == 0 && !(t.c_lflag & ECHO) && t.c_cc[VMIN] == 2,
                "the modes of the terminal are lost");
    char name[64];
    guest_check(ptsname_r(masters[2], name, sizeof(name)) == 0 &&
                    strcmp(name, ttyname(slaves[2])) == 0,
                "the pair has come apart");
    echo(slaves[0], masters[0], "ab");
    echo(masters[0], slaves[0], "ab");
    guest_ask(&child);
}

static void own_terminal(void)
{
    static bool done;
    if (!done) {
        setsid();
        ioctl(slaves[2], TIOCSCTTY, 0);
        done = true;
    }
    verify_child();
}

int main(void)
{
    for (int i = 0; i < 3; i++) {
        masters[i] = posix_openpt(O_RDWR | O_NOCTTY);
        guest_need(masters[i] >= 0 && unlockpt(masters[i]) == 0, "a pseudo terminal");
        slaves[i] = open(ptsname(masters[i]), O_RDWR | O_NOCTTY);
        guest_need(slaves[i] >= 0, "the slave of a pseudo terminal");
    }
    struct termios t;
    tcgetattr(slaves[0], &t);
    cfmakeraw(&t);
    t.c_cc[VMIN] = 2;
    tcsetattr(slaves[0], TCSANOW, &t);
    int on = 1;
    guest_need(ioctl(masters[1], TIOCPKT, &on) == 0, "packet mode");
    child = guest_fork(own_terminal);
    guest_ask(&child);
    guest_serve(verify);
}
