/* Locks on files of every kind, each held by its owner against a child that tries; and a child that
 * waits for one. */
#include <sys/file.h>

#include "guest.h"

static const char posix[] = "/tmp/posix", whole[] = "/tmp/flock", described[] = "/tmp/ofd";
static const char leased[] = "/dev/shm/leased";
static int posix_fd, flock_fd, ofd_fd, lease_fd, awaited;
static struct guest_child child;
static unsigned *got;

static bool taken(const char *path, int command, short type, off_t start, off_t length, pid_t *by)
{
    int fd = open(path, O_RDWR);
    struct flock l = {.l_type = type, .l_start = start, .l_len = length};
    int r = fcntl(fd, command, &l);
    *by = l.l_pid;
    close(fd);
    return r == 0 && l.l_type != F_UNLCK;
}

static void verify_child(void)
{
    pid_t by;
    guest_check(taken(posix, F_GETLK, F_RDLCK, 10, 5, &by) && by == getppid(),
                "the write lock is not there, or of process %d", by);
    guest_check(!taken(posix, F_GETLK, F_RDLCK, 100, 0, &by), "a read lock excludes readers");
    guest_check(taken(posix, F_GETLK, F_WRLCK, 100000, 0, &by), "the read lock to the end");
    guest_check(!taken(posix, F_GETLK, F_WRLCK, 20, 10, &by), "more is locked than was");
    guest_check(taken(described, F_OFD_GETLK, F_WRLCK, 5, 1, &by), "the OFD lock");
    guest_check(!taken(described, F_OFD_GETLK, F_WRLCK, 6, 1, &by), "the OFD lock is too long");
    int fd = open(whole, O_RDWR);
    guest_check(flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK, "the flock");
    guest_check(flock(fd, LOCK_SH | LOCK_NB) == 0, "the flock is not shared");
    close(fd);
    /* inherited: the same description, so unlocking and locking again works from here */
    guest_check(flock(flock_fd, LOCK_UN) == 0 && flock(flock_fd, LOCK_SH | LOCK_NB) == 0,
                "the flock is not of the description");
}

static void verify(void)
{
    guest_ask(&child);
    guest_check(fcntl(lease_fd, F_GETLEASE) == F_WRLCK, "the lease is %d",
                fcntl(lease_fd, F_GETLEASE));
    guest_check(*got == 0, "the lock that a child waits for was given away");
}

static int make(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    guest_need(fd >= 0, path);
    return fd;
}

static void wait_for_lock(void)
{
    if (fork())
        return;
    struct flock l = {.l_type = F_WRLCK};
    int fd = open("/tmp/awaited", O_RDWR);
    int r = fcntl(fd, F_SETLKW, &l);
    *got = r == 0 ? 1 : 100 + (unsigned)errno;
    _exit(0);
}

int main(void)
{
    struct flock l = {.l_type = F_WRLCK, .l_start = 10, .l_len = 5};
    posix_fd = make(posix);
    guest_need(fcntl(posix_fd, F_SETLK, &l) == 0, "a lock");
    l = (struct flock){.l_type = F_RDLCK, .l_start = 100};
    guest_need(fcntl(posix_fd, F_SETLK, &l) == 0, "a lock");
    flock_fd = make(whole);
    guest_need(flock(flock_fd, LOCK_SH) == 0, "a flock");
    ofd_fd = make(described);
    l = (struct flock){.l_type = F_WRLCK, .l_start = 5, .l_len = 1};
    guest_need(fcntl(ofd_fd, F_OFD_SETLK, &l) == 0, "an OFD lock");
    got = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    awaited = make("/tmp/awaited");
    l = (struct flock){.l_type = F_WRLCK};
    guest_need(fcntl(awaited, F_SETLK, &l) == 0, "a lock");
    child = guest_fork(verify_child);
    wait_for_lock();
    lease_fd = make(leased);
    guest_need(fcntl(lease_fd, F_SETLEASE, F_WRLCK) == 0, "a lease");
    guest_serve(verify);
}
