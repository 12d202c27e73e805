#include "format/compress.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "format/decompress.h"
#include "tars.h"

static void names(void)
{
    enum compression c = COMPRESS_NONE;
    CHECK_INT(compression_parse("zstd", &c), 0);
    CHECK_INT(c, COMPRESS_ZSTD);
    CHECK_INT(compression_parse("GZip", &c), 0);
    CHECK_INT(c, COMPRESS_GZIP);
    CHECK_INT(compression_parse("lz4", &c), -EINVAL);
    CHECK_INT(c, COMPRESS_GZIP);
    CHECK_STRING(compression_name(COMPRESS_NONE), "none");
}

static char *pattern(size_t size)
{
    char *data = xmalloc(size + 1);
    uint32_t x = 1;
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (char)(i / 4096 % 3 ? x >> 24 : i / 4096);
    }
    return data;
}

static int compressed(enum compression kind, const char *data, size_t size, size_t step)
{
    struct error err = {0};
    int fd = memfd_create("z", 0);
    _cleanup_(compressor_freep) struct compressor *c = NULL;
    CHECK_INT(compressor_open(kind, 0, write_to_fd, &fd, &c, &err), 0);
    for (size_t i = 0; i < size; i += step)
        CHECK_INT(compressor_write(c, data + i, size - i < step ? size - i : step, &err), 0);
    CHECK_INT(compressor_end(c, &err), 0);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static void check_content(int fd, const char *data, size_t size)
{
    struct error err = {0};
    _cleanup_free_ char *back = xmalloc(size + 2);
    _cleanup_(decompressor_freep) struct decompressor *d = NULL;
    CHECK_INT(decompressor_open_fd(fd, "z", &d, &err), 0);
    size_t done = 0;
    ssize_t n;
    while ((n = decompressor_read(d, back + done, size + 1 - done, &err)) > 0)
        done += (size_t)n;
    CHECK_INT(n, 0);
    CHECK_INT(done, size);
    CHECK(memcmp(back, data, size) == 0);
}

static void comes_back(void)
{
    static const size_t sizes[] = {0, 1, 4095, 262143, 262144, 262145, 9 << 20};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        _cleanup_free_ char *data = pattern(sizes[i]);
        for (enum compression c = COMPRESS_NONE; c <= COMPRESS_ZSTD; c++) {
            _cleanup_close_ int fd = compressed(c, data, sizes[i], 70001);
            check_content(fd, data, sizes[i]);
        }
    }
}

/* The programs everybody has read it too. */
static void other_programs_read_it(void)
{
    _cleanup_free_ char *data = pattern(1 << 20);
    for (enum compression c = COMPRESS_GZIP; c <= COMPRESS_ZSTD; c++) {
        _cleanup_close_ int fd = compressed(c, data, 1 << 20, 1 << 20);
        char command[64];
        snprintf(command, sizeof(command), "%s -dc <&%d | cksum >/dev/null",
                 c == COMPRESS_GZIP ? "gzip" : "zstd", fd);
        CHECK_INT(system(command), 0);
    }
}

static int fails_later(void *context, const void *data, size_t size)
{
    return --*(int *)context < 0 ? -ENOSPC : 0;
}

static void write_errors_come_through(void)
{
    _cleanup_free_ char *data = pattern(4 << 20);
    for (enum compression kind = COMPRESS_NONE; kind <= COMPRESS_ZSTD; kind++) {
        struct error err = {0};
        int left = 2, r = 0;
        _cleanup_(compressor_freep) struct compressor *c = NULL;
        CHECK_INT(compressor_open(kind, 0, fails_later, &left, &c, &err), 0);
        for (int i = 0; r == 0 && i < 4; i++)
            r = compressor_write(c, data + (i << 20), 1 << 20, &err);
        if (r == 0)
            r = compressor_end(c, &err);
        CHECK_INT(r, -ENOSPC);
        CHECK_STRING(err.text, "cannot write compressed data: no space left on device");
    }
}

static void may_be_given_up(void)
{
    _cleanup_free_ char *data = pattern(1 << 20);
    int left = 1000;
    _cleanup_(compressor_freep) struct compressor *c = NULL;
    CHECK_INT(compressor_open(COMPRESS_ZSTD, 0, fails_later, &left, &c, NULL), 0);
    CHECK_INT(compressor_write(c, data, 1 << 20, NULL), 0);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(names),
        TEST(comes_back),
        TEST(other_programs_read_it),
        TEST(write_errors_come_through),
        TEST(may_be_given_up),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
