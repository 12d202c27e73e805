/* Unix sockets inside the container: pairs with data and descriptors in them, listening sockets
 * with path and abstract names, connections, datagrams, half-closed ends. */
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "guest.h"

static int pair[2], packets[2], datagrams[2], half[2], gone, rights[2], credentials[2];
static int path_listener, abstract_listener, deleted_listener, server, client, waiting;
static int receiver, sender, quiet, moved_listener, moved_receiver, moved_server;
static struct guest_child child;
static int shared[2];
static uint64_t rounds;

static socklen_t name(struct sockaddr_un *at, const char *text, bool abstract)
{
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    strcpy(at->sun_path + abstract, text);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text) + 1);
}

static int bound(int type, const char *text, bool abstract)
{
    struct sockaddr_un at;
    socklen_t size = name(&at, text, abstract);
    int fd = socket(AF_UNIX, type, 0);
    if (!abstract)
        unlink(text);
    guest_need(fd >= 0 && bind(fd, (struct sockaddr *)&at, size) == 0, text);
    return fd;
}

static int connected(int type, const char *text, bool abstract)
{
    struct sockaddr_un at;
    socklen_t size = name(&at, text, abstract);
    int fd = socket(AF_UNIX, type, 0);
    if (connect(fd, (struct sockaddr *)&at, size) < 0)
        guest_fail("nobody can connect to %s: %s", text, strerror(errno));
    return fd;
}

static bool is_named(int fd, bool peer, const char *text, bool abstract)
{
    struct sockaddr_un is = {0}, should;
    socklen_t size = sizeof(is), wanted = name(&should, text, abstract);
    int r = peer ? getpeername(fd, (struct sockaddr *)&is, &size)
                 : getsockname(fd, (struct sockaddr *)&is, &size);
    return r == 0 && size == wanted && memcmp(&is, &should, size) == 0;
}

static void put(int fd, uint64_t seed, size_t size)
{
    static char data[65536];
    guest_fill(data, size, seed);
    ssize_t n = send(fd, data, size, MSG_DONTWAIT);
    guest_check(n == (ssize_t)size, "a socket takes %zd of %zu bytes", n, size);
}

static bool get(int fd, uint64_t seed, size_t size)
{
    static char data[65536];
    return recv(fd, data, size, MSG_DONTWAIT) == (ssize_t)size && guest_filled(data, size, seed);
}

static void send_rights(void)
{
    char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct iovec v = {(char *)"with", 4};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    int fds[2] = {open("/tmp/sent", O_RDWR | O_CREAT, 0600), pair[0]};
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(c), fds, sizeof(fds));
    guest_check(sendmsg(rights[0], &m, 0) == 4, "no descriptors: %s", strerror(errno));
    close(fds[0]);
}

static void check_rights(void)
{
    char control[256], text[64];
    struct iovec v = {text, sizeof(text)};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    int fds[2] = {-1, -1};
    struct stat st = {0}, sent;
    ssize_t n = recvmsg(rights[1], &m, MSG_DONTWAIT);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (n != 4 || !c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(fds))) {
        guest_fail("the descriptors on their way are lost (%zd)", n);
        return;
    }
    memcpy(fds, CMSG_DATA(c), sizeof(fds));
    guest_check(stat("/tmp/sent", &sent) == 0 && fstat(fds[0], &st) == 0 &&
                    st.st_ino == sent.st_ino && st.st_dev == sent.st_dev,
                "another file arrives");
    guest_check(syscall(SYS_kcmp, getpid(), getpid(), 0, fds[1], pair[0]) == 0 || errno == EPERM,
                "the socket that arrives is another one");
    close(fds[0]);
    close(fds[1]);
}

static void check_credentials(void)
{
    char control[256], byte;
    struct iovec v = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct ucred u = {0};
    socklen_t size = sizeof(u);
    ssize_t n = recvmsg(credentials[1], &m, MSG_DONTWAIT);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (n == 1 && c && c->cmsg_type == SCM_CREDENTIALS)
        memcpy(&u, CMSG_DATA(c), sizeof(u));
    guest_check(u.pid == getpid() && u.uid == getuid(), "the sender is %d, user %d", u.pid, u.uid);
    getsockopt(server, SOL_SOCKET, SO_PEERCRED, &u, &size);
    guest_check(u.pid == getpid() && u.uid == getuid(), "SO_PEERCRED is %d, user %d", u.pid, u.uid);
}

static void verify_child(void)
{
    guest_check(get(shared[0], ++rounds + 40, 4096), "the parent's data are wrong");
}

static void fill(void)
{
    rounds++;
    put(pair[0], rounds, 50000);
    put(pair[1], rounds + 5, 100 * 8);
    put(packets[0], rounds + 10, 80);
    put(packets[0], rounds + 11, 16);
    put(datagrams[1], rounds + 20, 8);
    put(datagrams[1], rounds + 21, 800);
    put(client, rounds + 30, 4096);
    put(server, rounds + 31, 8);
    put(sender, rounds + 32, 64);
    put(shared[1], rounds + 40, 4096);
    send_rights();
    guest_check(write(credentials[0], "x", 1) == 1, "no credentials");
    waiting = connected(SOCK_STREAM, "/tmp/listener", false);
}

static void check_listener(int listener, const char *text, bool abstract)
{
    int c = connected(SOCK_STREAM, text, abstract), s = accept(listener, NULL, NULL);
    guest_check(s >= 0 && is_named(s, false, text, abstract), "%s accepts nothing", text);
    close(c);
    close(s);
}

static void check_data(void)
{
    guest_check(get(pair[1], rounds, 50000), "the stream changed");
    guest_check(get(pair[0], rounds + 5, 800), "the stream the other way changed");
    guest_check(get(packets[1], rounds + 10, 80) && get(packets[1], rounds + 11, 16),
                "the packets changed");
    guest_check(get(datagrams[0], rounds + 20, 8) && get(datagrams[0], rounds + 21, 800),
                "the datagrams changed");
    guest_check(get(server, rounds + 30, 4096) && get(client, rounds + 31, 8),
                "the data of the connection changed");
    struct sockaddr_un from = {0};
    socklen_t size = sizeof(from);
    char text[64];
    guest_check(recvfrom(receiver, text, 64, MSG_DONTWAIT, (struct sockaddr *)&from, &size) == 64 &&
                    guest_filled(text, 64, rounds + 32) &&
                    strcmp(from.sun_path, "/tmp/sender") == 0,
                "the datagram by name is lost or not from whom it was");
}

/* Bound under one name, then renamed: they know the old one and are reached by the new. */
static void check_moved(void)
{
    struct stat st;
    int c = connected(SOCK_STREAM, "/tmp/moved/listener", false);
    int s = accept(moved_listener, NULL, NULL);
    guest_check(s >= 0 && is_named(moved_listener, false, "/tmp/listener.new", false) &&
                    access("/tmp/listener.new", F_OK) < 0,
                "the moved socket is not as it was");
    guest_check(stat("/tmp/moved/listener", &st) == 0 && (st.st_mode & 07777) == 0604,
                "the file of the moved socket has mode %o", st.st_mode);
    close(c);
    close(s);
    c = connected(SOCK_DGRAM, "/tmp/moved/receiver", false);
    put(c, rounds, 8);
    guest_check(get(moved_receiver, rounds, 8), "the moved receiver gets nothing");
    close(c);
    guest_check(is_named(moved_server, false, "/tmp/listener.new", false) &&
                    send(moved_server, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE,
                "what the moved socket had accepted is not as it was");
}

static void prepare_moved(void)
{
    mkdir("/tmp/moved", 0700);
    moved_listener = bound(SOCK_STREAM, "/tmp/listener.new", false);
    moved_receiver = bound(SOCK_DGRAM, "/tmp/receiver.new", false);
    guest_need(listen(moved_listener, 9) == 0 && chmod("/tmp/listener.new", 0604) == 0 &&
                   rename("/tmp/listener.new", "/tmp/moved/listener") == 0 &&
                   rename("/tmp/receiver.new", "/tmp/moved/receiver") == 0,
               "moved sockets");
    close(connected(SOCK_STREAM, "/tmp/moved/listener", false));
    moved_server = accept(moved_listener, NULL, NULL);
}

static void verify(void)
{
    char byte;
    struct stat st;
    check_data();
    check_rights();
    check_credentials();
    check_moved();
    guest_check(is_named(server, false, "listener", true) &&
                    is_named(client, true, "listener", true),
                "the connection has lost its name");
    guest_check(is_named(deleted_listener, false, "/tmp/deleted-socket", false) &&
                    access("/tmp/deleted-socket", F_OK) < 0,
                "the deleted socket is not deleted");
    guest_check(stat("/tmp/listener", &st) == 0 && S_ISSOCK(st.st_mode) &&
                    (st.st_mode & 0777) == 0640,
                "the file of the socket has mode %o", st.st_mode);
    int accepted = accept(path_listener, NULL, NULL);
    guest_check(accepted >= 0 && send(waiting, "now", 3, 0) == 3 &&
                    recv(accepted, &byte, 1, 0) == 1 && byte == 'n',
                "the connection that waited is lost");
    close(accepted);
    close(waiting);
    check_listener(path_listener, "/tmp/listener", false);
    check_listener(abstract_listener, "listener", true);
    guest_check(recv(half[1], &byte, 1, MSG_DONTWAIT) == 0,
                "the half-closed end is not at its end");
    guest_check(send(half[0], &byte, 1, MSG_NOSIGNAL) < 0 && errno == EPIPE,
                "one can write to the end that was shut down");
    guest_check(send(half[1], "x", 1, 0) == 1 && recv(half[0], &byte, 1, 0) == 1,
                "the open direction is closed");
    guest_check(recv(gone, &byte, 1, MSG_DONTWAIT) == 0, "the end without peer is not at its end");
    guest_check(recv(quiet, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "the quiet one speaks");
    guest_check(fcntl(quiet, F_GETFL) & O_NONBLOCK, "O_NONBLOCK is lost");
    guest_ask(&child);
    fill();
}

static void prepare_pairs(void)
{
    int other[2], yes = 1;
    guest_need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 &&
                   socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets) == 0 &&
                   socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams) == 0 &&
                   socketpair(AF_UNIX, SOCK_STREAM, 0, half) == 0 &&
                   socketpair(AF_UNIX, SOCK_STREAM, 0, other) == 0 &&
                   socketpair(AF_UNIX, SOCK_STREAM, 0, rights) == 0 &&
                   socketpair(AF_UNIX, SOCK_STREAM, 0, credentials) == 0 &&
                   socketpair(AF_UNIX, SOCK_STREAM, 0, shared) == 0,
               "pairs");
    setsockopt(credentials[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
    shutdown(half[0], SHUT_WR);
    gone = other[0];
    close(other[1]);
    guest_need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, other) == 0, "a pair");
    quiet = other[0];
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    prepare_pairs();
    path_listener = bound(SOCK_STREAM, "/tmp/listener", false);
    abstract_listener = bound(SOCK_STREAM, "listener", true);
    deleted_listener = bound(SOCK_STREAM, "/tmp/deleted-socket", false);
    guest_need(listen(path_listener, 9) == 0 && listen(abstract_listener, 9) == 0 &&
                   listen(deleted_listener, 9) == 0,
               "listening sockets");
    chmod("/tmp/listener", 0640);
    unlink("/tmp/deleted-socket");
    prepare_moved();
    client = connected(SOCK_STREAM, "listener", true);
    server = accept(abstract_listener, NULL, NULL);
    receiver = bound(SOCK_DGRAM, "/tmp/receiver", false);
    sender = bound(SOCK_DGRAM, "/tmp/sender", false);
    struct sockaddr_un at;
    socklen_t size = name(&at, "/tmp/receiver", false);
    guest_need(connect(sender, (struct sockaddr *)&at, size) == 0, "a sender");
    child = guest_fork(verify_child);
    fill();
    guest_serve(verify);
}
