#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define SECOND 1000000000LL

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

int64_t now_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

int64_t monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t monotonic_us(void)
{
    return monotonic_ns() / 1000;
}

/* Go prints the fraction without trailing zeros and leaves it out when it is zero. */
static void fraction(char *text, size_t size, int64_t ns)
{
    text[0] = '\0';
    if (ns == 0)
        return;
    snprintf(text, size, ".%09" PRId64, ns);
    for (size_t n = strlen(text); text[n - 1] == '0'; n--)
        text[n - 1] = '\0';
}

static char *format_time(int64_t ns, const char *format, const char *zone, const char *never)
{
    if (ns == 0)
        return xstrdup(never);
    time_t seconds = ns / SECOND;
    struct tm tm;
    char date[64], rest[16];
    gmtime_r(&seconds, &tm);
    strftime(date, sizeof(date), format, &tm);
    fraction(rest, sizeof(rest), ns % SECOND);
    return xasprintf("%s%s%s", date, rest, zone);
}

char *time_rfc3339(int64_t ns)
{
    return format_time(ns, "%Y-%m-%dT%H:%M:%S", "Z", "0001-01-01T00:00:00Z");
}

char *time_go(int64_t ns)
{
    return format_time(ns, "%Y-%m-%d %H:%M:%S", " +0000 UTC", "0001-01-01 00:00:00 +0000 UTC");
}

char *duration_human(int64_t ns)
{
    int64_t s = ns / SECOND, m = s / 60, h = (m + 30) / 60;
    if (s < 1)
        return xstrdup("Less than a second");
    if (s == 1)
        return xstrdup("1 second");
    if (s < 60)
        return xasprintf("%" PRId64 " seconds", s);
    if (m == 1)
        return xstrdup("About a minute");
    if (m < 60)
        return xasprintf("%" PRId64 " minutes", m);
    if (h == 1)
        return xstrdup("About an hour");
    if (h < 48)
        return xasprintf("%" PRId64 " hours", h);
    if (h < 24 * 14)
        return xasprintf("%" PRId64 " days", h / 24);
    if (h < 24 * 30 * 2)
        return xasprintf("%" PRId64 " weeks", h / 24 / 7);
    if (h < 24 * 365 * 2)
        return xasprintf("%" PRId64 " months", h / 24 / 30);
    return xasprintf("%" PRId64 " years", h / 24 / 365);
}

static char *format_size(uint64_t bytes, int digits, const char *space)
{
    static const char *units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double v = (double)bytes;
    size_t unit = 0;
    while (v >= 1000.0 && unit + 1 < ARRAY_LEN(units))
        v /= 1000.0, unit++;
    return xasprintf("%.*g%s%s", digits, v, space, units[unit]);
}

/* Of "1.500000" what says something. */
static char *trimmed(double v, const char *unit)
{
    _cleanup_free_ char *digits = xasprintf("%.9f", v);
    size_t n = strlen(digits);
    while (digits[n - 1] == '0')
        n--;
    n -= digits[n - 1] == '.';
    return xasprintf("%.*s%s", (int)n, digits, unit);
}

char *duration_go(int64_t ns)
{
    if (ns == 0)
        return xstrdup("0s");
    if (ns < 1000)
        return xasprintf("%lldns", (long long)ns);
    if (ns < 1000000)
        return trimmed((double)ns / 1e3, "\u00b5s");
    if (ns < 1000000000)
        return trimmed((double)ns / 1e6, "ms");
    long long minutes = ns / 60000000000, hours = minutes / 60;
    _cleanup_free_ char *seconds = trimmed((double)(ns % 60000000000) / 1e9, "s");
    if (hours)
        return xasprintf("%lldh%lldm%s", hours, minutes % 60, seconds);
    return minutes ? xasprintf("%lldm%s", minutes, seconds) : take_ptr(seconds);
}

char *size_human(uint64_t bytes)
{
    return format_size(bytes, 3, " ");
}

char *size_compact(uint64_t bytes)
{
    return format_size(bytes, 4, "");
}

static const struct {
    const char *name;
    double ns;
} duration_units[] = {
    {"ns", 1},  {"us", 1e3},     {"µs", 1e3},       {"ms", 1e6},
    {"s", 1e9}, {"m", 60 * 1e9}, {"h", 3600 * 1e9},
};

static double duration_unit(const char *s, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(duration_units); i++)
        if (strlen(duration_units[i].name) == n && strncmp(s, duration_units[i].name, n) == 0)
            return duration_units[i].ns;
    return 0;
}

int duration_parse(const char *s, int64_t *ret_ns, struct error *err)
{
    double total = 0;
    const char *p = s;
    char *end;
    if (!*p)
        return error_kind_set(err, ERROR_USAGE, "time: invalid duration \"%s\"", s);
    while (*p) {
        if (!isdigit((unsigned char)*p) && *p != '.')
            return error_kind_set(err, ERROR_USAGE, "time: invalid duration \"%s\"", s);
        double v = strtod(p, &end);
        size_t n = strcspn(end, "0123456789.");
        double unit = n == 0 && p == s && !*end ? 1e6 : duration_unit(end, n);
        if (end == p || unit <= 0)
            return error_kind_set(err, ERROR_USAGE,
                                  "time: missing or unknown unit in duration \"%s\"", s);
        total += v * unit;
        p = end + n;
    }
    if (total > 9e18)
        return error_kind_set(err, ERROR_USAGE, "time: invalid duration \"%s\"", s);
    *ret_ns = (int64_t)total;
    return 0;
}

static int parse_rfc3339(const char *s, int64_t *ret_ns)
{
    struct tm tm = {0};
    const char *p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!p) {
        memset(&tm, 0, sizeof(tm));
        p = strptime(s, "%Y-%m-%d", &tm);
    }
    if (!p)
        return -EINVAL;
    int64_t ns = 0, scale = SECOND / 10;
    if (*p == '.')
        for (p++; isdigit((unsigned char)*p); p++, scale /= 10)
            ns += (*p - '0') * scale;
    int64_t zone = 0;
    int h, m;
    if ((*p == '+' || *p == '-') && sscanf(p + 1, "%2d:%2d", &h, &m) == 2)
        zone = (*p == '-' ? -1 : 1) * (h * 3600 + m * 60);
    else if (*p && *p != 'Z')
        return -EINVAL;
    *ret_ns = (timegm(&tm) - zone) * SECOND + ns;
    return 0;
}

int time_parse(const char *s, int64_t *ret_ns, struct error *err)
{
    char *end;
    int64_t ago;
    if (parse_rfc3339(s, ret_ns) == 0)
        return 0;
    double seconds = strtod(s, &end);
    if (end != s && !*end) {
        *ret_ns = (int64_t)(seconds * 1e9);
        return 0;
    }
    if (duration_parse(s, &ago, NULL) == 0) {
        *ret_ns = now_ns() - ago;
        return 0;
    }
    return error_kind_set(err, ERROR_USAGE,
                          "failed to parse time/duration from \"%s\": use RFC 3339, unix seconds "
                          "or a duration such as 10m",
                          s);
}

int size_parse(const char *s, uint64_t *ret, struct error *err)
{
    static const char units[] = "bkmgtp";
    char *end;
    double v = isdigit((unsigned char)*s) ? strtod(s, &end) : -1;
    if (v < 0)
        return error_kind_set(err, ERROR_USAGE, "invalid size: '%s'", s);
    int c = tolower((unsigned char)*end);
    const char *unit = c ? strchr(units, c) : units;
    if (!unit)
        return error_kind_set(err, ERROR_USAGE, "invalid suffix: '%s'", end);
    if (c && *++end && c != 'b' && tolower((unsigned char)*end) == 'i')
        end++;
    if (c && c != 'b' && tolower((unsigned char)*end) == 'b')
        end++;
    for (; unit > units; unit--)
        v *= 1024;
    if (*end || v >= 18446744073709551616.0)
        return error_kind_set(err, ERROR_USAGE, "invalid size: '%s'", s);
    *ret = (uint64_t)v;
    return 0;
}
