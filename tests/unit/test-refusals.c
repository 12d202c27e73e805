#include "base/refusals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static int report(struct refusals *f, struct error *err)
{
    int r = refusals_report(f, err, "container c cannot be checkpointed");
    refusals_clear(f);
    return r;
}

static void none_is_success(void)
{
    struct refusals f = {0};
    struct error err = {0};
    CHECK_INT(report(&f, &err), 0);
    CHECK_INT(err.code, 0);
}

static void one_stands_alone(void)
{
    struct refusals f = {0};
    struct error err = {0};
    refusals_add(&f, "process %d holds a thing", 7);
    refusals_add(&f, "process %d holds a thing", 7);
    CHECK_INT(report(&f, &err), -ENOTSUP);
    CHECK_STRING(err.text, "process 7 holds a thing");
}

static void several_have_a_line_each(void)
{
    struct refusals f = {0};
    struct error err = {0};
    CHECK_INT(refusals_take(&f, error_set(&err, EPERM, "first"), &err), 0);
    CHECK_INT(err.code, 0);
    refusals_add(&f, "second");
    CHECK_INT(report(&f, &err), -EPERM);
    CHECK_STRING(err.text, "container c cannot be checkpointed for 2 reasons:\n  first\n  second");
}

static void failures_are_no_refusals(void)
{
    struct refusals f = {0};
    struct error err = {0};
    CHECK_INT(refusals_take(&f, 3, &err), 3);
    CHECK_INT(refusals_take(&f, error_set(&err, EIO, "broken"), &err), -EIO);
    CHECK_STRING(err.text, "broken");
    CHECK_INT(refusals_take_any(&f, -EIO, &err), 0);
    error_kind_set(&err, ERROR_CANCELLED, "enough");
    CHECK_INT(refusals_take_any(&f, -ECANCELED, &err), -ECANCELED);
    CHECK_INT(f.count, 1);
    refusals_clear(&f);
}

static void the_kind_is_the_first_ones(void)
{
    struct refusals f = {0};
    struct error err = {0};
    refusals_take_any(&f, error_kind_set(&err, ERROR_CONFLICT, "taken"), &err);
    refusals_take_any(&f, error_kind_set(&err, ERROR_NOT_FOUND, "missing"), &err);
    CHECK_INT(report(&f, &err), -EEXIST);
    CHECK_INT(err.kind, ERROR_CONFLICT);
}

static void they_can_be_moved(void)
{
    struct refusals f = {0}, more = {0};
    struct error err = {0};
    refusals_add(&f, "first");
    refusals_add(&more, "first");
    refusals_take(&more, error_set(&err, EPERM, "second"), &err);
    refusals_move(&f, &more);
    CHECK_INT(more.count, 0);
    CHECK_INT(report(&f, &err), -EPERM);
    CHECK_STRING(err.text, "container c cannot be checkpointed for 2 reasons:\n  first\n  second");
}

static void many_are_counted(void)
{
    struct refusals f = {0};
    struct error err = {0};
    for (int i = 0; i < 100; i++)
        refusals_add(&f, "reason number %d", i);
    CHECK_INT(report(&f, &err), -ENOTSUP);
    CHECK(strstr(err.text, "for 100 reasons:\n  reason number 0\n"));
    CHECK(strstr(err.text, "\n  reason number 19\n  and 80 more"));
}

static void long_ones_leave_room_for_the_count(void)
{
    struct refusals f = {0};
    struct error err = {0};
    char text[1000];
    memset(text, 'a', sizeof(text));
    for (int i = 0; i < 20; i++)
        refusals_add(&f, "%d %.*s", i, (int)sizeof(text), text);
    CHECK_INT(report(&f, &err), -ENOTSUP);
    CHECK(strstr(err.text, " more"));
}

int main(void)
{
    static const struct test tests[] = {
        TEST(none_is_success),
        TEST(one_stands_alone),
        TEST(several_have_a_line_each),
        TEST(failures_are_no_refusals),
        TEST(the_kind_is_the_first_ones),
        TEST(many_are_counted),
        TEST(they_can_be_moved),
        TEST(long_ones_leave_room_for_the_count),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
