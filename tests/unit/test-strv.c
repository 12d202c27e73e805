#include "test.h"

#include "base/strv.h"

static void a_null_list_is_empty(void)
{
    CHECK_INT(strv_length(NULL), 0);
    CHECK(!strv_contains(NULL, "a"));
    CHECK(strv_env(NULL, "A") == NULL);
    _cleanup_strv_ char **copy = strv_copy(NULL);
    CHECK(copy && !copy[0]);
    _cleanup_free_ char *joined = strv_join(NULL, ",");
    CHECK_STRING(joined, "");
}

static void adds_copies(void)
{
    _cleanup_strv_ char **list = NULL;
    char word[] = "one";
    strv_add(&list, word);
    word[0] = 'X';
    strv_addf(&list, "two-%d", 2);
    strv_take(&list, strdup("three"));
    CHECK_INT(strv_length(list), 3);
    CHECK_STRING(list[0], "one");
    CHECK_STRING(list[1], "two-2");
    CHECK_STRING(list[2], "three");
    CHECK(list[3] == NULL);
    CHECK(strv_contains(list, "three"));
    CHECK(!strv_contains(list, "thre"));
}

static void adds_all_of_another(void)
{
    _cleanup_strv_ char **a = strv_split("a b", ' ');
    _cleanup_strv_ char **b = strv_split("c d", ' ');
    strv_add_all(&a, b);
    strv_add_all(&a, NULL);
    _cleanup_free_ char *joined = strv_join(a, "+");
    CHECK_STRING(joined, "a+b+c+d");
}

static void split_keeps_empty_parts(void)
{
    _cleanup_strv_ char **list = strv_split(":a::b:", ':');
    CHECK_INT(strv_length(list), 5);
    CHECK_STRING(list[0], "");
    CHECK_STRING(list[1], "a");
    CHECK_STRING(list[2], "");
    CHECK_STRING(list[4], "");
    _cleanup_strv_ char **one = strv_split("", ':');
    CHECK_INT(strv_length(one), 1);
    CHECK_STRING(one[0], "");
}

static void joins_a_list_that_was_copied(void)
{
    _cleanup_strv_ char **list = strv_split("x,y,z", ',');
    _cleanup_strv_ char **copy = strv_copy(list);
    CHECK(copy[0] != list[0]);
    _cleanup_free_ char *joined = strv_join(copy, ", ");
    CHECK_STRING(joined, "x, y, z");
}

static void env_finds_whole_keys(void)
{
    _cleanup_strv_ char **env = strv_split("PATH=/bin|PA=1|EMPTY=|EQ=a=b", '|');
    CHECK_STRING(strv_env(env, "PA"), "1");
    CHECK_STRING(strv_env(env, "PATH"), "/bin");
    CHECK_STRING(strv_env(env, "EMPTY"), "");
    CHECK_STRING(strv_env(env, "EQ"), "a=b");
    CHECK(strv_env(env, "P") == NULL);
}

static void env_set_replaces_or_adds(void)
{
    _cleanup_strv_ char **env = strv_split("A=1|AB=2", '|');
    strv_env_set(&env, "A", "9");
    strv_env_set(&env, "B", "3");
    _cleanup_free_ char *joined = strv_join(env, "|");
    CHECK_STRING(joined, "A=9|AB=2|B=3");
}

static void string_tests(void)
{
    CHECK(string_equal(NULL, NULL));
    CHECK(!string_equal(NULL, ""));
    CHECK(string_equal("a", "a"));
    CHECK(string_starts("abc", "ab"));
    CHECK(!string_starts("a", "ab"));
    CHECK(string_ends("abc", "bc"));
    CHECK(!string_ends("c", "bc"));
    CHECK_STRING(string_after("key=v", "key="), "v");
    CHECK(string_after("kex=v", "key=") == NULL);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(a_null_list_is_empty),         TEST(adds_copies),
        TEST(adds_all_of_another),          TEST(split_keeps_empty_parts),
        TEST(joins_a_list_that_was_copied), TEST(env_finds_whole_keys),
        TEST(env_set_replaces_or_adds),     TEST(string_tests),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
