#include "format/pack.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "format/unpack.h"
#include "tars.h"

/* Everything but devices, so that it can be made without root. */
static void make_tree(const char *top)
{
    _cleanup_close_ int dir = open_directory(top);
    CHECK_INT(mkdirat(dir, "sub", 0750), 0);
    write_file(dir, "sub/file", "content", 7);
    CHECK_INT(linkat(dir, "sub/file", dir, "again", 0), 0);
    CHECK_INT(symlinkat("/nowhere", dir, "link"), 0);
    CHECK_INT(mkfifoat(dir, "fifo", 0600), 0);
    write_file(dir, "\xff", "x", 1);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", top);
    _cleanup_close_ int s = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_INT(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    _cleanup_close_ int fd = openat(dir, "sparse", O_RDWR | O_CREAT, 0644);
    CHECK_INT(ftruncate(fd, 100 << 20), 0);
    CHECK_INT(pwrite(fd, "middle", 6, 50 << 20), 6);
    const struct timespec t[2] = {{.tv_sec = 1}, {.tv_sec = 2, .tv_nsec = 3}};
    CHECK_INT(utimensat(dir, "sub", t, 0), 0);
    CHECK_INT(fsetxattr(fd, "user.a", "\0b", 2, 0), 0);
}

static struct pack *scan(int dir, const struct pack_options *o)
{
    struct error err = {0};
    struct pack *p = NULL;
    if (pack_scan(dir, o, &p, &err) < 0)
        test_failed(__FILE__, __LINE__, "%s", err.text);
    return p;
}

static int packed(const struct pack *p)
{
    struct error err = {0};
    int fd = memfd_create("packed", 0);
    if (pack_write(p, write_to_fd, &fd, &err) < 0)
        test_failed(__FILE__, __LINE__, "%s", err.text);
    CHECK_INT(lseek(fd, 0, SEEK_CUR), (intmax_t)pack_size(p));
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static void comes_back_as_it_was(void)
{
    _cleanup_test_directory_ char *from = test_directory(), *to = test_directory();
    make_tree(from);
    const struct pack_options o = {.flags = PACK_ROOT};
    const struct unpack_options uo = {0};
    struct error err = {0};
    _cleanup_close_ int in = open_directory(from), out = open_directory(to);
    _cleanup_(pack_freep) struct pack *p = scan(in, &o);
    CHECK_INT(unpack_fd(packed(p), "x", out, &uo, NULL, &err), 0);
    static const char *const names[] = {".",    "sub",  "sub/file", "again", "link",
                                        "fifo", "sock", "sparse",   "\xff"};
    CHECK_INT(pack_entries(p), ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct stat a = stat_of(in, names[i]), b = stat_of(out, names[i]);
        CHECK_INT(b.st_mode, a.st_mode);
        CHECK_INT(b.st_nlink, a.st_nlink);
        CHECK_INT(b.st_mtim.tv_sec, a.st_mtim.tv_sec);
        CHECK_INT(b.st_mtim.tv_nsec, a.st_mtim.tv_nsec);
        if (!S_ISDIR(a.st_mode))
            CHECK_INT(b.st_size, a.st_size);
    }
    CHECK(stat_of(out, "sparse").st_blocks < 100);
    _cleanup_close_ int sparse = openat(out, "sparse", O_RDONLY);
    char text[8] = "";
    CHECK_INT(pread(sparse, text, 6, 50 << 20), 6);
    CHECK_STRING(text, "middle");
    CHECK_INT(fgetxattr(sparse, "user.a", text, 8), 2);
}

static void is_the_same_each_time(void)
{
    _cleanup_test_directory_ char *from = test_directory();
    make_tree(from);
    const struct pack_options o = {.flags = PACK_ROOT};
    _cleanup_close_ int in = open_directory(from);
    _cleanup_(pack_freep) struct pack *p = scan(in, &o), *q = scan(in, &o);
    size_t size = pack_size(p);
    CHECK_INT(pack_size(q), size);
    _cleanup_free_ char *a = xmalloc(size), *b = xmalloc(size);
    CHECK_INT(read_full(packed(p), a, size), size);
    CHECK_INT(read_full(packed(q), b, size), size);
    CHECK(memcmp(a, b, size) == 0);
}

/* The size was promised: it holds whatever becomes of the file meanwhile. */
static void files_that_change(void)
{
    _cleanup_test_directory_ char *from = test_directory();
    _cleanup_close_ int in = open_directory(from);
    write_file(in, "grows", "1234", 4);
    write_file(in, "shrinks", "12345678", 8);
    const struct pack_options o = {0};
    const struct unpack_options uo = {0};
    _cleanup_(pack_freep) struct pack *p = scan(in, &o);
    write_file(in, "grows", "12345678", 8);
    write_file(in, "shrinks", "12", 2);
    _cleanup_test_directory_ char *to = test_directory();
    _cleanup_close_ int out = open_directory(to);
    CHECK_INT(unpack_fd(packed(p), "x", out, &uo, NULL, NULL), 0);
    _cleanup_free_ char *grown = content_of(out, "grows"), *shrunk = content_of(out, "shrinks");
    CHECK_STRING(grown, "1234");
    CHECK_STRING(shrunk, "12");
    CHECK_INT(stat_of(out, "shrinks").st_size, 8);
}

static void replaced_file_is_an_error(void)
{
    _cleanup_test_directory_ char *from = test_directory();
    _cleanup_close_ int in = open_directory(from);
    write_file(in, "a", "1234", 4);
    write_file(in, "b", "1234", 4);
    const struct pack_options o = {0};
    _cleanup_(pack_freep) struct pack *p = scan(in, &o);
    CHECK_INT(renameat(in, "b", in, "a"), 0);
    struct error err = {0};
    _cleanup_close_ int fd = memfd_create("x", 0);
    CHECK_INT(pack_write(p, write_to_fd, &fd, &err), -ESTALE);
    CHECK_STRING(err.text, "a was replaced while it was being packed");
}

static enum pack_verdict filter(void *context, const char *path, const struct stat *st,
                                struct tar_entry *e)
{
    if (strcmp(path, "skipped") == 0)
        return PACK_SKIP;
    if (strcmp(path, "between") == 0)
        return PACK_ONLY_BELOW;
    if (strcmp(path, "old") == 0) {
        free(e->path);
        e->path = xstrdup("new");
    }
    return PACK_TAKE;
}

static void filtered(void)
{
    _cleanup_test_directory_ char *from = test_directory();
    _cleanup_close_ int in = open_directory(from);
    CHECK_INT(mkdirat(in, "skipped", 0700), 0);
    write_file(in, "skipped/file", "", 0);
    CHECK_INT(mkdirat(in, "between", 0700), 0);
    write_file(in, "between/file", "", 0);
    write_file(in, "old", "", 0);
    const struct pack_options o = {.filter = filter};
    _cleanup_(pack_freep) struct pack *p = scan(in, &o);
    _cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
    CHECK_INT(tar_reader_open_fd(packed(p), "x", &r, NULL), 0);
    const struct tar_entry *e;
    CHECK_INT(tar_reader_next(r, &e, NULL), 1);
    CHECK_STRING(e->path, "between/file");
    CHECK_INT(tar_reader_next(r, &e, NULL), 1);
    CHECK_STRING(e->path, "new");
    CHECK_INT(tar_reader_next(r, &e, NULL), 0);
}

static void whiteouts_become_names(void)
{
    if (geteuid() != 0)
        SKIP("not root");
    _cleanup_test_directory_ char *from = test_directory();
    _cleanup_close_ int in = open_directory(from);
    CHECK_INT(mknodat(in, "gone", S_IFCHR, 0), 0);
    CHECK_INT(mkdirat(in, "opaque", 0755), 0);
    _cleanup_free_ char *path = path_join(from, "opaque");
    CHECK_INT(setxattr(path, "user.overlay.opaque", "y", 1, 0), 0);
    const struct pack_options o = {.flags = PACK_WHITEOUTS};
    _cleanup_(pack_freep) struct pack *p = scan(in, &o);
    _cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
    CHECK_INT(tar_reader_open_fd(packed(p), "x", &r, NULL), 0);
    static const char *const names[] = {".wh.gone", "opaque/", "opaque/.wh..wh..opq"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct tar_entry *e;
        CHECK_INT(tar_reader_next(r, &e, NULL), 1);
        CHECK_STRING(e->path, names[i]);
        CHECK_INT(e->xattr_count, 0);
    }
}

int main(void)
{
    static const struct test tests[] = {
        TEST(comes_back_as_it_was),
        TEST(is_the_same_each_time),
        TEST(files_that_change),
        TEST(replaced_file_is_an_error),
        TEST(filtered),
        TEST(whiteouts_become_names),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
