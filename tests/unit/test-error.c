#include "test.h"

#include <errno.h>

#include "base/error.h"

static void set_returns_the_negative_code(void)
{
    struct error err = {0};
    CHECK_INT(error_set(&err, ENOSPC, "disk %d is full", 7), -ENOSPC);
    CHECK_INT(err.code, ENOSPC);
    CHECK_INT(err.kind, ERROR_GENERIC);
    CHECK_STRING(err.text, "disk 7 is full");
}

static void a_null_error_still_gives_the_code(void)
{
    CHECK_INT(error_set(NULL, ENOENT, "x"), -ENOENT);
    CHECK_INT(error_errno(NULL, EPERM, "x"), -EPERM);
    CHECK_INT(error_kind_set(NULL, ERROR_USAGE, "x"), -EINVAL);
    CHECK(error_wrap(NULL, "x") < 0);
}

static void a_code_that_is_no_error_becomes_eio(void)
{
    struct error err = {0};
    CHECK_INT(error_set(&err, 0, "x"), -EIO);
    CHECK_INT(error_set(&err, -5, "x"), -EIO);
}

static void errno_appends_the_text_as_go_does(void)
{
    struct error err = {0};
    error_errno(&err, ENOENT, "open %s", "/x");
    CHECK_STRING(err.text, "open /x: no such file or directory");
    error_errno(&err, EISDIR, "read y");
    CHECK_STRING(err.text, "read y: is a directory");
}

static void kinds_carry_a_fitting_code(void)
{
    struct error err = {0};
    CHECK_INT(error_kind_set(&err, ERROR_NOT_FOUND, "no %s", "c"), -ENOENT);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(error_kind_set(&err, ERROR_CONFLICT, "x"), -EEXIST);
    CHECK_INT(error_kind_set(&err, ERROR_CANCELLED, "x"), -ECANCELED);
}

static void wrap_puts_words_before(void)
{
    struct error err = {0};
    error_kind_set(&err, ERROR_STATE, "it runs");
    CHECK_INT(error_wrap(&err, "removing %s", "c1"), -EBUSY);
    CHECK_STRING(err.text, "removing c1: it runs");
    CHECK_INT(err.kind, ERROR_STATE);
}

static void long_texts_are_cut_not_overrun(void)
{
    struct error err = {0};
    char *long_text = malloc(3 * ERROR_TEXT_MAX);
    memset(long_text, 'a', 3 * ERROR_TEXT_MAX - 1);
    long_text[3 * ERROR_TEXT_MAX - 1] = '\0';
    error_errno(&err, EIO, "%s", long_text);
    CHECK_INT(strlen(err.text), ERROR_TEXT_MAX - 1);
    error_wrap(&err, "%s", long_text);
    CHECK_INT(strlen(err.text), ERROR_TEXT_MAX - 1);
    free(long_text);
}

static void unknown_codes_have_a_text(void)
{
    char text[64];
    CHECK_STRING(errno_text(99999, text, sizeof(text)), "unknown error");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(set_returns_the_negative_code),       TEST(a_null_error_still_gives_the_code),
        TEST(a_code_that_is_no_error_becomes_eio), TEST(errno_appends_the_text_as_go_does),
        TEST(kinds_carry_a_fitting_code),          TEST(wrap_puts_words_before),
        TEST(long_texts_are_cut_not_overrun),      TEST(unknown_codes_have_a_text),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
