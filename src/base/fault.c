#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/io.h"

static void trace(const char *name)
{
    const char *path = getenv("FIRN_FAULT_TRACE");
    _cleanup_close_ int fd =
        path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    _cleanup_free_ char *line = xasprintf("%s\n", name);
    if (fd >= 0)
        write_full(fd, line, strlen(line));
}

/* Whether "NAME" or "NAME#3" means this place, passed for the `time`th time. */
static bool is_meant(const char *wanted, const char *name, unsigned time)
{
    size_t length = strlen(name);
    if (strncmp(wanted, name, length) != 0)
        return false;
    if (wanted[length] == '#')
        return (unsigned)atoi(wanted + length + 1) == time;
    return wanted[length] == '\0' && time == 1;
}

int fault(const char *job, const char *place, struct error *err)
{
    static unsigned times; /* that the place meant was passed in this process */
    _cleanup_free_ char *name = xasprintf("%s: %s", job, place);
    trace(name);
    const char *wanted = getenv("FIRN_FAULT"), *at = wanted ? strchr(wanted, '@') : NULL;
    if (!at || strncmp(at + 1, name, strlen(name)) != 0)
        return 0;
    if (at[1 + strlen(name)] == '#' || at[1 + strlen(name)] == '\0')
        times++;
    if (!is_meant(at + 1, name, times))
        return 0;
    if (strncmp(wanted, "kill@", 5) == 0)
        kill(getpid(), SIGKILL);
    return error_set(err, EIO, "a test made this fail at \"%s\"", name);
}
