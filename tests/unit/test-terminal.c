#include "test.h"

#include "container/terminal.h"

static void feed(struct detach_keys *k, const char *in, const char *passed, bool detached)
{
    unsigned char out[64];
    size_t n = 0;
    CHECK(detach_keys_feed(k, (const unsigned char *)in, strlen(in), out, &n) == detached);
    out[n] = '\0';
    CHECK_STRING((char *)out, passed);
}

static void keys_are_parsed(void)
{
    struct detach_keys k;
    CHECK_INT(detach_keys_parse("ctrl-p,ctrl-q", &k), 0);
    CHECK_INT(k.count, 2);
    CHECK_INT(k.keys[0], 16);
    CHECK_INT(detach_keys_parse("", &k), 0);
    CHECK_INT(k.count, 0);
    CHECK_INT(detach_keys_parse("a,ctrl-@", &k), 0);
    CHECK_INT(k.keys[1], 0);
    CHECK(detach_keys_parse("ctrl-", &k) < 0);
    CHECK(detach_keys_parse("abc", &k) < 0);
    CHECK(detach_keys_parse("a,,b", &k) < 0);
}

static void half_a_sequence_is_passed_on_in_the_end(void)
{
    struct detach_keys k;
    CHECK_INT(detach_keys_parse("ctrl-p,ctrl-q", &k), 0);
    feed(&k, "ab\x10", "ab", false);
    feed(&k, "c",
         "\x10"
         "c",
         false);
    feed(&k, "\x10\x10", "\x10", false);
    feed(&k, "\x11rest", "", true);
}

static void no_sequence_matches_nothing(void)
{
    struct detach_keys k;
    CHECK_INT(detach_keys_parse("", &k), 0);
    feed(&k, "\x10\x11", "\x10\x11", false);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(keys_are_parsed),
        TEST(half_a_sequence_is_passed_on_in_the_end),
        TEST(no_sequence_matches_nothing),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
