#include "base/progress-bar.h"
#include "test.h"

static void check(const char *what, uint64_t total, uint64_t done, int64_t ns, const char *text)
{
    struct progress_bar bar = {.what = what, .total = total};
    _cleanup_free_ char *is = progress_bar_text(&bar, done, ns);
    CHECK_STRING(is, text);
}

static void says_bytes_rate_and_time_left(void)
{
    check("Exporting", 3000000, 1000000, 2000000000,
          "Exporting 1 MB / 3 MB (33%)  500 kB/s  0:04 left");
    check("Exporting", 0, 1000000, 2000000000, "Exporting 1 MB  500 kB/s");
    check("Exporting", 1000000, 1000000, 1000000000, "Exporting 1 MB / 1 MB (100%)  1 MB/s");
    check("Exporting", 1000, 0, 0, "Exporting 0 B / 1 kB (0%)  0 B/s");
}

static void is_silent_without_a_terminal(void)
{
    struct progress_bar bar = {.what = "x", .started_ns = 1};
    progress_bar_at(&bar, 1);
    CHECK(isatty(2) || !bar.shown);
    progress_bar_end(&bar);
}

int main(void)
{
    static const struct test tests[] = {TEST(says_bytes_rate_and_time_left),
                                        TEST(is_silent_without_a_terminal)};
    return run_tests(tests, ARRAY_LEN(tests));
}
