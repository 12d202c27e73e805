/* A terminal: modes, size, the foreground group, and that it is the controlling one. For `run -t`.
 */
#include <sys/ioctl.h>
#include <termios.h>

#include "guest.h"

static struct termios modes;
static struct winsize size;
static pid_t group;

static void verify(void)
{
    struct termios t;
    struct winsize w;
    guest_check(isatty(0) && isatty(1) && isatty(2), "descriptors 0 to 2 are no terminal");
    guest_check(tcgetattr(0, &t) == 0, "the modes cannot be read");
    guest_check(t.c_iflag == modes.c_iflag && t.c_oflag == modes.c_oflag &&
                    t.c_cflag == modes.c_cflag && t.c_lflag == modes.c_lflag,
                "the modes are %x/%x/%x/%x", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
    guest_check(memcmp(t.c_cc, modes.c_cc, sizeof(t.c_cc)) == 0, "the control characters changed");
    guest_check(ioctl(0, TIOCGWINSZ, &w) == 0 && w.ws_row == size.ws_row && w.ws_col == size.ws_col,
                "the size is %d x %d", w.ws_row, w.ws_col);
    guest_check(tcgetpgrp(0) == group, "the foreground group is %d, not %d", tcgetpgrp(0), group);
    guest_check(tcgetsid(0) == getsid(0), "the terminal is not this session's");
    int fd = open("/dev/tty", O_RDWR);
    guest_check(fd >= 0, "there is no controlling terminal");
    close(fd);
}

int main(void)
{
    guest_need(isatty(0), "a terminal");
    signal(SIGTTOU, SIG_IGN);
    group = fork();
    if (group == 0)
        for (;;)
            pause();
    setpgid(group, group);
    guest_need(tcsetpgrp(0, group) == 0, "the foreground group");
    tcgetattr(0, &modes);
    cfmakeraw(&modes);
    modes.c_cc[VMIN] = 3;
    modes.c_cc[VTIME] = 7;
    modes.c_cc[VINTR] = 'Q';
    guest_need(tcsetattr(0, TCSANOW, &modes) == 0, "the modes");
    tcgetattr(0, &modes);
    size = (struct winsize){.ws_row = 33, .ws_col = 77};
    guest_need(ioctl(0, TIOCSWINSZ, &size) == 0, "the size");
    guest_serve(verify);
}
