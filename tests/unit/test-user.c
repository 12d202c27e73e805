#include "test.h"

#include <sys/stat.h>

#include "base/io.h"
#include "container/user.h"

static void write_file(const char *root, const char *name, const char *text)
{
    _cleanup_free_ char *path = path_join(root, name);
    CHECK_INT(file_write_atomic(path, text, strlen(text), 0644, false, NULL), 0);
}

static char *make_root(void)
{
    char *root = test_directory();
    _cleanup_free_ char *etc = path_join(root, "etc");
    CHECK_INT(mkdir(etc, 0755), 0);
    write_file(root, "etc/passwd",
               "root:x:0:0::/root:/bin/sh\nbroken\nbob:x:1000:100::/home/bob:/bin/sh\n");
    write_file(root, "etc/group", "root:x:0:\nusers:x:100:\nwheel:x:10:alice,bob\naudio:x:63:\n");
    return root;
}

static void users_are_found(void)
{
    _cleanup_test_directory_ char *root = make_root();
    const struct {
        const char *user;
        unsigned uid, gid;
        size_t groups;
        const char *home;
    } cases[] = {
        {"", 0, 0, 0, "/root"},
        {"bob", 1000, 100, 1, "/home/bob"},
        {"1000", 1000, 100, 1, "/home/bob"},
        {"bob:audio", 1000, 63, 0, "/home/bob"},
        {"77", 77, 0, 0, "/"},
        {"77:88", 77, 88, 0, "/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_container_user_ struct container_user u = {0};
        CHECK_INT(container_user_lookup(root, cases[i].user, NULL, &u, NULL), 0);
        CHECK_INT(u.uid, cases[i].uid);
        CHECK_INT(u.gid, cases[i].gid);
        CHECK_INT(u.group_count, cases[i].groups);
        CHECK_STRING(u.home, cases[i].home);
    }
}

static void unknown_ones_are_named(void)
{
    _cleanup_test_directory_ char *root = make_root();
    struct container_user u = {0};
    struct error err = {0};
    char *groups[] = {(char *)"nogroup", NULL};
    CHECK(container_user_lookup(root, "eve", NULL, &u, &err) < 0);
    CHECK_STRING(err.text, "unable to find user eve: no matching entries in passwd file");
    CHECK_INT(err.kind, ERROR_CANNOT_INVOKE);
    CHECK(container_user_lookup(root, "bob", groups, &u, &err) < 0);
    CHECK_STRING(err.text, "unable to find group nogroup: no matching entries in group file");
}

static void a_link_does_not_lead_out(void)
{
    _cleanup_test_directory_ char *root = test_directory();
    _cleanup_free_ char *etc = path_join(root, "etc");
    CHECK_INT(symlink("/etc", etc), 0);
    struct container_user u = {0};
    struct error err = {0};
    /* root is in the host's file, but that is not the container's. */
    CHECK(container_user_lookup(root, "root", NULL, &u, &err) < 0);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(users_are_found),
        TEST(unknown_ones_are_named),
        TEST(a_link_does_not_lead_out),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
