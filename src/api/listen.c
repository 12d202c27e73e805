#include "api/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/strv.h"
#include "base/userns.h"
#include "store/store.h"

enum { BACKLOG = 1024, FIRST_LISTEN_FD = 3 };

/* The socket of root, or that of an ordinary user in his run directory. The caller frees. */
static char *default_address(struct error *err)
{
    char *directory = NULL;
    if (userns_is_host_root())
        return xstrdup("unix:///run/firn/firn.sock");
    if (store_private_runroot(&directory, err) < 0)
        return NULL;
    char *uri = xasprintf("unix://%s/firn.sock", directory);
    free(directory);
    return uri;
}

/* ---- unix ---- */

static bool answers(const struct sockaddr_un *address)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

static int make_directory(const char *path, struct error *err)
{
    _cleanup_free_ char *directory = xstrdup(path);
    char *slash = strrchr(directory, '/');
    if (!slash || slash == directory)
        return 0;
    *slash = '\0';
    return mkdir_parents(directory, 0700, err);
}

static int listen_unix(const char *path, struct listener *ret, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    if (strlen(path) >= sizeof(address.sun_path))
        return error_kind_set(err, ERROR_USAGE,
                              "the path of the socket %s is too long: %zu bytes "
                              "are possible",
                              path, sizeof(address.sun_path) - 1);
    strcpy(address.sun_path, path);
    int r = make_directory(path, err);
    if (r < 0)
        return r;
    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return error_set(err, EEXIST, "cannot listen on %s: it is no socket", path);
        if (answers(&address))
            return error_set(err, EADDRINUSE, "cannot listen on %s: a service does so already",
                             path);
        unlink(path);
    }
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0177);
    r = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&address, sizeof(address));
    umask(old);
    if (r < 0 || listen(fd, BACKLOG) < 0)
        return error_errno(err, errno, "cannot listen on %s", path);
    ret->fd = take_fd(fd);
    ret->path = xstrdup(path);
    return 0;
}

/* ---- TCP ---- */

static int listen_tcp(const char *text, struct listener *ret, struct error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    const char *colon = strrchr(text, ':');
    struct addrinfo *found = NULL;
    if (!colon)
        return error_kind_set(err, ERROR_USAGE, "tcp://%s has no port", text);
    _cleanup_free_ char *host = xstrndup(text, (size_t)(colon - text));
    int why = getaddrinfo(*host ? host : NULL, colon + 1, &hints, &found);
    if (why)
        return error_kind_set(err, ERROR_USAGE, "cannot listen on tcp://%s: %s", text,
                              gai_strerror(why));
    int one = 1;
    _cleanup_close_ int fd =
        socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = fd < 0 ? -1 : setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (r == 0)
        r = bind(fd, found->ai_addr, found->ai_addrlen);
    if (r == 0)
        r = listen(fd, BACKLOG);
    int code = errno;
    freeaddrinfo(found);
    if (r < 0)
        return error_errno(err, code, "cannot listen on tcp://%s", text);
    ret->fd = take_fd(fd);
    ret->network = true;
    return 0;
}

/* ---- systemd ---- */

/* Returns 1 if there is one. The pid is not compared: with a user's namespaces in between we may
 * have been executed again, in the same process. */
static int inherited(struct listener *ret, struct error *err)
{
    const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
    if (!count || !pid || strtol(pid, NULL, 10) != getpid())
        return 0;
    if (!string_equal(count, "1"))
        return error_kind_set(err, ERROR_USAGE, "systemd hands over %s sockets, one is wanted",
                              count);
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    fcntl(FIRST_LISTEN_FD, F_SETFD, FD_CLOEXEC);
    fcntl(FIRST_LISTEN_FD, F_SETFL, O_NONBLOCK);
    ret->fd = FIRST_LISTEN_FD;
    return 1;
}

int listener_open(const char *uri, struct listener *ret, struct error *err)
{
    _cleanup_free_ char *standard = NULL;
    *ret = (struct listener){.fd = -1};
    int r = uri ? 0 : inherited(ret, err);
    if (r != 0)
        return r < 0 ? r : 0;
    if (!uri)
        uri = standard = default_address(err);
    if (!uri)
        return -err->code;
    const char *path = string_after(uri, "unix://"), *host = string_after(uri, "tcp://");
    if (!path)
        path = string_after(uri, "unix:");
    if (host)
        return listen_tcp(host, ret, err);
    if (!path && *uri != '/')
        return error_kind_set(err, ERROR_USAGE,
                              "\"%s\" is no address to listen on: unix:///path or tcp://host:port",
                              uri);
    return listen_unix(path ? path : uri, ret, err);
}

void listener_close(struct listener *l)
{
    cleanup_close(&l->fd);
    l->fd = -1;
    if (l->path)
        unlink(l->path);
    free(l->path);
    l->path = NULL;
}
