/* A directory half read: the rest comes, nothing twice. */
#include <dirent.h>
#include <sys/stat.h>

#include "guest.h"

#define ENTRIES 600

static int fd;
static char seen[ENTRIES];
static int count;

struct entry {
    uint64_t inode;
    int64_t next;
    unsigned short size;
    unsigned char type;
    char name[];
};

/* Reads one buffer of entries; false at the end. */
static bool read_some(void)
{
    _Alignas(8) char data[1024];
    long n = syscall(SYS_getdents64, fd, data, sizeof(data));
    for (long at = 0; at < n;) {
        struct entry *e = (struct entry *)(void *)(data + at);
        int i = strncmp(e->name, "file", 4) == 0 ? atoi(e->name + 4) : -1;
        if (i >= 0 && i < ENTRIES && seen[i]++)
            guest_fail("%s comes twice", e->name);
        count += i >= 0;
        at += e->size;
    }
    guest_check(n >= 0, "the directory cannot be read: %s", strerror(errno));
    return n > 0;
}

static void start_over(void)
{
    lseek(fd, 0, SEEK_SET);
    memset(seen, 0, sizeof(seen));
    count = 0;
    for (int i = 0; i < 8; i++)
        read_some();
}

static void verify(void)
{
    guest_check(count > 0 && count < ENTRIES, "the test is not half way but at %d", count);
    while (read_some())
        ;
    guest_check(count == ENTRIES, "%d of %d entries came", count, ENTRIES);
    start_over();
}

int main(void)
{
    mkdir("/tmp/directory", 0755);
    for (int i = 0; i < ENTRIES; i++) {
        char path[64];
        snprintf(path, sizeof(path), "/tmp/directory/file%d", i);
        close(open(path, O_WRONLY | O_CREAT, 0644));
    }
    fd = open("/tmp/directory", O_RDONLY | O_DIRECTORY);
    guest_need(fd >= 0, "the directory");
    start_over();
    guest_serve(verify);
}
