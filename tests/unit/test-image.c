#include "format/image.h"

#include <errno.h>

#include "tars.h"

static void names(void)
{
    char name[IMAGE_NAME_MAX];
    CHECK_STRING(image_name(IMAGE_INVENTORY, 7, name), "inventory.img");
    CHECK_STRING(image_name(IMAGE_CORE, 7, name), "core-7.img");
    CHECK_STRING(image_name(IMAGE_GHOST_FILE, 0xab, name), "ghost-file-ab.img");
    CHECK_STRING(image_name(IMAGE_PAGEMAP_SHMEM, 1ull << 40, name),
                 "pagemap-shmem-1099511627776.img");
    CHECK_STRING(image_name(IMAGE_TMPFS_DEV, 3, name), "tmpfs-dev-3.tar.gz.img");
    CHECK_STRING(image_name(IMAGE_STATS_DUMP, 0, name), "stats-dump");
    for (int k = 0; k < IMAGE_KIND_COUNT; k++)
        CHECK(*image_name((enum image_kind)k, 0, name));
}

/* What the bytes of a file are is a promise to other programs. */
static void bytes(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    _cleanup_sink_ struct sink *s = sink_directory(dir);
    InventoryEntry inventory = INVENTORY_ENTRY__INIT;
    inventory.img_version = 2;
    FsEntry fs = FS_ENTRY__INIT;
    fs.cwd_id = 1;
    fs.root_id = 2;
    StatsEntry stats = STATS_ENTRY__INIT;
    CHECK_INT(image_put(s, IMAGE_INVENTORY, 0, &inventory, NULL), 0);
    CHECK_INT(image_put(s, IMAGE_FS, 5, &fs, NULL), 0);
    CHECK_INT(image_put(s, IMAGE_STATS_DUMP, 0, &stats, NULL), 0);
    static const struct {
        const char *name;
        size_t size;
        const char *bytes;
    } files[] = {
        {"inventory.img", 10, "\x16\x31\x31\x58\2\0\0\0\x08\2"},
        {"fs-5.img", 16, "\x19\x43\x56\x54\x12\x39\x40\x51\4\0\0\0\x08\1\x10\2"},
        {"stats-dump", 12, "\x40\x59\x10\x55\x06\x33\x09\x57\0\0\0\0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        _cleanup_buf_ struct buf b = {0};
        CHECK_INT(file_read_at(dir, files[i].name, 0, &b, NULL), 0);
        CHECK_INT(b.size, files[i].size);
        CHECK(memcmp(b.data, files[i].bytes, b.size) == 0);
    }
}

static void put_pipes(struct sink *s)
{
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_PIPES_DATA, 0);
    PipeDataEntry e = PIPE_DATA_ENTRY__INIT;
    e.pipe_id = 7;
    e.bytes = 5;
    image_writer_add(w, &e);
    image_writer_raw(w, "hello", 5);
    e.pipe_id = 8;
    e.bytes = 0;
    image_writer_add(w, &e);
    CHECK_INT(image_writer_put(w, s, NULL), 0);
}

static int read_pipes(int dir, struct error *err)
{
    _cleanup_(image_reader_freep) struct image_reader *r = NULL;
    int count = 0, n = image_open(dir, IMAGE_PIPES_DATA, 0, &r, err);
    while (n >= 0) {
        _cleanup_message_ PipeDataEntry *e = NULL;
        char data[16] = "";
        n = image_next(r, (void **)&e, err);
        if (n <= 0)
            break;
        if (e->bytes > sizeof(data))
            return image_error(r, err, "too much");
        n = image_raw(r, data, e->bytes, err);
        count++;
        if (n == 0 && e->bytes == 5)
            CHECK_STRING(data, "hello");
    }
    return n < 0 ? n : count;
}

static void raw_bytes(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    _cleanup_sink_ struct sink *s = sink_directory(dir);
    put_pipes(s);
    CHECK_INT(read_pipes(dir, NULL), 2);
}

static void payload_after(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    _cleanup_sink_ struct sink *s = sink_directory(dir);
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_GHOST_FILE, 1);
    GhostFileEntry e = GHOST_FILE_ENTRY__INIT;
    image_writer_add(w, &e);
    CHECK_INT(image_writer_begin(w, s, 4, NULL), 0);
    CHECK_INT(sink_write(s, "data", 4, NULL), 0);
    CHECK_INT(sink_end(s, NULL), 0);
    _cleanup_(image_reader_freep) struct image_reader *r = NULL;
    _cleanup_message_ void *back = NULL;
    CHECK_INT(image_open(dir, IMAGE_GHOST_FILE, 1, &r, NULL), 0);
    CHECK_INT(image_next(r, &back, NULL), 1);
    CHECK_INT(image_left(r), 4);
    CHECK_INT(image_raw_skip(r, 3, NULL), 0);
    char last = 0;
    CHECK_INT(image_raw(r, &last, 1, NULL), 0);
    CHECK_INT(last, 'a');
    CHECK_INT(image_raw_skip(r, 1, NULL), -EINVAL);
}

static void raw_files(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    write_file(dir, "pages-3.img", "1234", 4);
    uint64_t size = 0;
    _cleanup_close_ int fd = image_open_raw(dir, IMAGE_PAGES, 3, &size, NULL);
    CHECK(fd >= 0);
    CHECK_INT(size, 4);
    CHECK_INT(mkdirat(dir, "pages-4.img", 0700), 0);
    CHECK_INT(image_open_raw(dir, IMAGE_PAGES, 4, &size, NULL), -EINVAL);
    CHECK_INT(image_open_raw(dir, IMAGE_PAGES, 5, &size, NULL), -ENOENT);
}

static void all_messages(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    _cleanup_sink_ struct sink *s = sink_directory(dir);
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_PSTREE, 0);
    for (uint32_t i = 1; i <= 100; i++) {
        PstreeEntry e = PSTREE_ENTRY__INIT;
        e.pid = i;
        image_writer_add(w, &e);
    }
    CHECK_INT(image_writer_put(w, s, NULL), 0);
    _cleanup_(image_freep) struct image *all = NULL, *none = NULL;
    CHECK_INT(image_load(dir, IMAGE_PSTREE, 0, &all, NULL), 0);
    CHECK_INT(all->count, 100);
    CHECK_INT(((PstreeEntry *)all->messages[99])->pid, 100);
    CHECK_INT(image_load_if(dir, IMAGE_MEMFD, 0, &none, NULL), 0);
    CHECK_INT(none->count, 0);
    struct error err = {0};
    CHECK_INT(image_load(dir, IMAGE_CORE, 3, &none, &err), -ENOENT);
    CHECK_STRING(err.text, "the checkpoint has no file core-3.img");
    void *one = NULL;
    CHECK_INT(image_get(dir, IMAGE_PSTREE, 0, &one, &err), -EINVAL);
    CHECK_CONTAINS(err.text, "pstree.img: it has more than the one entry");
}

static void truncated_anywhere(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    _cleanup_sink_ struct sink *s = sink_directory(dir);
    put_pipes(s);
    off_t size = stat_of(dir, "pipes-data.img").st_size;
    int complete = 0;
    for (off_t cut = size - 1; cut >= 0; cut--) {
        struct error err = {0};
        _cleanup_close_ int fd = openat(dir, "pipes-data.img", O_WRONLY);
        CHECK_INT(ftruncate(fd, cut), 0);
        int n = read_pipes(dir, &err);
        complete += n >= 0; /* just after the magic and between the two entries */
        if (n < 0)
            CHECK_CONTAINS(err.text, "pipes-data.img");
    }
    CHECK_INT(complete, 2);
}

static void lies(void)
{
    static const struct {
        size_t size;
        const char *bytes, *text;
    } files[] = {
        {0, "", "it ends too early, the file is truncated"},
        {4, "\x19\x43\x56\x54", "it ends too early, the file is truncated"},
        {8, "\x19\x43\x56\x54\x12\x39\x40\x52", "it begins with 0x52403912 instead of 0x51403912"},
        {8, "abcdefgh", "it begins with 0x64636261 instead of 0x54564319"},
        {12, "\x19\x43\x56\x54\x12\x39\x40\x51\xff\xff\xff\xff", "4294967295 bytes"},
        {12, "\x19\x43\x56\x54\x12\x39\x40\x51\1\0\0\0", "the file is truncated"},
        {14, "\x19\x43\x56\x54\x12\x39\x40\x51\2\0\0\0\xff\xff", "not a valid fs_entry"},
        {14, "\x19\x43\x56\x54\x12\x39\x40\x51\2\0\0\0\x08\1", "not a valid fs_entry"},
        {8, "\x19\x43\x56\x54\x12\x39\x40\x51", "it is empty"},
    };
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct error err = {0};
        void *message = NULL;
        write_file(dir, "fs-1.img", files[i].bytes, files[i].size);
        CHECK_INT(image_get(dir, IMAGE_FS, 1, &message, &err), -EINVAL);
        CHECK_CONTAINS(err.text, "checkpoint file fs-1.img: ");
        CHECK_CONTAINS(err.text, files[i].text);
    }
    CHECK_INT(unlinkat(dir, "fs-1.img", 0), 0);
    CHECK_INT(symlinkat("/etc/passwd", dir, "fs-1.img"), 0);
    void *message = NULL;
    CHECK_INT(image_get(dir, IMAGE_FS, 1, &message, NULL), -ELOOP);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(names),     TEST(bytes),        TEST(raw_bytes),          TEST(payload_after),
        TEST(raw_files), TEST(all_messages), TEST(truncated_anywhere), TEST(lies),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
