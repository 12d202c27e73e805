#include "format/frames.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/io.h"
#include "format/compress.h"
#include "tars.h"

#define SIZE (3u << 20)

static char *pattern(void)
{
    char *data = xmalloc(SIZE);
    uint32_t x = 1;
    for (size_t i = 0; i < SIZE; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (char)(i / 4096 % 3 ? x >> 24 : i / 4096);
    }
    return data;
}

/* The pattern as the zstd program compresses it. */
static int by_zstd(const char *options, const char *data)
{
    char command[128];
    int in = memfd_create("in", 0), out = memfd_create("out", 0);
    CHECK_INT(write_full(in, data, SIZE), 0);
    lseek(in, 0, SEEK_SET);
    snprintf(command, sizeof(command), "zstd -q %s <&%d >&%d", options, in, out);
    CHECK_INT(system(command), 0);
    close(in);
    return out;
}

static int by_us(const char *data)
{
    struct error err = {0};
    int fd = memfd_create("z", 0);
    _cleanup_(compressor_freep) struct compressor *c = NULL;
    CHECK_INT(compressor_open(COMPRESS_ZSTD, 0, write_to_fd, &fd, &c, &err), 0);
    CHECK_INT(compressor_write(c, data, SIZE, &err), 0);
    CHECK_INT(compressor_end(c, &err), 0);
    return fd;
}

static ssize_t read_slowly(void *context, void *data, size_t size)
{
    ssize_t n = read(*(int *)context, data, size < 70001 ? size : 70001);
    return n < 0 ? -errno : n;
}

/* Returns how frames_next ended; `done` bytes came before. */
static int expand(int fd, const char *data, size_t *done)
{
    struct error err = {0};
    _cleanup_(frames_freep) struct frames *f = NULL;
    lseek(fd, 0, SEEK_SET);
    CHECK_INT(frames_open(read_slowly, &fd, &f, &err), 0);
    const void *block;
    size_t size;
    int n;
    for (*done = 0; (n = frames_next(f, &block, &size)) > 0; *done += size)
        CHECK(size <= SIZE - *done && memcmp(block, data + *done, size) == 0);
    return n;
}

static void check_whole(int fd, const char *data)
{
    size_t done;
    CHECK_INT(expand(fd, data, &done), 0);
    CHECK_INT(done, SIZE);
    close(fd);
}

static void every_shape(void)
{
    _cleanup_free_ char *data = pattern();
    check_whole(by_us(data), data);
    check_whole(by_zstd("-1 --no-check", data), data); /* one large frame */
    check_whole(by_zstd("-3 --no-content-size --stream-size=3145728", data), data);
}

static void frames_of_both_kinds(void)
{
    static const char skippable[] = "\x50\x2a\x4d\x18\x04\0\0\0skip";
    _cleanup_free_ char *data = pattern(), *twice = xmalloc(2 * SIZE);
    memcpy(twice, data, SIZE);
    memcpy(twice + SIZE, data, SIZE);
    _cleanup_close_ int fd = by_us(data), large = by_zstd("-1", data);
    CHECK_INT(write_full(fd, skippable, sizeof(skippable) - 1), 0);
    char copy[65536];
    lseek(large, 0, SEEK_SET);
    for (ssize_t n; (n = read(large, copy, sizeof(copy))) > 0;)
        CHECK_INT(write_full(fd, copy, (size_t)n), 0);
    _cleanup_(frames_freep) struct frames *f = NULL;
    const void *block;
    size_t size, done = 0;
    lseek(fd, 0, SEEK_SET);
    CHECK_INT(frames_open(read_slowly, &fd, &f, NULL), 0);
    for (; frames_next(f, &block, &size) > 0; done += size)
        CHECK(size <= 2 * SIZE - done && memcmp(block, twice + done, size) == 0);
    CHECK_INT(done, 2 * SIZE);
}

static void cut_off(void)
{
    _cleanup_free_ char *data = pattern();
    size_t done;
    for (int i = 0; i < 2; i++) {
        _cleanup_close_ int fd = i ? by_us(data) : by_zstd("-1", data);
        CHECK_INT(ftruncate(fd, lseek(fd, 0, SEEK_END) - 7), 0);
        CHECK_INT(expand(fd, data, &done), -ENODATA);
        CHECK(done < SIZE);
    }
}

static void damaged(void)
{
    _cleanup_free_ char *data = pattern();
    size_t done;
    _cleanup_close_ int fd = by_us(data);
    CHECK_INT(pwrite_full(fd, "damage", 6, 500000), 0);
    CHECK_INT(expand(fd, data, &done), -EBADMSG);
    CHECK(done < SIZE);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(every_shape),
        TEST(frames_of_both_kinds),
        TEST(cut_off),
        TEST(damaged),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
