#include "format/archive.h"

#include <errno.h>
#include <sys/resource.h>

#include "format/image.h"
#include "format/unpack.h"
#include "tars.h"

static const char config[] = "{\"id\": \"abc\"}";

static void add_images(struct archive_writer *a)
{
    _cleanup_sink_ struct sink *s = sink_prefix(archive_sink(a), "checkpoint/");
    InventoryEntry inventory = INVENTORY_ENTRY__INIT;
    inventory.img_version = 2;
    CHECK_INT(image_put(s, IMAGE_INVENTORY, 0, &inventory, NULL), 0);
    _cleanup_free_ char *pages = xcalloc(3, 1 << 20);
    for (size_t i = 0; i < 3 << 20; i += 5)
        pages[i] = (char)(i >> 3);
    CHECK_INT(sink_begin(s, "pages-1.img", 3 << 20, 0600, NULL), 0);
    CHECK_INT(sink_write(s, pages, 3 << 20, NULL), 0);
    CHECK_INT(sink_end(s, NULL), 0);
}

static void add_tree(struct archive_writer *a)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    write_file(dir, "file", "in the tree", 11);
    const struct pack_options o = {.flags = PACK_ROOT};
    _cleanup_(pack_freep) struct pack *p = NULL;
    CHECK_INT(pack_scan(dir, &o, &p, NULL), 0);
    CHECK_INT(archive_add_tree(a, "rootfs-diff.tar", 0600, p, NULL), 0);
}

static int write_archive(const char *path, enum compression c, struct error *err)
{
    _cleanup_(archive_writer_freep) struct archive_writer *a = NULL;
    int r = archive_writer_open(path, c, 0600, &a, err);
    if (r < 0)
        return r;
    CHECK_INT(archive_add_bytes(a, "config.dump", 0600, config, strlen(config), NULL), 0);
    CHECK_INT(archive_add_bytes(a, "spec.dump", 0600, "{}", 2, NULL), 0);
    CHECK_INT(archive_add_directory(a, "checkpoint", 0700, NULL), 0);
    add_images(a);
    add_tree(a);
    CHECK_INT(archive_add_bytes(a, "unknown", 0600, "x", 1, NULL), 0);
    return archive_writer_commit(a, err);
}

static int extract_path(const char *path, int dirfd, struct error *err)
{
    _cleanup_(archive_reader_freep) struct archive_reader *r = NULL;
    int n = archive_reader_open(path, NULL, &r, err);
    return n < 0 ? n : archive_reader_extract(r, dirfd, err);
}

static void check_extracted(const char *path)
{
    _cleanup_test_directory_ char *to = test_directory();
    _cleanup_close_ int dir = open_directory(to);
    struct error err = {0};
    if (extract_path(path, dir, &err) < 0)
        test_failed(__FILE__, __LINE__, "%s", err.text);
    _cleanup_free_ char *text = content_of(dir, "config.dump");
    CHECK_STRING(text, config);
    CHECK_INT(stat_of(dir, "checkpoint/pages-1.img").st_size, 3 << 20);
    CHECK_INT(stat_of(dir, "checkpoint").st_mode, S_IFDIR | 0700);
    CHECK_INT(faccessat(dir, "unknown", F_OK, 0), -1);
    _cleanup_message_ InventoryEntry *inventory = NULL;
    _cleanup_close_ int images = openat(dir, "checkpoint", O_RDONLY | O_DIRECTORY);
    CHECK_INT(image_get(images, IMAGE_INVENTORY, 0, (void **)&inventory, &err), 0);
    CHECK_INT(inventory->img_version, 2);
    _cleanup_test_directory_ char *root = test_directory();
    _cleanup_close_ int rootfd = open_directory(root);
    _cleanup_close_ int tar = openat(dir, "rootfs-diff.tar", O_RDONLY);
    const struct unpack_options o = {.flags = UNPACK_NO_OWNER};
    CHECK_INT(unpack_fd(tar, "diff", rootfd, &o, NULL, &err), 0);
    _cleanup_free_ char *file = content_of(rootfd, "file");
    CHECK_STRING(file, "in the tree");
}

static void comes_back(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_free_ char *path = path_join(top, "c.tar");
    for (enum compression c = COMPRESS_NONE; c <= COMPRESS_ZSTD; c++) {
        struct error err = {0};
        CHECK_INT(write_archive(path, c, &err), 0);
        check_extracted(path);
        struct stat st;
        CHECK_INT(stat(path, &st), 0);
        CHECK_INT(st.st_mode & 07777, 0600);
    }
}

static int entries_in(const char *path)
{
    int count = 0;
    _cleanup_closedir_ DIR *d = opendir(path);
    while (d && readdir(d))
        count++;
    return count - 2;
}

static void appears_when_complete(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_free_ char *path = path_join(top, "c.tar");
    {
        _cleanup_(archive_writer_freep) struct archive_writer *a = NULL;
        CHECK_INT(archive_writer_open(path, COMPRESS_ZSTD, 0600, &a, NULL), 0);
        CHECK_INT(archive_add_bytes(a, "config.dump", 0600, "x", 1, NULL), 0);
        CHECK(!path_exists(path));
        CHECK_INT(entries_in(top), 1);
    }
    CHECK_INT(entries_in(top), 0);
}

static void links_are_written_through(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_free_ char *path = path_join(top, "link"), *target = path_join(top, "target");
    _cleanup_close_ int dir = open_directory(top);
    write_file(dir, "target", "old", 3);
    CHECK_INT(symlink("target", path), 0);
    CHECK_INT(write_archive(path, COMPRESS_NONE, NULL), 0);
    CHECK(S_ISLNK(stat_of(dir, "link").st_mode));
    check_extracted(target);
}

static void full_disk(void)
{
    struct error err = {0};
    _cleanup_(archive_writer_freep) struct archive_writer *a = NULL;
    CHECK_INT(archive_writer_open("/dev/full", COMPRESS_NONE, 0600, &a, &err), 0);
    CHECK_INT(archive_add_bytes(a, "config.dump", 0600, "x", 1, &err), -ENOSPC);
    CHECK_STRING(err.text, "cannot write /dev/full: no space left on device");
    CHECK(path_exists("/dev/full"));
}

static void full_disk_while_compressing(void)
{
    struct error err = {0};
    _cleanup_(archive_writer_freep) struct archive_writer *a = NULL;
    CHECK_INT(archive_writer_open("/dev/full", COMPRESS_ZSTD, 0600, &a, &err), 0);
    CHECK_INT(archive_add_bytes(a, "config.dump", 0600, "x", 1, &err), 0);
    CHECK_INT(archive_writer_commit(a, &err), -ENOSPC);
    CHECK_STRING(err.text, "cannot write /dev/full: no space left on device");
}

static void no_such_directory(void)
{
    struct error err = {0};
    struct archive_writer *a = NULL;
    CHECK_INT(archive_writer_open("/nonexistent/c.tar", COMPRESS_ZSTD, 0600, &a, &err), -ENOENT);
    CHECK_STRING(err.text, "cannot create /nonexistent/c.tar: no such file or directory");
}

static void through_a_pipe(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_free_ char *path = path_join(top, "fifo");
    CHECK_INT(mkfifo(path, 0600), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(write_archive(path, COMPRESS_ZSTD, NULL) < 0);
    check_extracted(path);
    int status = 0;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK_INT(entries_in(top), 1);
}

static int extract(int fd, const struct archive_policy *policy, struct error *err)
{
    _cleanup_test_directory_ char *to = test_directory();
    _cleanup_close_ int dir = open_directory(to);
    _cleanup_(archive_reader_freep) struct archive_reader *r = NULL;
    int n = archive_reader_open_fd(fd, "x", policy, &r, err);
    return n < 0 ? n : archive_reader_extract(r, dir, err);
}

static void hostile_entries(void)
{
    static const struct {
        const char *path;
        mode_t mode;
        const char *link, *text;
    } cases[] = {
        {"../../etc/passwd", S_IFREG | 0644, NULL,
         "archive x: entry \"../../etc/passwd\" points "
         "outside; not a checkpoint made by firn or Podman"},
        {"/etc/passwd", S_IFREG | 0644, NULL, "points outside"},
        {"checkpoint/../x", S_IFREG | 0644, NULL, "points outside"},
        {"checkpoint//x", S_IFREG | 0644, NULL, "has an unusual name"},
        {"config.dump", S_IFLNK | 0777, "/etc/passwd", "is a symbolic link"},
        {"checkpoint", S_IFLNK | 0777, "/tmp", "is a symbolic link"},
        {"ctr.log", S_IFREG | 0644, "config.dump", "is a hard link"},
        {"ctr.log", S_IFCHR | 0644, NULL, "is a special file"},
        {"ctr.log", S_IFIFO | 0644, NULL, "is a special file"},
        {"config.dump", S_IFREG | 0644, NULL, "is there twice"},
        {"pre-checkpoint/", S_IFDIR | 0700, NULL, "--pre-checkpoint"},
        {"checkpoint/parent", S_IFLNK | 0777, "../pre-checkpoint", "--with-previous"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        struct maker *m = maker_new();
        maker_add(m, "config.dump", S_IFREG | 0600, NULL, "{}");
        maker_add(m, cases[i].path, cases[i].mode, cases[i].link, NULL);
        _cleanup_close_ int fd = maker_done(m);
        CHECK(extract(fd, NULL, &err) < 0);
        CHECK_CONTAINS(err.text, cases[i].text);
    }
}

/* A tar whose first entry claims to have 2^60 bytes: the size in the way of GNU tar. */
static int huge_entry(void)
{
    struct maker *m = maker_new();
    struct tar_entry e = {.path = (char *)"checkpoint/pages-1.img", .mode = S_IFREG | 0600};
    unsigned char header[512];
    unsigned total = 0;
    maker_entry(m, &e, NULL);
    int fd = maker_done(m);
    CHECK_INT(pread(fd, header, sizeof(header), 0), sizeof(header));
    memset(header + 124, 0, 12);
    header[124] = 0x80;
    header[128] = 0x10;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < sizeof(header); i++)
        total += header[i];
    snprintf((char *)header + 148, 8, "%06o", total);
    CHECK_INT(pwrite(fd, header, sizeof(header), 0), sizeof(header));
    return fd;
}

static void sizes_and_counts(void)
{
    struct error err = {0};
    _cleanup_close_ int huge = huge_entry();
    CHECK_INT(extract(huge, NULL, &err), -ENOSPC);
    CHECK_CONTAINS(err.text, "has 1152921504606846976 bytes, but only ");
    struct maker *m = maker_new();
    maker_add(m, "config.dump", S_IFREG | 0600, NULL, "1234");
    maker_add(m, "spec.dump", S_IFREG | 0600, NULL, "5678");
    _cleanup_close_ int fd = maker_done(m);
    const struct archive_policy few = {.max_entries = 1}, small = {.max_size = 7};
    CHECK_INT(extract(fd, &few, &err), -E2BIG);
    CHECK_CONTAINS(err.text, "archive x has more than 1 entries");
    lseek(fd, 0, SEEK_SET);
    CHECK_INT(extract(fd, &small, &err), -EFBIG);
    CHECK_CONTAINS(err.text, "archive x is larger than the 7 bytes allowed");
}

static void no_checkpoint(void)
{
    struct error err = {0};
    _cleanup_close_ int empty = memfd_create("empty", 0);
    CHECK_INT(extract(empty, NULL, &err), -EINVAL);
    CHECK_STRING(err.text, "x is not a checkpoint archive: the file is empty");
    _cleanup_close_ int text = memfd_create("text", 0);
    CHECK_INT(write_full(text, "hello\n", 6), 0);
    lseek(text, 0, SEEK_SET);
    CHECK_INT(extract(text, NULL, &err), -EINVAL);
    CHECK_STRING(err.text, "x is not a checkpoint archive: it is no tar, nor a compressed one");
    struct maker *m = maker_new();
    maker_add(m, "config.dump", S_IFREG | 0600, NULL, "{}");
    CHECK_INT(extract(maker_done(m), NULL, &err), -EINVAL);
    CHECK_STRING(err.text, "x is not a checkpoint archive: it has no spec.dump");
    CHECK_INT(extract(maker_done(maker_new()), NULL, &err), -EINVAL);
    CHECK_STRING(err.text, "x is not a checkpoint archive: it has no entries");
    CHECK_INT(extract_path("/", -1, &err), -EISDIR);
}

static int open_streamed(const char *last, struct archive_reader **ret, int dir, struct error *err)
{
    static char pages[300000];
    for (size_t i = 0; i < sizeof(pages); i++)
        pages[i] = (char)(i * 2654435761u >> 13);
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_free_ char *path = path_join(top, "c.tar.zst");
    _cleanup_(archive_writer_freep) struct archive_writer *a = NULL;
    CHECK_INT(archive_writer_open(path, COMPRESS_ZSTD, 0600, &a, NULL), 0);
    CHECK_INT(archive_add_bytes(a, ARCHIVE_PAGES_LAST, 0600, "", 0, NULL), 0);
    CHECK_INT(archive_add_bytes(a, "config.dump", 0600, "{}", 2, NULL), 0);
    CHECK_INT(archive_add_bytes(a, "spec.dump", 0600, "{}", 2, NULL), 0);
    CHECK_INT(archive_add_bytes(a, "checkpoint/inventory.img", 0600, "i", 1, NULL), 0);
    CHECK_INT(archive_add_bytes(a, "checkpoint/pages-7.img", 0600, pages, sizeof(pages), NULL), 0);
    CHECK_INT(archive_add_bytes(a, "checkpoint/pages-2.img", 0600, "2", 1, NULL), 0);
    CHECK_INT(archive_add_bytes(a, last, 0600, "s", 1, NULL), 0);
    CHECK_INT(archive_writer_commit(a, NULL), 0);
    CHECK_INT(archive_reader_open(path, NULL, ret, err), 0);
    return archive_reader_extract(*ret, dir, err);
}

static uint64_t read_pages(struct archive_reader *r)
{
    const void *data;
    size_t size;
    uint64_t sum = 0;
    int n;
    while ((n = archive_reader_data(r, &data, &size, NULL)) > 0)
        sum += size;
    CHECK_INT(n, 0);
    return sum;
}

static void pages_are_streamed(void)
{
    _cleanup_test_directory_ char *to = test_directory();
    _cleanup_close_ int dir = open_directory(to);
    _cleanup_(archive_reader_freep) struct archive_reader *r = NULL;
    struct error err = {0};
    uint32_t number;
    uint64_t size;
    CHECK_INT(open_streamed("stats-dump", &r, dir, &err), 0);
    CHECK(archive_reader_has_pages(r));
    CHECK(faccessat(dir, "checkpoint/inventory.img", F_OK, 0) == 0);
    CHECK_INT(archive_reader_pages(r, &number, &size, &err), 1);
    CHECK_INT(number, 7);
    CHECK_INT(size, 300000);
    CHECK_INT(read_pages(r), 300000);
    CHECK_INT(archive_reader_pages(r, &number, &size, &err), 1);
    CHECK_INT(number, 2);
    CHECK_INT(read_pages(r), 1);
    CHECK_INT(archive_reader_pages(r, &number, &size, &err), 0);
    CHECK(faccessat(dir, "checkpoint/pages-7.img", F_OK, 0) < 0);
}

static void nothing_is_after_the_pages(void)
{
    _cleanup_test_directory_ char *to = test_directory();
    _cleanup_close_ int dir = open_directory(to);
    _cleanup_(archive_reader_freep) struct archive_reader *r = NULL;
    struct error err = {0};
    uint32_t number;
    uint64_t size;
    CHECK_INT(open_streamed("rootfs-diff.tar", &r, dir, &err), 0);
    CHECK_INT(archive_reader_pages(r, &number, &size, &err), 1);
    CHECK_INT(archive_reader_pages(r, &number, &size, &err), 1);
    CHECK_INT(archive_reader_pages(r, &number, &size, &err), -EINVAL);
    CHECK_CONTAINS(err.text, "\"rootfs-diff.tar\" comes after the pages");
}

static void truncated(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_free_ char *path = path_join(top, "c.tar");
    for (enum compression c = COMPRESS_NONE; c <= COMPRESS_ZSTD; c++) {
        CHECK_INT(write_archive(path, c, NULL), 0);
        _cleanup_close_ int fd = open(path, O_RDONLY);
        off_t size = lseek(fd, 0, SEEK_END);
        for (int part = 1; part < 16; part++) {
            struct error err = {0};
            _cleanup_close_ int cut = cut_at(fd, size * part / 16);
            CHECK(extract(cut, NULL, &err) < 0);
            CHECK_CONTAINS(err.text, "truncated");
        }
    }
}

int main(void)
{
    static const struct test tests[] = {
        TEST(comes_back),
        TEST(appears_when_complete),
        TEST(links_are_written_through),
        TEST(full_disk),
        TEST(full_disk_while_compressing),
        TEST(no_such_directory),
        TEST(through_a_pipe),
        TEST(hostile_entries),
        TEST(sizes_and_counts),
        TEST(no_checkpoint),
        TEST(pages_are_streamed),
        TEST(nothing_is_after_the_pages),
        TEST(truncated),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
