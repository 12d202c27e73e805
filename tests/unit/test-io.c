#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/io.h"

#define IN_DIRECTORY                                                                               \
    _cleanup_test_directory_ char *dir = test_directory();                                         \
    CHECK_INT(chdir(dir), 0)

static void put(const char *path, const char *text)
{
    struct error err = {0};
    CHECK_INT(file_write_atomic(path, text, strlen(text), 0644, false, &err), 0);
}

static void writes_atomically_and_reads_back(void)
{
    IN_DIRECTORY;
    struct error err = {0};
    struct stat st;
    _cleanup_buf_ struct buf b = {0};
    umask(022);
    put("f", "old");
    CHECK_INT(file_write_atomic("f", "new!", 4, 0600, true, &err), 0);
    CHECK_INT(file_read("f", &b, &err), 0);
    CHECK_STRING(b.data, "new!");
    CHECK_INT(stat("f", &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
}

static void failed_writes_leave_nothing_aside(void)
{
    IN_DIRECTORY;
    struct error err = {0};
    CHECK_INT(mkdir("d", 0755), 0);
    CHECK_INT(mkdir("d/full", 0755), 0);
    CHECK(file_write_atomic("d", "x", 1, 0644, false, &err) < 0);
    CHECK_CONTAINS(err.text, "cannot write d: ");
    CHECK_INT(system("test $(ls -A | wc -l) = 1"), 0);
    CHECK_INT(file_write_atomic("none/f", "x", 1, 0644, false, &err), -ENOENT);
}

static void reading_names_the_path_and_keeps_the_limit(void)
{
    IN_DIRECTORY;
    struct error err = {0};
    _cleanup_buf_ struct buf b = {0};
    CHECK_INT(file_read("missing", &b, &err), -ENOENT);
    CHECK_STRING(err.text, "cannot open missing: no such file or directory");
    put("ten", "0123456789");
    CHECK_INT(file_read_at(AT_FDCWD, "ten", 9, &b, &err), -EFBIG);
    buf_clear(&b);
    CHECK_INT(file_read_at(AT_FDCWD, "ten", 10, &b, &err), 0);
    CHECK_INT(b.size, 10);
    _cleanup_close_ int fd = open(".", O_RDONLY | O_DIRECTORY);
    buf_clear(&b);
    CHECK_INT(file_read_at(fd, "ten", 0, &b, &err), 0);
    CHECK_STRING(b.data, "0123456789");
}

static void reads_files_larger_than_one_step(void)
{
    IN_DIRECTORY;
    struct error err = {0};
    _cleanup_buf_ struct buf in = {0}, out = {0};
    for (int i = 0; i < 50000; i++)
        buf_printf(&in, "%d\n", i);
    CHECK_INT(file_write_atomic("big", in.data, in.size, 0644, false, &err), 0);
    CHECK_INT(file_read("big", &out, &err), 0);
    CHECK_INT(out.size, in.size);
    CHECK(memcmp(in.data, out.data, in.size) == 0);
}

static void small_files_are_read_as_a_line(void)
{
    IN_DIRECTORY;
    char line[8];
    put("f", "42 \n\n");
    CHECK_INT(file_read_line("f", line, sizeof(line)), 0);
    CHECK_STRING(line, "42");
    put("g", "123456789");
    CHECK_INT(file_read_line("g", line, sizeof(line)), 0);
    CHECK_STRING(line, "1234567");
    put("e", "");
    CHECK_INT(file_read_line("e", line, sizeof(line)), 0);
    CHECK_STRING(line, "");
    CHECK_INT(file_read_line("missing", line, sizeof(line)), -ENOENT);
}

static void writing_existing_never_creates(void)
{
    IN_DIRECTORY;
    CHECK_INT(file_write_existing("none", "x"), -ENOENT);
    put("f", "abc");
    CHECK_INT(file_write_existing("f", "X"), 0);
    char line[8];
    CHECK_INT(file_read_line("f", line, sizeof(line)), 0);
    CHECK_STRING(line, "Xbc");
}

static void makes_parents(void)
{
    IN_DIRECTORY;
    struct error err = {0};
    struct stat st;
    CHECK_INT(mkdir_parents("a/b/c", 0750, &err), 0);
    CHECK_INT(mkdir_parents("a/b/c", 0750, &err), 0);
    CHECK_INT(stat("a/b/c", &st), 0);
    CHECK(S_ISDIR(st.st_mode));
    put("file", "x");
    CHECK_INT(mkdir_parents("file/x", 0755, &err), -ENOTDIR);
    CHECK_CONTAINS(err.text, "file/x");
}

static void removes_trees_without_following_links(void)
{
    IN_DIRECTORY;
    struct error err = {0};
    CHECK_INT(mkdir_parents("keep/in", 0755, &err), 0);
    put("keep/in/f", "x");
    CHECK_INT(mkdir_parents("gone/a/b", 0755, &err), 0);
    put("gone/a/b/f", "x");
    CHECK_INT(symlink("../keep", "gone/link"), 0);
    CHECK_INT(symlink("nowhere", "gone/dangling"), 0);
    CHECK_INT(remove_tree("gone", &err), 0);
    CHECK(!path_exists("gone"));
    CHECK(path_exists("keep/in/f"));
    CHECK_INT(remove_tree("gone", &err), 0);
    CHECK_INT(symlink("keep", "link"), 0);
    CHECK_INT(remove_tree("link", &err), 0);
    CHECK(!path_exists("link"));
    CHECK(path_exists("keep/in/f"));
    CHECK_INT(remove_content("keep", &err), 0);
    CHECK(path_exists("keep") && !path_exists("keep/in"));
}

static void removing_stops_at_mounts(void)
{
    IN_DIRECTORY;
    struct error err = {0};
    CHECK_INT(mkdir_parents("tree/mnt", 0755, &err), 0);
    if (mount("none", "tree/mnt", "tmpfs", 0, NULL) < 0)
        SKIP("mounting needs privileges");
    put("tree/mnt/precious", "x");
    put("tree/f", "x");
    CHECK(remove_tree("tree", &err) < 0);
    bool kept = path_exists("tree/mnt/precious"), gone = !path_exists("tree/f");
    umount2("tree/mnt", MNT_DETACH);
    CHECK(kept);
    CHECK(gone);
}

static void joins_paths_with_one_slash(void)
{
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "/b", "a/b"}, {"/", "b", "/b"}, {"/a//", "b/c", "/a/b/c"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *path = path_join(cases[i][0], cases[i][1]);
        CHECK_STRING(path, cases[i][2]);
    }
}

static void a_root_cannot_be_left(void)
{
    IN_DIRECTORY;
    struct error err = {0};
    put("outside", "secret");
    CHECK_INT(mkdir_parents("root/etc", 0755, &err), 0);
    put("root/etc/f", "inside");
    CHECK_INT(symlink("/etc/f", "root/absolute"), 0);
    CHECK_INT(symlink("../../outside", "root/etc/up"), 0);
    _cleanup_close_ int root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int inside = open_in_root(root, "/absolute", O_RDONLY, 0);
    CHECK(inside >= 0);
    char text[16] = "";
    CHECK_INT(read_full(inside, text, sizeof(text)), 6);
    CHECK_STRING(text, "inside");
    CHECK_INT(open_in_root(root, "etc/up", O_RDONLY, 0), -ENOENT);
    CHECK_INT(open_in_root(root, "../../outside", O_RDONLY, 0), -ENOENT);
    _cleanup_close_ int made = open_in_root(root, "../new", O_WRONLY | O_CREAT, 0600);
    CHECK(made >= 0);
    CHECK(path_exists("root/new") && !path_exists("new"));
}

static void full_transfers_survive_short_ones(void)
{
    int p[2];
    CHECK_INT(pipe(p), 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 100; i++) {
            usleep(1000);
            if (write(p[1], "0123456789", 10) != 10)
                _exit(1);
        }
        _exit(0);
    }
    close(p[1]);
    char data[2000];
    CHECK_INT(read_full(p[0], data, sizeof(data)), 1000);
    close(p[0]);
    waitpid(pid, NULL, 0);
    CHECK_INT(write_full(-1, "x", 1), -EBADF);
    CHECK_INT(read_full(-1, data, 1), -EBADF);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(writes_atomically_and_reads_back),
        TEST(failed_writes_leave_nothing_aside),
        TEST(reading_names_the_path_and_keeps_the_limit),
        TEST(reads_files_larger_than_one_step),
        TEST(small_files_are_read_as_a_line),
        TEST(writing_existing_never_creates),
        TEST(makes_parents),
        TEST(removes_trees_without_following_links),
        TEST(removing_stops_at_mounts),
        TEST(joins_paths_with_one_slash),
        TEST(a_root_cannot_be_left),
        TEST(full_transfers_survive_short_ones),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
