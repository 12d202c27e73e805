/* Open files: offsets, modes, flags, numbers, and which descriptors share one description. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "guest.h"

static int direct, reader, appender, doubled, high, closing, path_only, shared_by_fork;
static struct guest_child child;
static const char *const paths[] = {"/tmp/fifo", "/tmp/link", "/dev/null", "/tmp/socket", "/tmp"};
static int only[COUNT_OF(paths)];
static unsigned lines, rounds;
static int64_t shared_offset;

static void verify_child(void)
{
    char byte;
    guest_check(read(shared_by_fork, &byte, 1) == 1, "the shared file cannot be read");
}

static void verify_reading(void)
{
    char line[9] = "", should[16];
    guest_check(read(reader, line, 8) == 8, "the file cannot be read on");
    snprintf(should, sizeof(should), "line%03u\n", lines++);
    guest_check(strcmp(line, should) == 0, "read %s where %s was next", line, should);
    guest_check(lseek(doubled, 0, SEEK_CUR) == lseek(reader, 0, SEEK_CUR),
                "the duplicate has an offset of its own");
    guest_check(lseek(high, 0, SEEK_CUR) == 80, "the offset of descriptor 200 is %ld",
                (long)lseek(high, 0, SEEK_CUR));
    guest_ask(&child);
    shared_offset++;
    guest_check(lseek(shared_by_fork, 0, SEEK_CUR) == shared_offset,
                "the offset shared with the child is %ld",
                (long)lseek(shared_by_fork, 0, SEEK_CUR));
}

static void verify_writing(void)
{
    struct stat st;
    rounds++;
    lseek(appender, 0, SEEK_SET);
    guest_check(write(appender, "0123456789", 10) == 10, "the file cannot be appended to");
    guest_check(fstat(appender, &st) == 0 && st.st_size == rounds * 10, "the file has %ld bytes",
                (long)st.st_size);
}

static void verify_flags(void)
{
    guest_check(fcntl(reader, F_GETFD) == 0, "close-on-exec appeared");
    guest_check(fcntl(closing, F_GETFD) == FD_CLOEXEC, "close-on-exec is lost");
    int flags = fcntl(closing, F_GETFL);
    guest_check((flags & O_ACCMODE) == O_WRONLY && flags & O_NONBLOCK && flags & O_SYNC,
                "the flags of the file are %o", flags);
    flags = fcntl(direct, F_GETFL);
    guest_check(flags & O_DIRECT && flags & O_NOATIME && flags & O_DSYNC,
                "the flags of the direct file are %o", flags);
    guest_check(fcntl(path_only, F_GETFL) & O_PATH, "the O_PATH file is something else");
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct stat is, should;
        guest_check(fcntl(only[i], F_GETFL) & O_PATH && fstat(only[i], &is) == 0 &&
                        lstat(paths[i], &should) == 0 && is.st_ino == should.st_ino &&
                        is.st_dev == should.st_dev && is.st_mode == should.st_mode,
                    "the O_PATH descriptor of %s is of something else", paths[i]);
    }
    guest_check(fcntl(closing, F_GETOWN) == getpid() && fcntl(closing, F_GETSIG) == SIGRTMIN + 3,
                "the owner or the signal of the file is lost");
    for (int fd = 3; fd < 300; fd++) {
        bool known = fd == reader || fd == appender || fd == doubled || fd == high ||
                     fd == closing || fd == path_only || fd == direct || fd == shared_by_fork ||
                     fd == child.ask || fd == child.answer ||
                     (fd >= only[0] && fd <= only[COUNT_OF(paths) - 1]);
        guest_check(known || fcntl(fd, F_GETFD) < 0, "there is a descriptor %d", fd);
    }
}

static void verify(void)
{
    verify_reading();
    verify_writing();
    verify_flags();
}

/* What cannot be opened, or would do something, can still be pointed at. */
static void make_others(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/tmp/socket"};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    for (size_t i = 0; i < 4; i++)
        if (paths[i][1] == 't')
            unlink(paths[i]);
    guest_need(mkfifo("/tmp/fifo", 0600) == 0 && symlink("/nowhere", "/tmp/link") == 0 &&
                   bind(s, (struct sockaddr *)&at, sizeof(at)) == 0,
               "other kinds of files");
    close(s);
}

int main(void)
{
    FILE *f = fopen("/tmp/lines", "w");
    guest_need(f, "the file");
    for (int i = 0; i < 500; i++)
        fprintf(f, "line%03d\n", i);
    fclose(f);
    close_range(3, ~0u, 0);
    reader = open("/tmp/lines", O_RDONLY);
    doubled = dup(reader);
    int other = open("/tmp/lines", O_RDWR);
    high = dup2(other, 200);
    close(other);
    lseek(high, 80, SEEK_SET);
    appender = open("/tmp/appended", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
    closing = open("/tmp/appended2", O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_SYNC, 0600);
    fcntl(closing, F_SETOWN, getpid());
    fcntl(closing, F_SETSIG, SIGRTMIN + 3);
    path_only = open("/etc/passwd", O_PATH);
    direct = open("/tmp/appended2", O_RDWR | O_DIRECT | O_NOATIME | O_DSYNC);
    guest_need(direct >= 0, "a direct file");
    make_others();
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        guest_need((only[i] = open(paths[i], O_PATH | O_NOFOLLOW)) >= 0, paths[i]);
    shared_by_fork = open("/tmp/lines", O_RDONLY);
    guest_need(reader >= 0 && high == 200 && appender >= 0 && closing >= 0 && path_only >= 0 &&
                   shared_by_fork >= 0,
               "the files");
    child = guest_fork(verify_child);
    guest_serve(verify);
}
