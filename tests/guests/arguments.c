/* What /proc shows of a program's start: arguments, environment, auxiliary vector, executable. */
#include <sys/auxv.h>

#include "guest.h"

struct file {
    const char *path;
    char data[4096];
    ssize_t size;
};

static struct file files[] = {
    {.path = "/proc/self/cmdline"}, {.path = "/proc/self/environ"}, {.path = "/proc/self/auxv"}};
static char exe[256];

static ssize_t slurp(const char *path, char *data, size_t size)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, data, size);
    close(fd);
    return n;
}

/* The place of the vdso is the kernel's to choose; all other entries stay. */
static void hide_vdso(struct file *f)
{
    unsigned long *v = (unsigned long *)(void *)f->data;
    for (size_t i = 0; strstr(f->path, "auxv") && i + 1 < (size_t)f->size / sizeof(*v); i += 2)
        if (v[i] == AT_SYSINFO_EHDR)
            v[i + 1] = 0;
}

static void verify(void)
{
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct file now = {.path = files[i].path};
        now.size = slurp(now.path, now.data, sizeof(now.data));
        hide_vdso(&now);
        guest_check(now.size == files[i].size &&
                        memcmp(now.data, files[i].data, (size_t)now.size) == 0,
                    "%s changed", now.path);
    }
    char now[256] = "";
    guest_check(readlink("/proc/self/exe", now, sizeof(now) - 1) > 0 && strcmp(now, exe) == 0,
                "the executable is %s, not %s", now, exe);
    const char *home = getenv("GUEST");
    guest_check(!home || strcmp(home, "value") == 0, "the environment variable changed");
    guest_check(getauxval(AT_PAGESZ) == PAGE, "the auxiliary vector is lost");
}

int main(int argc, char **argv)
{
    /* as programs do that set their title: the arguments' own memory is changed */
    memset(argv[0], 'T', strlen(argv[0]));
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        files[i].size = slurp(files[i].path, files[i].data, sizeof(files[i].data));
        guest_need(files[i].size > 0, files[i].path);
        hide_vdso(&files[i]);
    }
    guest_need(files[0].data[0] == 'T', "the title");
    guest_need(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0, "the link to the executable");
    guest_serve(verify);
}
