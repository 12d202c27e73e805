#include "format/sink.h"

#include <errno.h>

#include "tars.h"

static void puts_files(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    _cleanup_sink_ struct sink *s = sink_directory(dir);
    struct error err = {0};
    CHECK_INT(sink_put(s, "a", "one", 3, &err), 0);
    CHECK_INT(sink_put(s, "a", "two", 3, &err), 0);
    _cleanup_free_ char *a = content_of(dir, "a");
    CHECK_STRING(a, "two");
    CHECK_INT(stat_of(dir, "a").st_mode & 0777, 0600);
}

static void sizes_are_kept(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    _cleanup_sink_ struct sink *s = sink_directory(dir);
    struct error err = {0};
    CHECK_INT(sink_write(s, "x", 1, &err), -EBADF);
    CHECK_INT(sink_begin(s, "a", 2, 0600, &err), 0);
    CHECK_INT(sink_begin(s, "b", 2, 0600, &err), -EBUSY);
    CHECK_INT(sink_write(s, "xyz", 3, &err), -EFBIG);
    CHECK_STRING(err.text, "a would become larger than announced");
    CHECK_INT(sink_write(s, "x", 1, &err), 0);
    CHECK_INT(sink_end(s, &err), -EIO);
    CHECK_STRING(err.text, "a lacks 1 bytes of its announced size");
}

static void prefixed(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    CHECK_INT(mkdirat(dir, "sub", 0700), 0);
    _cleanup_sink_ struct sink *inner = sink_directory(dir);
    _cleanup_sink_ struct sink *s = sink_prefix(inner, "sub/");
    CHECK_INT(sink_put(s, "f", "x", 1, NULL), 0);
    CHECK_INT(stat_of(dir, "sub/f").st_size, 1);
}

static void written_past_the_sink(void)
{
    _cleanup_test_directory_ char *top = test_directory();
    _cleanup_close_ int dir = open_directory(top);
    _cleanup_sink_ struct sink *inner = sink_directory(dir);
    _cleanup_sink_ struct sink *s = sink_prefix(inner, "p-");
    CHECK_INT(sink_fd(s), -1);
    CHECK_INT(sink_begin(s, "f", 8, 0600, NULL), 0);
    CHECK(sink_fd(s) >= 0);
    CHECK_INT(pwrite_full(sink_fd(s), "5678", 4, 4), 0);
    CHECK_INT(pwrite_full(sink_fd(s), "1234", 4, 0), 0);
    CHECK_INT(sink_written(s, 8, NULL), 0);
    CHECK_INT(sink_written(s, 1, NULL), -EFBIG);
    CHECK_INT(sink_end(s, NULL), 0);
    _cleanup_free_ char *f = content_of(dir, "p-f");
    CHECK_STRING(f, "12345678");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(puts_files),
        TEST(sizes_are_kept),
        TEST(prefixed),
        TEST(written_past_the_sink),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
