#include "format/tar.h"

#include <errno.h>
#include <sys/sysmacros.h>

#include "format/compress.h"
#include "tars.h"

static const struct tar_entry *next(struct tar_reader *r)
{
    const struct tar_entry *e = NULL;
    struct error err = {0};
    CHECK_INT(tar_reader_next(r, &e, &err), 1);
    return e;
}

static struct tar_reader *reader(int fd)
{
    struct tar_reader *r = NULL;
    struct error err = {0};
    CHECK_INT(tar_reader_open_fd(fd, "x.tar", &r, &err), 0);
    return r;
}

/* One entry goes out and comes back. The reader keeps it. */
static const struct tar_entry *round_trip(const struct tar_entry *e, const char *content,
                                          struct tar_reader **r)
{
    struct maker *m = maker_new();
    maker_entry(m, e, content);
    *r = reader(maker_done(m));
    return next(*r);
}

static void owners_and_times(void)
{
    const int64_t times[] = {0, 1700000000123456789, -1, -1234567891};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        const struct tar_entry e = {.path = (char *)"f",
                                    .mode = S_IFREG | 06751,
                                    .uid = 3000000000u,
                                    .gid = 4000000000u,
                                    .mtime_ns = times[i]};
        _cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
        const struct tar_entry *back = round_trip(&e, NULL, &r);
        CHECK_INT(back->mtime_ns, times[i]);
        CHECK_INT(back->mode, S_IFREG | 06751);
        CHECK_INT(back->uid, 3000000000u);
        CHECK_INT(back->gid, 4000000000u);
    }
}

static void names(void)
{
    char longest[3000];
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    const char *const all[] = {
        "plain", "with space", "\xc3\xa9t\xc3\xa9", "\xff\xfe/\xc3\xa9", "line\nbreak",
        "-rf",   longest};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        const struct tar_entry e = {
            .path = (char *)all[i], .link = (char *)all[i], .mode = S_IFLNK | 0777};
        _cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
        const struct tar_entry *back = round_trip(&e, NULL, &r);
        CHECK_STRING(back->path, all[i]);
        CHECK_STRING(back->link, all[i]);
        CHECK(!back->hard_link);
    }
}

static void types(void)
{
    const mode_t all[] = {S_IFSOCK | 0755, S_IFIFO | 0600, S_IFCHR | 0666, S_IFBLK | 0660};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        const struct tar_entry e = {
            .path = (char *)"t", .mode = all[i], .rdev = makedev(259, 70000)};
        _cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
        const struct tar_entry *back = round_trip(&e, NULL, &r);
        CHECK_INT(back->mode, all[i]);
        CHECK_INT(back->xattr_count, 0);
        if (S_ISCHR(all[i]) || S_ISBLK(all[i]))
            CHECK_INT(back->rdev, makedev(259, 70000));
    }
}

static void xattrs(void)
{
    _cleanup_tar_entry_ struct tar_entry e = {.path = xstrdup("x"), .mode = S_IFREG | 0644};
    tar_entry_add_xattr(&e, "user.binary", "\0\n=\xff", 4);
    tar_entry_add_xattr(&e, "user.empty", "", 0);
    _cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
    const struct tar_entry *back = round_trip(&e, NULL, &r);
    CHECK_INT(back->xattr_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct tar_xattr *x = &back->xattrs[i];
        bool binary = strcmp(x->name, "user.binary") == 0;
        CHECK_INT(x->size, binary ? 4 : 0);
        CHECK(!binary || memcmp(x->value, "\0\n=\xff", 4) == 0);
    }
}

static void sparse(void)
{
    const uint64_t size = 5ull << 30;
    _cleanup_tar_entry_ struct tar_entry e = {
        .path = xstrdup("s"), .mode = S_IFREG | 0644, .size = size, .sparse = true};
    tar_entry_add_extent(&e, 1 << 20, 4);
    struct error err = {0};
    struct maker *m = maker_new();
    maker_entry(m, &e, NULL);
    CHECK_INT(tar_writer_data(m->w, NULL, 1 << 20, &err), 0);
    CHECK_INT(tar_writer_data(m->w, "data", 4, &err), 0);
    CHECK_INT(tar_writer_data(m->w, NULL, size - (1 << 20) - 4, &err), 0);
    maker_add(m, "after", S_IFREG | 0644, NULL, "z");
    int fd = maker_done(m);
    CHECK(lseek(fd, 0, SEEK_END) < 16384);
    lseek(fd, 0, SEEK_SET);
    _cleanup_(tar_reader_freep) struct tar_reader *r = reader(fd);
    CHECK_INT(next(r)->size, size);
    struct tar_block b;
    CHECK_INT(tar_reader_data(r, &b, &err), 1);
    CHECK_INT(b.offset, 1 << 20);
    CHECK_INT(b.size, 4);
    CHECK_INT(tar_reader_data(r, &b, &err), 0);
    CHECK_STRING(next(r)->path, "after");
}

static void hard_link_repeats(void)
{
    struct maker *m = maker_new();
    maker_add(m, "a", S_IFREG | 0644, NULL, "content");
    maker_add(m, "b", S_IFREG | 0644, "a", NULL);
    _cleanup_(tar_reader_freep) struct tar_reader *r = reader(maker_done(m));
    next(r);
    const struct tar_entry *e = next(r);
    CHECK(e->hard_link);
    CHECK_STRING(e->link, "a");
    CHECK_INT(tar_reader_next(r, &e, NULL), 0);
    CHECK(tar_reader_complete(r));
}

static void size_is_kept(void)
{
    struct error err = {0};
    struct maker *m = maker_new();
    const struct tar_entry e = {.path = (char *)"f", .mode = S_IFREG | 0644, .size = 4};
    maker_entry(m, &e, "ab"); /* the rest becomes zeros */
    maker_entry(m, &e, "abcd");
    CHECK_INT(tar_writer_data(m->w, "e", 1, &err), -EFBIG);
    CHECK_STRING(err.text, "f is larger than announced");
    _cleanup_(tar_reader_freep) struct tar_reader *r = reader(maker_done(m));
    struct tar_block b;
    next(r);
    CHECK_INT(tar_reader_data(r, &b, &err), 1);
    CHECK_INT(b.size, 4);
    CHECK(memcmp(b.data, "ab\0\0", 4) == 0);
}

static int count_until_end(int fd, struct error *err)
{
    _cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
    const struct tar_entry *e;
    int count = 0, n = tar_reader_open_fd(fd, "x.tar", &r, err);
    while (n >= 0 && (n = tar_reader_next(r, &e, err)) > 0)
        count++;
    if (n == 0 && !tar_reader_complete(r))
        return -EBADMSG;
    return n < 0 ? n : count;
}

static void truncated(void)
{
    char big[4000] = "";
    memset(big, 'b', sizeof(big) - 1);
    struct maker *m = maker_new();
    maker_add(m, "first", S_IFREG | 0644, NULL, big);
    maker_add(m, "second", S_IFREG | 0644, NULL, big);
    _cleanup_close_ int fd = maker_done(m);
    off_t end = lseek(fd, 0, SEEK_END);
    for (off_t size = 1; size < end - 1024; size += 97) {
        _cleanup_close_ int cut = cut_at(fd, size);
        CHECK(count_until_end(cut, NULL) < 0);
    }
    struct error err = {0};
    CHECK_INT(count_until_end(cut_at(fd, 4500), &err), -EBADMSG);
    CHECK_STRING(err.text, "x.tar ends in the middle of first: the file is truncated");
}

static void no_tar_at_all(void)
{
    struct error err = {0};
    _cleanup_close_ int fd = memfd_create("x", 0);
    CHECK_INT(count_until_end(fd, &err), -EINVAL);
    CHECK_INT(write_full(fd, "hello, this is no tar\n", 22), 0);
    lseek(fd, 0, SEEK_SET);
    CHECK_INT(count_until_end(fd, &err), -EINVAL);
    CHECK_STRING(err.text, "x.tar is not a tar archive");
}

static void several_frames(void)
{
    _cleanup_free_ char *big = xmalloc(3 << 20);
    for (size_t i = 0; i < 3 << 20; i++)
        big[i] = (char)('a' + (i * i >> 7) % 26);
    big[(3 << 20) - 1] = '\0';
    struct maker *m = maker_new();
    maker_add(m, "big", S_IFREG | 0644, NULL, big);
    maker_add(m, "last", S_IFREG | 0644, NULL, NULL);
    _cleanup_close_ int fd = maker_done(m);
    off_t end = lseek(fd, 0, SEEK_END);
    _cleanup_free_ char *tar = xmalloc((size_t)end);
    CHECK_INT(pread(fd, tar, (size_t)end, 0), end);
    for (enum compression c = COMPRESS_NONE; c <= COMPRESS_ZSTD; c++) {
        struct error err = {0};
        _cleanup_close_ int out = memfd_create("out", 0);
        _cleanup_(compressor_freep) struct compressor *z = NULL;
        CHECK_INT(compressor_open(c, 0, write_to_fd, &out, &z, &err), 0);
        CHECK_INT(compressor_write(z, tar, (size_t)end, &err), 0);
        CHECK_INT(compressor_end(z, &err), 0);
        lseek(out, 0, SEEK_SET);
        CHECK_INT(count_until_end(out, &err), 2);
    }
}

static int full(void *context, const void *data, size_t size)
{
    return -ENOSPC;
}

static void write_errors_come_through(void)
{
    struct error err = {0};
    _cleanup_(tar_writer_freep) struct tar_writer *w = NULL;
    const struct tar_entry e = {.path = (char *)"f", .mode = S_IFREG | 0644};
    int r = tar_writer_open(full, NULL, &w, &err);
    if (r == 0)
        r = tar_writer_add(w, &e, &err);
    CHECK_INT(r, -ENOSPC);
    CHECK_CONTAINS(err.text, "no space left on device");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(owners_and_times),
        TEST(names),
        TEST(types),
        TEST(xattrs),
        TEST(sparse),
        TEST(hard_link_repeats),
        TEST(size_is_kept),
        TEST(truncated),
        TEST(no_tar_at_all),
        TEST(several_frames),
        TEST(write_errors_come_through),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
