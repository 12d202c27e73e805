#include "base/table.h"
#include "test.h"

static void check(const char *text, const char *aligned)
{
    _cleanup_buf_ struct buf b = {0};
    table_align(text, &b);
    CHECK_STRING(b.data, aligned);
}

static void cells_are_at_least_twelve_wide(void)
{
    check("A\tB\n1\t2\n", "A           B\n1           2\n");
}

static void long_cells_widen_their_column(void)
{
    check("ID\tNAME\tX\n0123456789ab\tn\ty\n",
          "ID            NAME        X\n0123456789ab  n           y\n");
}

static void the_last_cell_is_not_padded(void)
{
    check("a\t\nb\tc\n", "a           \nb           c\n");
}

static void a_column_ends_where_a_line_lacks_it(void)
{
    check("0123456789abcdef\tx\nnothing here\na\tb\n",
          "0123456789abcdef  x\nnothing here\na           b\n");
}

static void characters_count_not_bytes(void)
{
    check("ää\tb\n", "ää          b\n");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(cells_are_at_least_twelve_wide), TEST(long_cells_widen_their_column),
        TEST(the_last_cell_is_not_padded),    TEST(a_column_ends_where_a_line_lacks_it),
        TEST(characters_count_not_bytes),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
