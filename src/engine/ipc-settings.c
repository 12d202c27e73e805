#include "engine/ipc-settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/ipc.h"
#include "engine/restore.h"

#define DIRECTORY "/proc/sys/"

/* With what the kernel gives a new namespace. */
static const struct {
    const char *path, *usual;
} settings[] = {
    {"kernel/msgmax", "8192"},
    {"kernel/msgmnb", "16384"},
    {"kernel/msgmni", "32000"},
    {"kernel/sem", "32000\t1024000000\t500\t32000"},
    {"kernel/shmall", "18446744073692774399"},
    {"kernel/shmmax", "18446744073692774399"},
    {"kernel/shmmni", "4096"},
    {"kernel/shm_rmid_forced", "0"},
    {"fs/mqueue/msg_default", "10"},
    {"fs/mqueue/msg_max", "10"},
    {"fs/mqueue/msgsize_default", "8192"},
    {"fs/mqueue/msgsize_max", "8192"},
    {"fs/mqueue/queues_max", "256"},
};

static int read_one(size_t i, char *value, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), DIRECTORY "%s", settings[i].path);
    return file_read_line(path, value, size);
}

void ipc_settings_read(struct buf *ret)
{
    char value[128];
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (read_one(i, value, sizeof(value)) == 0 && strcmp(value, settings[i].usual) != 0)
            buf_printf(ret, "%s %s\n", settings[i].path, value);
}

void ipc_settings_note(struct dump *d, const char *lines)
{
    _cleanup_strv_ char **list = strv_split(lines, '\n');
    struct json *o = js_object();
    STRV_FOREACH(line, list)
    {
        char *space = strchr(*line, ' ');
        if (!space)
            continue;
        *space = 0;
        js_set(o, *line, js_string(space + 1));
    }
    js_set(d->extra, "ipcSettings", o);
}

/* In the child. What the runtime has set already is left alone. */
static int write_all(void *context, struct error *err)
{
    const struct restore *r = context;
    const struct json *saved = js_get(r->extra, "ipcSettings");
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        const char *wanted = js_get_string(saved, settings[i].path);
        char path[64], now[128] = "";
        if (!wanted || (read_one(i, now, sizeof(now)) == 0 && strcmp(now, wanted) == 0))
            continue;
        snprintf(path, sizeof(path), DIRECTORY "%s", settings[i].path);
        int n = file_write_existing(path, wanted);
        if (n < 0)
            return error_errno(err, -n, "cannot set %s of container %s to %.100s", path,
                               r->options.name, wanted);
    }
    return 0;
}

int ipc_settings_restore(struct restore *r, struct error *err)
{
    if (!js_count(js_get(r->extra, "ipcSettings")) || !ipc_is_own(r->init))
        return 0;
    return ipc_enter(r->init, write_all, NULL, r, err);
}
