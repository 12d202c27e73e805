#include "format/unpack.h"

#include <errno.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "tars.h"

#define NEED_ROOT()                                                                                \
    do {                                                                                           \
        if (geteuid() != 0)                                                                        \
            SKIP("not root");                                                                      \
    } while (0)

static int unpack(struct maker *m, int dirfd, unsigned flags, struct error *err)
{
    const struct unpack_options o = {.flags = flags};
    _cleanup_close_ int fd = maker_done(m);
    return unpack_fd(fd, "x.tar", dirfd, &o, NULL, err);
}

static void nothing_escapes(void)
{
    static const struct {
        const char *path;
        mode_t mode;
        const char *link;
    } attacks[][2] = {
        {{"../escaped", S_IFREG | 0644, NULL}},
        {{"a/../../escaped", S_IFREG | 0644, NULL}},
        {{"l", S_IFLNK | 0777, ".."}, {"l/escaped", S_IFREG | 0644, NULL}},
        {{"l", S_IFLNK | 0777, "../.."}, {"l/escaped", S_IFREG | 0644, NULL}},
        {{"l", S_IFLNK | 0777, "../escaped"}, {"l", S_IFREG | 0644, NULL}},
        {{"h", S_IFREG | 0644, "../secret"}},
        {{"l", S_IFLNK | 0777, "../"}, {"h", S_IFREG | 0644, "l/secret"}},
        {{"l", S_IFLNK | 0777, ".."}, {"l", S_IFDIR | 0700, NULL}},
        {{"/escaped", S_IFREG | 0644, NULL}},
    };
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
        _cleanup_test_directory_ char *top = test_directory();
        _cleanup_close_ int above = open_directory(top);
        CHECK_INT(mkdirat(above, "in", 0755), 0);
        write_file(above, "secret", "s", 1);
        struct stat before = stat_of(above, ".");
        _cleanup_close_ int dir = openat(above, "in", O_RDONLY | O_DIRECTORY);
        struct maker *m = maker_new();
        for (size_t j = 0; j < 2 && attacks[i][j].path; j++)
            maker_add(m, attacks[i][j].path, attacks[i][j].mode, attacks[i][j].link, NULL);
        struct error err = {0};
        unpack(m, dir, 0, &err);
        CHECK_INT(faccessat(above, "escaped", F_OK, AT_SYMLINK_NOFOLLOW), -1);
        CHECK_INT(stat_of(above, "secret").st_nlink, 1);
        CHECK_INT(stat_of(above, ".").st_mode, before.st_mode);
        CHECK_INT(stat_of(above, ".").st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    }
}

static void outside_is_named(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    struct error err = {0};
    struct maker *m = maker_new();
    maker_add(m, "a/../../x", S_IFREG | 0644, NULL, NULL);
    CHECK_INT(unpack(m, open_directory(top), 0, &err), -EINVAL);
    CHECK_STRING(err.text, "entry \"a/../../x\" points outside");
}

static void metadata(void)
{
    NEED_ROOT();
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    struct error err = {0};
    struct maker *m = maker_new();
    struct tar_entry d = {
        .path = (char *)"d", .mode = S_IFDIR | 02550, .uid = 7, .gid = 8, .mtime_ns = 1000000001};
    struct tar_entry f = {.path = (char *)"d/f",
                          .mode = S_IFREG | 06755,
                          .uid = 9,
                          .gid = 10,
                          .mtime_ns = -999999999};
    struct tar_entry s = {.path = (char *)"d/s", .mode = S_IFSOCK | 0711, .uid = 1, .gid = 2};
    maker_entry(m, &d, NULL);
    maker_entry(m, &f, NULL);
    maker_entry(m, &s, NULL);
    maker_add(m, "d/p", S_IFIFO | 0622, NULL, NULL);
    maker_add(m, "d/l", S_IFLNK | 0777, "/etc/passwd", NULL);
    CHECK_INT(unpack(m, dir, 0, &err), 0);
    struct stat st = stat_of(dir, "d");
    CHECK_INT(st.st_mode, S_IFDIR | 02550);
    CHECK_INT(st.st_uid, 7);
    CHECK_INT(st.st_mtim.tv_sec, 1);
    CHECK_INT(st.st_mtim.tv_nsec, 1);
    st = stat_of(dir, "d/f");
    CHECK_INT(st.st_mode, S_IFREG | 06755);
    CHECK_INT(st.st_gid, 10);
    CHECK_INT(st.st_mtim.tv_sec, -1);
    CHECK_INT(st.st_mtim.tv_nsec, 1);
    CHECK_INT(stat_of(dir, "d/s").st_mode, S_IFSOCK | 0711);
    CHECK_INT(stat_of(dir, "d/p").st_mode, S_IFIFO | 0622);
    CHECK_INT(stat_of(dir, "d/l").st_mtim.tv_nsec, 123456789);
}

static void whiteouts(void)
{
    NEED_ROOT();
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    struct error err = {0};
    struct maker *m = maker_new();
    maker_add(m, "d", S_IFDIR | 0755, NULL, NULL);
    maker_add(m, "d/.wh.gone", S_IFREG, NULL, NULL);
    maker_add(m, "d/.wh..wh..opq", S_IFREG, NULL, NULL);
    maker_add(m, ".wh.again", S_IFREG, NULL, NULL);
    maker_add(m, "again", S_IFDIR | 0755, NULL, NULL);
    maker_add(m, "kept", S_IFREG | 0644, NULL, "k");
    maker_add(m, ".wh.kept", S_IFREG, NULL, NULL);
    maker_add(m, ".wh..wh.plnk", S_IFDIR | 0700, NULL, NULL);
    CHECK_INT(unpack(m, dir, UNPACK_WHITEOUTS | UNPACK_USER_OVERLAY, &err), 0);
    struct stat st = stat_of(dir, "d/gone");
    CHECK(S_ISCHR(st.st_mode) && st.st_rdev == 0);
    CHECK(S_ISREG(stat_of(dir, "kept").st_mode));
    CHECK_INT(faccessat(dir, ".wh..wh.plnk", F_OK, 0), -1);
    static const char *const opaque[] = {"d", "again"};
    for (size_t i = 0; i < ARRAY_LEN(opaque); i++) {
        char value[2] = "";
        _cleanup_free_ char *path = path_join(top, opaque[i]);
        CHECK_INT(lgetxattr(path, "user.overlay.opaque", value, 2), 1);
        CHECK_INT(value[0], 'y');
    }
    m = maker_new();
    maker_add(m, "d/.wh...", S_IFREG, NULL, NULL);
    CHECK_INT(unpack(m, dir, UNPACK_WHITEOUTS, &err), -EINVAL);
}

static void overlay_attributes_are_dropped(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    struct error err = {0};
    _cleanup_tar_entry_ struct tar_entry e = {
        .path = xstrdup("d"), .mode = S_IFDIR | 0755, .uid = getuid(), .gid = getgid()};
    tar_entry_add_xattr(&e, "user.overlay.redirect", "/etc", 4);
    tar_entry_add_xattr(&e, "user.mine", "1", 1);
    struct maker *m = maker_new();
    maker_entry(m, &e, NULL);
    CHECK_INT(unpack(m, dir, 0, &err), 0);
    _cleanup_free_ char *path = path_join(top, "d");
    char value[8];
    CHECK_INT(lgetxattr(path, "user.overlay.redirect", value, 8), -1);
    CHECK_INT(lgetxattr(path, "user.mine", value, 8), 1);
}

static void types_replace_each_other(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    struct error err = {0};
    struct maker *m = maker_new();
    maker_add(m, "x", S_IFDIR | 0755, NULL, NULL);
    maker_add(m, "x/below", S_IFREG | 0644, NULL, "b");
    maker_add(m, "x", S_IFREG | 0644, NULL, "file now");
    maker_add(m, "y", S_IFREG | 0644, NULL, "y");
    maker_add(m, "y", S_IFDIR | 0755, NULL, NULL);
    maker_add(m, "y/z", S_IFREG | 0644, NULL, "z");
    maker_add(m, "y", S_IFDIR | 0711, NULL, NULL);
    maker_add(m, "y/h", S_IFREG | 0644, "y/z", NULL);
    CHECK_INT(unpack(m, dir, 0, &err), 0);
    _cleanup_free_ char *x = content_of(dir, "x"), *z = content_of(dir, "y/h");
    CHECK_STRING(x, "file now");
    CHECK_STRING(z, "z");
    CHECK_INT(stat_of(dir, "y/z").st_nlink, 2);
    CHECK_INT(stat_of(dir, "y").st_mode, S_IFDIR | 0711);
}

static void devices(void)
{
    NEED_ROOT();
    static const struct {
        unsigned flags;
        int result;
        bool there;
    } cases[] = {
        {0, 0, true}, {UNPACK_SKIP_DEVICES, 0, false}, {UNPACK_REFUSE_DEVICES, -EPERM, false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_test_directory_ char *top = test_directory();
        _cleanup_close_ int dir = open_directory(top);
        struct error err = {0};
        struct tar_entry e = {
            .path = (char *)"null", .mode = S_IFCHR | 0666, .rdev = makedev(1, 3)};
        struct maker *m = maker_new();
        maker_entry(m, &e, NULL);
        CHECK_INT(unpack(m, dir, cases[i].flags, &err), cases[i].result);
        CHECK_INT(faccessat(dir, "null", F_OK, 0) == 0, cases[i].there);
        if (cases[i].there)
            CHECK_INT(stat_of(dir, "null").st_rdev, makedev(1, 3));
    }
}

static void limits(void)
{
    static const struct {
        struct unpack_options options;
        int result;
        const char *text;
    } cases[] = {
        {{.max_entries = 2}, 0, NULL},
        {{.max_entries = 1}, -E2BIG, "there are more than the 1 entries allowed"},
        {{.max_size = 8}, 0, NULL},
        {{.max_size = 7}, -EFBIG, "the content is larger than the 7 bytes allowed"},
        {{.max_path = 3},
         -ENAMETOOLONG,
         "the path of entry \"four...\" has 4 bytes, 3 are allowed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_test_directory_ char *top = test_directory();
        _cleanup_close_ int dir = open_directory(top);
        struct error err = {0};
        struct maker *m = maker_new();
        maker_add(m, "one", S_IFREG | 0644, NULL, "1234");
        maker_add(m, "four", S_IFREG | 0644, NULL, "5678");
        _cleanup_close_ int fd = maker_done(m);
        CHECK_INT(unpack_fd(fd, "x", dir, &cases[i].options, NULL, &err), cases[i].result);
        if (cases[i].text)
            CHECK_STRING(err.text, cases[i].text);
    }
}

static void holes_stay_holes(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    struct error err = {0};
    struct maker *m = maker_new();
    struct tar_entry e = {.path = (char *)"hole",
                          .mode = S_IFREG | 0644,
                          .size = 3ull << 30,
                          .sparse = true,
                          .uid = getuid(),
                          .gid = getgid()};
    maker_entry(m, &e, NULL);
    CHECK_INT(unpack(m, dir, 0, &err), 0);
    CHECK_INT(stat_of(dir, "hole").st_size, 3ll << 30);
    CHECK(stat_of(dir, "hole").st_blocks < 100);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(nothing_escapes),
        TEST(outside_is_named),
        TEST(metadata),
        TEST(whiteouts),
        TEST(overlay_attributes_are_dropped),
        TEST(types_replace_each_other),
        TEST(devices),
        TEST(limits),
        TEST(holes_stay_holes),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
