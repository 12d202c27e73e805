#include "test.h"

#include "base/io.h"
#include "base/strv.h"
#include "container/subid.h"

static char *write_table(const char *directory, const char *text)
{
    char *path = path_join(directory, "subuid");
    CHECK_INT(file_write_atomic(path, text, strlen(text), 0644, false, NULL), 0);
    return path;
}

static void ranges_are_found(void)
{
    _cleanup_test_directory_ char *directory = test_directory();
    _cleanup_free_ char *path = write_table(directory, "nobody-else:100000:65536\n"
                                                       "4000000001:200000:1000\n"
                                                       "broken\n4000000001:x:5\n4000000001:1:\n"
                                                       "4000000001:300000:2000\n");
    _cleanup_free_ struct subid_range *ranges = NULL;
    CHECK_INT(subid_read(path, 4000000001u, &ranges), 2);
    CHECK_INT(ranges[0].start, 200000);
    CHECK_INT(ranges[1].count, 2000);
    _cleanup_free_ struct subid_range *none = NULL;
    CHECK_INT(subid_read(path, 4000000002u, &none), 0);
    CHECK_INT(subid_next_free(path), 302000);
}

static void a_missing_file_lends_nothing(void)
{
    struct subid_range *ranges;
    CHECK_INT(subid_read("/nonexistent/subuid", 1, &ranges), 0);
    CHECK_INT(subid_next_free("/nonexistent/subuid"), 100000);
}

static void the_map_has_no_holes(void)
{
    const struct subid_range ranges[] = {{200000, 1000}, {300000, 2000}};
    _cleanup_strv_ char **argv = subid_map_command("newuidmap", 42, 1000, ranges, 2);
    _cleanup_free_ char *all = strv_join(argv, " ");
    CHECK_STRING(all, "newuidmap 42 0 1000 1 1 200000 1000 1001 300000 2000");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(ranges_are_found),
        TEST(a_missing_file_lends_nothing),
        TEST(the_map_has_no_holes),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
