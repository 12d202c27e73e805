/* The character devices every container has, open. */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "guest.h"

static struct {
    const char *path;
    int flags;
    unsigned minor;
    int fd;
} devices[] = {
    {"/dev/null", O_RDWR, 3, -1},      {"/dev/zero", O_RDONLY, 5, -1},
    {"/dev/full", O_WRONLY, 7, -1},    {"/dev/random", O_RDONLY, 8, -1},
    {"/dev/urandom", O_RDONLY, 9, -1},
};

static void verify(void)
{
    char data[32];
    for (size_t i = 0; i < COUNT_OF(devices); i++) {
        struct stat st;
        guest_check(fstat(devices[i].fd, &st) == 0 && S_ISCHR(st.st_mode) &&
                        st.st_rdev == makedev(1, devices[i].minor),
                    "descriptor %d is not %s any more", devices[i].fd, devices[i].path);
        guest_check((fcntl(devices[i].fd, F_GETFL) & O_ACCMODE) == devices[i].flags,
                    "the flags of %s changed", devices[i].path);
    }
    guest_check(read(devices[0].fd, data, 1) == 0 && write(devices[0].fd, "x", 1) == 1,
                "/dev/null");
    guest_check(read(devices[1].fd, data, sizeof(data)) == sizeof(data) && data[31] == 0,
                "/dev/zero");
    guest_check(write(devices[2].fd, "x", 1) < 0 && errno == ENOSPC, "/dev/full");
    guest_check(read(devices[4].fd, data, sizeof(data)) == sizeof(data), "/dev/urandom");
}

int main(void)
{
    for (size_t i = 0; i < COUNT_OF(devices); i++) {
        devices[i].fd = open(devices[i].path, devices[i].flags);
        guest_need(devices[i].fd >= 0, devices[i].path);
    }
    guest_serve(verify);
}
