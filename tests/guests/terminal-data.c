/* What waits in pseudo terminals: output nobody has read, input in canonical mode with whole lines,
 * an EOF and a begun line, input in raw mode, packet mode, and a terminal that is hung up. */
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "guest.h"

#define LARGE 3000

static int masters[4], slaves[4];
static struct termios modes;

static void put(int fd, const char *text)
{
    guest_check(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write: %s",
                strerror(errno));
}

static void expect(int fd, const char *text, const char *what)
{
    char got[128] = "";
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n = poll(&p, 1, 2000) == 1 ? read(fd, got, sizeof(got) - 1) : -1;
    guest_check(n == (ssize_t)strlen(text) && strcmp(got, text) == 0, "%s: '%s' (%zd), not '%s'",
                what, got, n, text);
}

static bool is_empty(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 20) == 0;
}

static void verify_large(void)
{
    static char got[LARGE + 1];
    size_t size = 0;
    for (ssize_t n; size < LARGE && (n = read(masters[1], got + size, LARGE - size)) > 0;)
        size += (size_t)n;
    guest_check(guest_filled(got, LARGE, 5), "the output of the raw terminal changed");
    size = 0;
    for (ssize_t n; size < LARGE && (n = read(slaves[1], got + size, LARGE - size)) > 0;)
        size += (size_t)n;
    guest_check(guest_filled(got, LARGE, 6), "the input of the raw terminal changed");
    guest_check(is_empty(masters[1]) && is_empty(slaves[1]), "the raw terminal has more");
}

static void fill(void)
{
    static char data[LARGE];
    put(slaves[0], "out\n\tput");
    expect(masters[0], "out\r\n\tput", "what comes out");
    put(masters[0], "one\ntwo\004\004half");
    guest_sleep(5 * MILLISECOND);
    expect(masters[0], "one\r\ntwohalf", "the echo");
    put(slaves[0], "out\n\tput");
    guest_fill(data, sizeof(data), 5);
    guest_check(write(slaves[1], data, LARGE) == LARGE, "the raw terminal takes no output");
    guest_fill(data, sizeof(data), 6);
    guest_check(write(masters[1], data, LARGE) == LARGE, "the raw terminal takes no input");
    put(slaves[2], "packet");
}

static void verify(void)
{
    struct termios t;
    expect(masters[0], "out\r\n\tput", "the output");
    expect(slaves[0], "one\n", "the first line");
    expect(slaves[0], "two", "the line that ends without newline");
    expect(slaves[0], "", "the end of file");
    guest_check(is_empty(slaves[0]), "the begun line is there already");
    put(masters[0], "x\177way\n");
    expect(slaves[0], "halfway\n", "the begun line");
    expect(masters[0], "x\b \bway\r\n", "the echo");
    verify_large();
    guest_check(tcgetattr(slaves[0], &t) == 0 && t.c_lflag == modes.c_lflag &&
                    t.c_iflag == modes.c_iflag && t.c_oflag == modes.c_oflag &&
                    memcmp(t.c_cc, modes.c_cc, sizeof(t.c_cc)) == 0,
                "the modes changed");
    guest_check(!(fcntl(masters[0], F_GETFL) & O_NONBLOCK), "the master's flags changed");
    char packet[16] = "";
    guest_check(read(masters[2], packet, sizeof(packet)) == 7 && packet[0] == TIOCPKT_DATA &&
                    memcmp(packet + 1, "packet", 6) == 0,
                "the packet is lost");
    struct pollfd p = {.fd = masters[3], .events = POLLIN};
    guest_check(poll(&p, 1, 0) == 1 && p.revents == POLLHUP, "the hang-up is %x", p.revents);
    fill();
}

int main(void)
{
    for (int i = 0; i < 4; i++) {
        masters[i] = posix_openpt(O_RDWR | O_NOCTTY);
        guest_need(masters[i] >= 0 && unlockpt(masters[i]) == 0, "a pseudo terminal");
        slaves[i] = open(ptsname(masters[i]), O_RDWR | O_NOCTTY);
        guest_need(slaves[i] >= 0, "the slave of a pseudo terminal");
    }
    struct termios raw;
    tcgetattr(slaves[0], &modes);
    tcgetattr(slaves[1], &raw);
    cfmakeraw(&raw);
    tcsetattr(slaves[1], TCSANOW, &raw);
    int on = 1;
    guest_need(ioctl(masters[2], TIOCPKT, &on) == 0, "packet mode");
    close(slaves[3]);
    fill();
    guest_serve(verify);
}
