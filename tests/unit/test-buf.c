#include "test.h"

#include "base/buf.h"

static void adds_bytes_strings_and_formats(void)
{
    _cleanup_buf_ struct buf b = {0};
    buf_add(&b, "abc", 2);
    buf_add_string(&b, "-x");
    buf_add_char(&b, '/');
    buf_printf(&b, "%d %s", 42, "z");
    CHECK_STRING(b.data, "ab-x/42 z");
    CHECK_INT(b.size, 9);
}

static void keeps_nul_bytes_and_ends_with_one(void)
{
    _cleanup_buf_ struct buf b = {0};
    buf_add(&b, "a\0b", 3);
    CHECK_INT(b.size, 3);
    CHECK(memcmp(b.data, "a\0b\0", 4) == 0);
}

static void adding_nothing_gives_an_empty_string(void)
{
    _cleanup_buf_ struct buf b = {0};
    CHECK(b.data == NULL);
    buf_add(&b, NULL, 0);
    CHECK_INT(b.size, 0);
    CHECK_STRING(b.data, "");
}

static void grows_byte_by_byte(void)
{
    _cleanup_buf_ struct buf b = {0};
    for (int i = 0; i < 100000; i++)
        buf_add_char(&b, (char)('a' + i % 26));
    CHECK_INT(b.size, 100000);
    CHECK_INT(strlen(b.data), 100000);
    for (int i = 0; i < 100000; i++)
        CHECK_INT(b.data[i], 'a' + i % 26);
}

static void reserve_leaves_size_to_the_caller(void)
{
    _cleanup_buf_ struct buf b = {0};
    buf_add_string(&b, "ab");
    char *room = buf_reserve(&b, 1000);
    CHECK_INT(b.size, 2);
    CHECK(room == b.data + 2);
    memset(room, 'x', 1000);
    b.size += 1000;
    CHECK_INT(b.data[b.size], 0);
}

static void take_gives_the_string_away(void)
{
    struct buf b = {0};
    _cleanup_free_ char *empty = buf_take(&b);
    CHECK_STRING(empty, "");
    buf_add_string(&b, "mine");
    _cleanup_free_ char *mine = buf_take(&b);
    CHECK_STRING(mine, "mine");
    CHECK(b.data == NULL && b.size == 0 && b.room == 0);
}

static void clear_keeps_the_memory(void)
{
    _cleanup_buf_ struct buf b = {0};
    buf_clear(&b);
    CHECK(b.data == NULL);
    buf_add_string(&b, "old");
    const char *data = b.data;
    buf_clear(&b);
    CHECK_INT(b.size, 0);
    CHECK_STRING(b.data, "");
    CHECK(b.data == data);
}

static void trim_cuts_trailing_space_only(void)
{
    _cleanup_buf_ struct buf b = {0};
    buf_trim(&b);
    buf_add_string(&b, " a b \t\r\n");
    buf_trim(&b);
    CHECK_STRING(b.data, " a b");
    CHECK_INT(b.size, 4);
    buf_clear(&b);
    buf_add_string(&b, " \n ");
    buf_trim(&b);
    CHECK_STRING(b.data, "");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(adds_bytes_strings_and_formats),
        TEST(keeps_nul_bytes_and_ends_with_one),
        TEST(adding_nothing_gives_an_empty_string),
        TEST(grows_byte_by_byte),
        TEST(reserve_leaves_size_to_the_caller),
        TEST(take_gives_the_string_away),
        TEST(clear_keeps_the_memory),
        TEST(trim_cuts_trailing_space_only),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
