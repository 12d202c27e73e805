#include "test.h"

#include "base/clock.h"

#define SECOND 1000000000LL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static void check_and_free(char *is, const char *should)
{
    CHECK_STRING(is, should);
    free(is);
}

static void times_are_written_as_go_does(void)
{
    int64_t t = 1795280903453976978LL;
    check_and_free(time_rfc3339(t), "2026-11-21T17:08:23.453976978Z");
    check_and_free(time_go(t), "2026-11-21 17:08:23.453976978 +0000 UTC");
    check_and_free(time_rfc3339(0), "0001-01-01T00:00:00Z");
    check_and_free(time_rfc3339(SECOND), "1970-01-01T00:00:01Z");
    check_and_free(time_rfc3339(SECOND + 120000000), "1970-01-01T00:00:01.12Z");
}

static void durations_are_written_for_people(void)
{
    check_and_free(duration_human(0), "Less than a second");
    check_and_free(duration_human(SECOND), "1 second");
    check_and_free(duration_human(59 * SECOND), "59 seconds");
    check_and_free(duration_human(60 * SECOND), "About a minute");
    check_and_free(duration_human(119 * SECOND), "About a minute");
    check_and_free(duration_human(2 * MINUTE), "2 minutes");
    check_and_free(duration_human(59 * MINUTE), "59 minutes");
    check_and_free(duration_human(HOUR), "About an hour");
    check_and_free(duration_human(2 * HOUR), "2 hours");
    check_and_free(duration_human(47 * HOUR), "47 hours");
    check_and_free(duration_human(48 * HOUR), "2 days");
    check_and_free(duration_human(14 * DAY), "2 weeks");
    check_and_free(duration_human(60 * DAY), "2 months");
    check_and_free(duration_human(730 * DAY), "2 years");
}

static void sizes_are_decimal(void)
{
    check_and_free(size_human(2130000), "2.13 MB");
    check_and_free(size_human(0), "0 B");
    check_and_free(size_compact(1980000), "1.98MB");
    check_and_free(size_compact(12), "12B");
    check_and_free(size_compact(2141000), "2.141MB");
}

static void times_are_parsed(void)
{
    int64_t t = 0;
    struct error err = {0};
    CHECK_INT(time_parse("2026-11-21T17:08:23.453976978Z", &t, &err), 0);
    CHECK_INT(t, 1795280903453976978LL);
    CHECK_INT(time_parse("2026-11-21T18:08:23+01:00", &t, &err), 0);
    CHECK_INT(t, 1795280903LL * SECOND);
    CHECK_INT(time_parse("2026-11-21", &t, &err), 0);
    CHECK_INT(t % DAY, 0);
    CHECK_INT(time_parse("1795280903.5", &t, &err), 0);
    CHECK_INT(t, 1795280903500000000LL);
    CHECK_INT(time_parse("10m", &t, &err), 0);
    int64_t ago = now_ns() - t;
    CHECK(ago >= 10 * MINUTE && ago < 11 * MINUTE);
    CHECK(time_parse("yesterday", &t, &err) < 0);
    CHECK_CONTAINS(err.text, "\"yesterday\"");
}

static void durations_are_parsed(void)
{
    int64_t d = 0;
    struct error err = {0};
    CHECK_INT(duration_parse("1h30m", &d, &err), 0);
    CHECK_INT(d, 90 * MINUTE);
    CHECK_INT(duration_parse("250ms", &d, &err), 0);
    CHECK_INT(d, SECOND / 4);
    CHECK_INT(duration_parse("1.5s", &d, &err), 0);
    CHECK_INT(d, 1500000000);
    CHECK_INT(duration_parse("250", &d, &err), 0);
    CHECK_INT(d, SECOND / 4);
    CHECK(duration_parse("", &d, &err) < 0);
    CHECK(duration_parse("1x", &d, &err) < 0);
    CHECK(duration_parse("-1s", &d, &err) < 0);
    CHECK(duration_parse("1m30", &d, &err) < 0);
    CHECK(duration_parse("99999999999h", &d, &err) < 0);
}

static void memory_sizes_are_binary(void)
{
    uint64_t n = 0;
    struct error err = {0};
    CHECK_INT(size_parse("64m", &n, &err), 0);
    CHECK_INT(n, 64 << 20);
    CHECK_INT(size_parse("1g", &n, &err), 0);
    CHECK_INT(n, 1 << 30);
    CHECK_INT(size_parse("512K", &n, &err), 0);
    CHECK_INT(n, 512 << 10);
    CHECK_INT(size_parse("100b", &n, &err), 0);
    CHECK_INT(n, 100);
    CHECK_INT(size_parse("1073741824", &n, &err), 0);
    CHECK_INT(n, 1 << 30);
    CHECK_INT(size_parse("1.5k", &n, &err), 0);
    CHECK_INT(n, 1536);
    CHECK_INT(size_parse("2MiB", &n, &err), 0);
    CHECK_INT(n, 2 << 20);
    CHECK(size_parse("", &n, &err) < 0);
    CHECK(size_parse("-1", &n, &err) < 0);
    CHECK(size_parse("1x", &n, &err) < 0);
    CHECK(size_parse("1mm", &n, &err) < 0);
    CHECK(size_parse("99999999999999999999999", &n, &err) < 0);
}

static void monotonic_clocks_go_on(void)
{
    int64_t a = monotonic_ns(), b = monotonic_ns();
    CHECK(b >= a);
    int64_t us = monotonic_us();
    CHECK(us >= b / 1000);
}

static void durations_as_go_prints_them(void)
{
    check_and_free(duration_go(0), "0s");
    check_and_free(duration_go(15), "15ns");
    check_and_free(duration_go(1500), "1.5\u00b5s");
    check_and_free(duration_go(12500000), "12.5ms");
    check_and_free(duration_go(SECOND), "1s");
    check_and_free(duration_go(61 * SECOND + SECOND / 2), "1m1.5s");
    check_and_free(duration_go(3723 * SECOND), "1h2m3s");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(times_are_written_as_go_does),
        TEST(durations_are_written_for_people),
        TEST(durations_as_go_prints_them),
        TEST(sizes_are_decimal),
        TEST(times_are_parsed),
        TEST(durations_are_parsed),
        TEST(memory_sizes_are_binary),
        TEST(monotonic_clocks_go_on),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
