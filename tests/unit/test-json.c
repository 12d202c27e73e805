#include "test.h"

#include <errno.h>

#include "base/json.h"

static struct json *parse(const char *text)
{
    struct json *v = NULL;
    struct error err = {0};
    if (js_parse(text, strlen(text), "test", &v, &err) < 0)
        test_failed(__FILE__, __LINE__, "%s: %s", text, err.text);
    return v;
}

static void objects_keep_their_order(void)
{
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "z", js_int(1));
    js_set(o, "a", js_string("x"));
    js_set(o, "m", js_bool(true));
    js_set(o, "z", js_null());
    _cleanup_free_ char *text = js_dump(o, 0);
    CHECK_STRING(text, "{\"z\":null,\"a\":\"x\",\"m\":true}");
    js_remove(o, "a");
    js_remove(o, "never there");
    CHECK_INT(js_count(o), 2);
}

static void missing_values_read_as_missing(void)
{
    CHECK(js_get(NULL, "a") == NULL);
    CHECK(js_get_string(NULL, "a") == NULL);
    CHECK_INT(js_get_int(NULL, "a", 7), 7);
    CHECK(js_get_bool(NULL, "a", true));
    CHECK_INT(js_count(NULL), 0);
    CHECK(js_at(NULL, 0) == NULL);
    CHECK(js_text(NULL) == NULL);
    CHECK(!js_is_object(NULL) && !js_is_null(NULL));
    CHECK(js_equal(NULL, NULL));
    _cleanup_json_ struct json *o = parse("{\"s\":\"x\",\"n\":5}");
    CHECK(js_get_string(o, "n") == NULL);
    CHECK_INT(js_get_int(o, "s", -1), -1);
    CHECK(js_equal(o, NULL) == false);
}

static void walks_paths(void)
{
    _cleanup_json_ struct json *o = parse("{\"process\":{\"user\":{\"uid\":12}}}");
    CHECK_INT(js_int_value(js_path(o, "process", "user", "uid", NULL)), 12);
    CHECK(js_path(o, "process", "nope", "uid", NULL) == NULL);
}

static void arrays(void)
{
    _cleanup_json_ struct json *a = parse("[\"a\",1,\"b\",null]");
    CHECK_INT(js_count(a), 4);
    CHECK_STRING(js_text(js_at(a, 0)), "a");
    CHECK(js_at(a, 4) == NULL);
    js_remove_at(a, 1);
    js_push(a, js_real(1.5));
    CHECK_STRING(js_text(js_at(a, 1)), "b");
    CHECK(js_real_value(js_at(a, 3)) == 1.5);
    CHECK(js_is_real(js_at(a, 3)) && !js_is_int(js_at(a, 3)));
}

static void lists_of_strings_go_in_and_out(void)
{
    char *list[] = {(char *)"x", (char *)"y", NULL};
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "list", js_strings(list));
    js_set(o, "none", js_strings(NULL));
    js_push(js_get(o, "list"), js_int(1));
    char **back = js_get_strings(o, "list");
    CHECK(back && back[0] && back[1] && !back[2]);
    CHECK_STRING(back[1], "y");
    for (char **s = back; *s; s++)
        free(*s);
    free(back);
    CHECK(js_get_strings(o, "missing") == NULL);
    CHECK_INT(js_count(js_get(o, "none")), 0);
}

static void invalid_utf8_is_replaced(void)
{
    _cleanup_json_ struct json *s = js_string("a\xff\xfe!");
    CHECK_STRING(js_text(s), "a?"
                             "?!");
    _cleanup_json_ struct json *null = js_string(NULL);
    CHECK(js_is_null(null));
}

static void bad_documents_are_refused(void)
{
    static const char *const bad[] = {"",    "{",        "{} x",  "{\"a\":1,\"a\":2}", "[1,]",
                                      "nul", "\"\xff\"", "[1 2]", "{\"a\":}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct json *v = NULL;
        struct error err = {0};
        CHECK(js_parse(bad[i], strlen(bad[i]), "my.json", &v, &err) < 0);
        CHECK(v == NULL);
        CHECK_CONTAINS(err.text, "my.json");
    }
}

static void deep_nesting_is_refused_not_overflowed(void)
{
    size_t n = 1000000;
    char *deep = malloc(n + 1);
    memset(deep, '[', n);
    deep[n] = '\0';
    struct json *v = NULL;
    struct error err = {0};
    CHECK(js_parse(deep, n, "deep", &v, &err) < 0);
    free(deep);
}

static void copies_are_deep_and_refs_are_not(void)
{
    _cleanup_json_ struct json *o = parse("{\"a\":{\"b\":1}}");
    _cleanup_json_ struct json *copy = js_copy(o);
    _cleanup_json_ struct json *same = js_ref(o);
    CHECK(same == o);
    CHECK(js_equal(copy, o));
    js_set(js_get(o, "a"), "b", js_int(2));
    CHECK(!js_equal(copy, o));
    CHECK_INT(js_get_int(js_get(copy, "a"), "b", 0), 1);
    CHECK(js_copy(NULL) == NULL);
}

static void iterates_keys_in_order(void)
{
    _cleanup_json_ struct json *o = parse("{\"b\":1,\"a\":2}");
    char seen[16] = "";
    JSON_FOREACH_KEY(o, it)
    {
        strcat(seen, js_iter_key(it));
        CHECK(js_is_int(js_iter_value(it)));
    }
    CHECK_STRING(seen, "ba");
}

static void files_go_in_and_out(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    CHECK_INT(chdir(dir), 0);
    struct error err = {0};
    _cleanup_json_ struct json *o = parse("{\"n\":9223372036854775807,\"s\":\"\\u00e9x\"}");
    CHECK_INT(js_write_file("f.json", o, 0600, &err), 0);
    _cleanup_json_ struct json *back = NULL;
    CHECK_INT(js_parse_file("f.json", &back, &err), 0);
    CHECK(js_equal(o, back));
    CHECK_INT(js_get_int(back, "n", 0), INT64_MAX);
    struct json *none = NULL;
    CHECK_INT(js_parse_file("missing.json", &none, &err), -ENOENT);
    CHECK_CONTAINS(err.text, "missing.json");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(objects_keep_their_order),
        TEST(missing_values_read_as_missing),
        TEST(walks_paths),
        TEST(arrays),
        TEST(lists_of_strings_go_in_and_out),
        TEST(invalid_utf8_is_replaced),
        TEST(bad_documents_are_refused),
        TEST(deep_nesting_is_refused_not_overflowed),
        TEST(copies_are_deep_and_refs_are_not),
        TEST(iterates_keys_in_order),
        TEST(files_go_in_and_out),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
