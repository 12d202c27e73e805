#include "test.h"

#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/delegation.h"

enum { HIS = 4711 };

/* A cgroup as the kernel shows it, in a directory: its owner, processes, controllers. */
static void make_group(const char *root, const char *group, uid_t owner, const char *processes,
                       const char *controllers, const char *below)
{
    _cleanup_free_ char *dir = xasprintf("%s%s", root, group);
    const struct {
        const char *name, *text;
    } files[] = {{"cgroup.procs", processes},
                 {"cgroup.controllers", controllers},
                 {"cgroup.subtree_control", below}};
    CHECK_INT(mkdir_parents(dir, 0755, NULL), 0);
    CHECK_INT(chown(dir, owner, owner), 0);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        _cleanup_free_ char *path = path_join(dir, files[i].name);
        CHECK_INT(file_write_atomic(path, files[i].text, strlen(files[i].text), 0644, false, NULL),
                  0);
        CHECK_INT(chown(path, owner, owner), 0);
    }
}

static void a_user_service_is_delegated(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_delegation_ struct delegation d = {0};
    make_group(dir, "/user.slice", 0, "", "cpu memory pids\n", "cpu memory pids\n");
    make_group(dir, "/user.slice/user-1.slice", 0, "", "cpu memory pids\n", "memory pids\n");
    make_group(dir, "/user.slice/user-1.slice/user@1.service", HIS, "", "memory pids\n", "");
    make_group(dir, "/user.slice/user-1.slice/user@1.service/app.slice", HIS, "", "memory\n", "");
    make_group(dir, "/user.slice/user-1.slice/user@1.service/app.slice/x.scope", HIS, "12\n", "",
               "");
    CHECK(
        delegation_find(dir, "/user.slice/user-1.slice/user@1.service/app.slice/x.scope", HIS, &d));
    CHECK_STRING(d.path, "/user.slice/user-1.slice/user@1.service");
    CHECK_INT(strv_length(d.controllers), 2);
    CHECK(strv_contains(d.controllers, "memory") && strv_contains(d.controllers, "pids"));
}

static void a_login_is_not(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_delegation_ struct delegation d = {0};
    make_group(dir, "/user.slice", 0, "", "memory\n", "memory\n");
    make_group(dir, "/user.slice/session-2.scope", 0, "12\n", "memory\n", "");
    CHECK(!delegation_find(dir, "/user.slice/session-2.scope", HIS, &d));
    CHECK(!d.path && !d.controllers);
}

/* The kernel gives nothing new to the children of a group with processes. */
static void a_busy_group_gives_what_it_gave(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_delegation_ struct delegation d = {0};
    make_group(dir, "/x.scope", HIS, "12\n", "cpu memory\n", "memory\n");
    CHECK(delegation_find(dir, "/x.scope", HIS, &d));
    CHECK_STRING(d.path, "/x.scope");
    CHECK_INT(strv_length(d.controllers), 1);
    CHECK_STRING(d.controllers[0], "memory");
}

static void what_is_not_there_limits_nothing(void)
{
    static const char text[] =
        "{\"memory\":{\"limit\":1},\"cpu\":{\"shares\":1,\"cpus\":\"0\"},\"pids\":{\"limit\":5},"
        "\"devices\":[]}";
    _cleanup_json_ struct json *o = NULL;
    CHECK_INT(js_parse(text, sizeof(text) - 1, "test", &o, NULL), 0);
    char *controllers[] = {(char *)"memory", (char *)"cpu", NULL};
    _cleanup_strv_ char **missing = delegation_fit(o, controllers);
    CHECK_INT(strv_length(missing), 2);
    CHECK(strv_contains(missing, "cpuset") && strv_contains(missing, "pids"));
    CHECK(js_get(o, "memory") && js_get(js_get(o, "cpu"), "shares"));
    CHECK(!js_get(js_get(o, "cpu"), "cpus") && !js_get(o, "pids") && !js_get(o, "devices"));
}

int main(void)
{
    static const struct test tests[] = {
        TEST(a_user_service_is_delegated),
        TEST(a_login_is_not),
        TEST(a_busy_group_gives_what_it_gave),
        TEST(what_is_not_there_limits_nothing),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
