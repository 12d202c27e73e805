#include "test.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "store/import.h"
#include "store/registry.h"

/* A registry of our own on the loopback device, gone with the test. */
struct server {
    pid_t pid;
    int port;
};

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    return ntohs(a.sin_port);
}

static void wait_for(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)port)};
    for (int i = 0; i < 500; i++) {
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
            return;
        usleep(20000);
    }
    CHECK(!"the registry did not come up");
}

static void start_server(struct server *server, const char *dir, const char *auth)
{
    _cleanup_free_ char *program = find_program("docker-registry");
    _cleanup_free_ char *skopeo = find_program("skopeo");
    if (!program || !skopeo)
        SKIP("docker-registry or skopeo is not installed");
    server->port = free_port();
    _cleanup_free_ char *path = path_join(dir, "registry.yml");
    _cleanup_free_ char *text = xasprintf("version: 0.1\n"
                                          "log: {level: error}\n"
                                          "storage: {filesystem: {rootdirectory: %s/registry}}\n"
                                          "http: {addr: '127.0.0.1:%d'}\n%s",
                                          dir, server->port, auth);
    CHECK_INT(file_write_atomic(path, text, strlen(text), 0600, false, NULL), 0);
    char *argv[] = {program, (char *)"serve", path, NULL};
    struct spawn s = SPAWN_INIT;
    struct error err = {0};
    s.argv = argv;
    s.die_with_parent = true;
    server->pid = spawn_start(&s, &err);
    CHECK(server->pid > 0);
    wait_for(server->port);
}

static void stop_server(struct server *server)
{
    kill(server->pid, SIGKILL);
    spawn_wait(server->pid);
}

static struct store *fresh(const char *dir, const char *name)
{
    struct store *s = NULL;
    struct error err = {0};
    _cleanup_free_ char *root = xasprintf("%s/%s/root", dir, name);
    _cleanup_free_ char *runroot = xasprintf("%s/%s/run", dir, name);
    CHECK_INT(store_open(&(struct store_options){.root = root, .runroot = runroot}, &s, &err), 0);
    return s;
}

static struct image *import(struct store *s, const char *dir)
{
    _cleanup_free_ char *path = path_join(dir, "t.tar");
    _cleanup_free_ char *command =
        xasprintf("cd '%s' && mkdir -p t && echo x >t/file && tar -C t -cf t.tar .", dir);
    CHECK_INT(system(command), 0);
    struct import_options o = {.source = path, .name = "app"};
    struct image *image = NULL;
    CHECK_INT(import_image(s, &o, &image, NULL), 0);
    return image;
}

static void collect(void *context, const char *text)
{
    buf_printf(context, "%s\n", text);
}

static void there_and_back(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_(stop_server) struct server server = {0};
    _cleanup_buf_ struct buf said = {0};
    struct error err = {0};
    start_server(&server, dir, "");
    _cleanup_store_ struct store *a = fresh(dir, "a"), *b = fresh(dir, "b");
    _cleanup_image_ struct image *image = import(a, dir), *pulled = NULL, *again = NULL;
    _cleanup_free_ char *name = xasprintf("127.0.0.1:%d/team/app:1", server.port);
    struct registry_options o = {.tls = REGISTRY_TLS_SKIP,
                                 .progress = {.line = collect, .context = &said}};
    int r = registry_push(a, image, "app", name, &o, &err);
    CHECK_STRING(err.text, "");
    CHECK_INT(r, 0);
    buf_clear(&said);
    r = registry_pull(b, name, &o, &pulled, &err);
    CHECK_STRING(err.text, "");
    CHECK_INT(r, 0);
    CHECK_STRING(pulled->id, image->id);
    CHECK_STRING(pulled->names[0], name);
    CHECK_CONTAINS(said.data, "Trying to pull 127.0.0.1:");
    CHECK_CONTAINS(said.data, "Getting image source signatures\nCopying blob sha256:");
    CHECK_CONTAINS(said.data, "Writing manifest to image destination\nStoring signatures\n");
    buf_clear(&said);
    CHECK_INT(registry_pull(b, name, &o, &again, &err), 0);
    CHECK_STRING(again->id, image->id);
    CHECK(!said.data || !strstr(said.data, "Copying blob"));
    _cleanup_free_ char *digested =
        xasprintf("127.0.0.1:%d/team/app@%s", server.port, pulled->digest);
    _cleanup_image_ struct image *by_digest = NULL, *all = NULL, *local = NULL;
    CHECK_INT(image_lookup(b, digested, &by_digest, &err), 0);
    CHECK_INT(registry_ensure(b, name, "never", &o, &local, &err), 0);
    o.all_tags = true;
    CHECK_INT(registry_pull(b, name, &o, &all, &err), 0);
    _cleanup_free_ char *tmp = path_join(b->root, "tmp");
    CHECK(rmdir(tmp) == 0);
}

static void refused(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_(stop_server) struct server server = {0};
    struct error err = {0};
    start_server(&server, dir, "");
    _cleanup_store_ struct store *s = fresh(dir, "a");
    struct registry_options o = {.tls = REGISTRY_TLS_SKIP};
    _cleanup_free_ char *missing = xasprintf("127.0.0.1:%d/nope:1", server.port);
    _cleanup_free_ char *closed = xasprintf("127.0.0.1:%d/nope:1", free_port());
    struct image *image = NULL;
    CHECK(registry_pull(s, missing, &o, &image, &err) < 0);
    _cleanup_free_ char *text = xasprintf("initializing source docker://%s: reading manifest 1 in "
                                          "127.0.0.1:%d/nope: manifest unknown: manifest unknown",
                                          missing, server.port);
    CHECK_STRING(err.text, text);
    CHECK(registry_pull(s, closed, &o, &image, &err) < 0);
    CHECK_CONTAINS(err.text, "connect: connection refused");
    CHECK_CONTAINS(err.text, "initializing source docker://");
    CHECK(registry_pull(s, "UPPER", &o, &image, &err) < 0);
    CHECK_STRING(err.text, "repository name must be lowercase");
    CHECK(registry_pull(s, "docker-daemon:x", &o, &image, &err) < 0);
    CHECK_CONTAINS(err.text, "transport \"docker-daemon\" is not supported");
    CHECK(registry_ensure(s, missing, "never", &o, &image, &err) < 0);
    CHECK_CONTAINS(err.text, "image not known");
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK(registry_ensure(s, missing, "bogus", &o, &image, &err) < 0);
    CHECK_CONTAINS(err.text, "unsupported pull policy");
}

/* As htpasswd writes it: bcrypt of "password". */
#define HTPASSWD "user:$2y$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu\n"

static void credentials(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_(stop_server) struct server server = {0};
    struct error err = {0};
    _cleanup_free_ char *htpasswd = path_join(dir, "htpasswd");
    _cleanup_free_ char *auth = xasprintf("auth: {htpasswd: {realm: test, path: %s}}\n", htpasswd);
    CHECK_INT(file_write_atomic(htpasswd, HTPASSWD, strlen(HTPASSWD), 0600, false, NULL), 0);
    start_server(&server, dir, auth);
    _cleanup_store_ struct store *s = fresh(dir, "a"), *b = fresh(dir, "b");
    _cleanup_image_ struct image *image = import(s, dir), *pulled = NULL;
    _cleanup_free_ char *name = xasprintf("127.0.0.1:%d/x:1", server.port);
    struct registry_options o = {.tls = REGISTRY_TLS_SKIP, .creds = "user:wrong"};
    struct image *none = NULL;
    CHECK(registry_push(s, image, "app", name, &o, &err) < 0);
    CHECK_CONTAINS(err.text, "unauthorized: authentication required");
    CHECK(registry_pull(s, name, &o, &none, &err) < 0);
    CHECK_CONTAINS(err.text, "unauthorized: authentication required");
    o.creds = "user:password";
    CHECK_INT(registry_push(s, image, "app", name, &o, &err), 0);
    CHECK_INT(registry_pull(b, name, &o, &pulled, &err), 0);
    CHECK_STRING(pulled->id, image->id);
    o = (struct registry_options){.tls = REGISTRY_TLS_SKIP, .authfile = "/nonexistent"};
    CHECK(registry_pull(s, name, &o, &none, &err) < 0);
    CHECK_STRING(err.text, "stat /nonexistent: no such file or directory");
}

int main(void)
{
    static const struct test tests[] = {TEST(there_and_back), TEST(refused), TEST(credentials)};
    return run_tests(tests, ARRAY_LEN(tests));
}
