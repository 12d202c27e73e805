#include "container/pasta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"

/* [ADDRESS/]8080-8082:80-82 */
static void add_ports(char ***argv, const struct json *ports, const char *protocol,
                      const char *option)
{
    bool any = false;
    JSON_FOREACH(ports, i)
    {
        const struct json *o = js_at(ports, i);
        const char *ip = js_get_string(o, "host_ip");
        int64_t count = js_get_int(o, "range", 1), host = js_get_int(o, "host_port", 0);
        int64_t inside = js_get_int(o, "container_port", 0);
        if (!string_equal(js_get_string(o, "protocol"), protocol))
            continue;
        any = true;
        strv_add(argv, option);
        strv_addf(argv, "%s%s%lld-%lld:%lld-%lld", ip ? ip : "", ip && *ip ? "/" : "",
                  (long long)host, (long long)(host + count - 1), (long long)inside,
                  (long long)(inside + count - 1));
    }
    if (any)
        return;
    strv_add(argv, option);
    strv_add(argv, "none");
}

static int explain(const char *log, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    file_read(log, &text, NULL);
    buf_trim(&text);
    const char *line = text.data ? strrchr(text.data, '\n') : NULL;
    return error_set(err, EIO, "pasta cannot set the network up: %s",
                     line        ? line + 1
                     : text.size ? text.data
                                 : "it said nothing");
}

static int read_pid(const char *path, struct process *ret, struct error *err)
{
    char line[32];
    int r = file_read_line(path, line, sizeof(line));
    if (r == 0)
        r = process_identify(atoi(line), ret);
    return r < 0 ? error_errno(err, -r, "pasta has gone again") : 0;
}

int pasta_start(const char *netns, const struct json *ports, const char *log,
                struct process *ret_process, struct error *err)
{
    _cleanup_free_ char *pid_file = xasprintf("%s.pid", netns);
    _cleanup_strv_ char **argv = NULL;
    static const char *const always[] = {"pasta",         "--config-net", "--quiet",  "--no-map-gw",
                                         "--dns-forward", PASTA_DNS,      "--tcp-ns", "none",
                                         "--udp-ns",      "none",         "--pid"};
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        strv_add(&argv, always[i]);
    strv_add(&argv, pid_file);
    add_ports(&argv, ports, "tcp", "--tcp-ports");
    add_ports(&argv, ports, "udp", "--udp-ports");
    strv_add(&argv, "--netns");
    strv_add(&argv, netns);
    /* A file, since what stays in the background would keep a pipe open. */
    _cleanup_close_ int said = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (said < 0)
        return error_errno(err, errno, "cannot create %s", log);
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stderr_fd = said;
    int r = spawn_run(&s, err);
    if (r > 0)
        r = explain(log, err);
    if (r == 0)
        r = read_pid(pid_file, ret_process, err);
    unlink(pid_file);
    return r;
}
