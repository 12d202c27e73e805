/* inotify(7): watches on an overlay and on tmpfs keep their numbers; unread events become an
 * overflow. */
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "guest.h"

static int fd, unread;
static int directory, shm, lower, link_itself, late, deleted_wd, deleted;
static char buffer[65536] __attribute__((aligned(8)));

static int watch(const char *path, uint32_t mask)
{
    int wd = inotify_add_watch(fd, path, mask);
    guest_need(wd > 0, path);
    return wd;
}

/* The next event, which must be this one. */
static void expect(ssize_t *at, ssize_t size, int wd, uint32_t mask, const char *name)
{
    const struct inotify_event *e = (const struct inotify_event *)(buffer + *at);
    if (*at >= size) {
        guest_fail("there is no event %#x of watch %d", mask, wd);
        return;
    }
    guest_check(e->wd == wd && e->mask == mask && strcmp(e->len ? e->name : "", name) == 0,
                "event %#x of watch %d (%s) instead of %#x of %d (%s)", e->mask, e->wd,
                e->len ? e->name : "", mask, wd, name);
    *at += (ssize_t)(sizeof(*e) + e->len);
}

static void touch(const char *path)
{
    int f = open(path, O_CREAT | O_WRONLY, 0600);
    guest_check(f >= 0 && close(f) == 0, "cannot make %s", path);
}

static void verify_unread(void)
{
    ssize_t size = read(unread, buffer, sizeof(buffer));
    const struct inotify_event *e = (const struct inotify_event *)buffer;
    guest_check(size >= (ssize_t)sizeof(*e), "the unread events are gone");
    guest_check(size > 0 && (e->mask == IN_CREATE ||
                             (e->mask == IN_Q_OVERFLOW && e->wd == -1 && size == sizeof(*e))),
                "the unread event is %#x", e->mask);
    unlink("/tmp/watched/file");
    read(unread, buffer, sizeof(buffer));
    guest_check(read(unread, buffer, sizeof(buffer)) < 0 && errno == EAGAIN, "there are more");
    touch("/tmp/watched/file");
}

static void verify(void)
{
    ssize_t at = 0, size = read(fd, buffer, sizeof(buffer));
    guest_check(size < 0 && errno == EAGAIN, "an event came from nowhere");
    touch("/tmp/d/new"), unlink("/tmp/d/new");
    touch("/dev/shm/d/new"), unlink("/dev/shm/d/new");
    int f = open("/guests/inotify", O_RDONLY);
    struct timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    utimensat(AT_FDCWD, "/tmp/link", times, AT_SYMLINK_NOFOLLOW);
    guest_check(write(deleted, "x", 1) == 1, "cannot write into the deleted file");
    touch("/tmp/late/new"), unlink("/tmp/late/new");
    size = read(fd, buffer, sizeof(buffer));
    expect(&at, size, directory, IN_CREATE, "new");
    expect(&at, size, directory, IN_DELETE, "new");
    expect(&at, size, shm, IN_CREATE, "new");
    expect(&at, size, shm, IN_DELETE, "new");
    expect(&at, size, lower, IN_OPEN, "");
    expect(&at, size, link_itself, IN_ATTRIB, "");
    expect(&at, size, deleted_wd, IN_MODIFY, "");
    expect(&at, size, late, IN_CREATE, "new");
    expect(&at, size, late, IN_IGNORED, "");
    guest_check(at == size, "there are more events");
    close(f);
    int next = inotify_add_watch(fd, "/proc", IN_CREATE);
    guest_check(next > late, "a number is given twice");
    inotify_rm_watch(fd, next);
    late = inotify_add_watch(fd, "/tmp/late", IN_CREATE | IN_ONESHOT);
    while (read(fd, buffer, sizeof(buffer)) > 0)
        ;
    verify_unread();
}

int main(void)
{
    fd = inotify_init1(IN_NONBLOCK), unread = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    guest_need(fd >= 0 && unread >= 0, "inotify");
    mkdir("/tmp", 0777), mkdir("/tmp/d", 0700), mkdir("/tmp/late", 0700);
    mkdir("/dev/shm/d", 0700), mkdir("/tmp/watched", 0700);
    guest_need(symlink("/guests", "/tmp/link") == 0, "a link");
    deleted = open("/tmp/deleted", O_CREAT | O_RDWR, 0600);
    directory = watch("/tmp/d", IN_CREATE | IN_DELETE | IN_ONLYDIR);
    for (int i = 0; i < 50; i++)
        inotify_rm_watch(fd, watch("/proc", IN_CREATE));
    lower = watch("/guests/inotify", IN_OPEN);
    shm = watch("/dev/shm/d", IN_CREATE | IN_DELETE);
    link_itself = watch("/tmp/link", IN_ATTRIB | IN_DONT_FOLLOW);
    deleted_wd = watch("/tmp/deleted", IN_MODIFY);
    guest_need(unlink("/tmp/deleted") == 0, "a deleted file");
    late = watch("/tmp/late", IN_CREATE | IN_ONESHOT);
    while (read(fd, buffer, sizeof(buffer)) > 0)
        ;
    guest_need(inotify_add_watch(unread, "/tmp/watched", IN_CREATE) > 0, "a watch");
    touch("/tmp/watched/file");
    guest_serve(verify);
}
