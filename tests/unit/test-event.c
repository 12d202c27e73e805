#include "test.h"

#include "base/io.h"
#include "base/strv.h"
#include "store/event.h"

/* A store without a database: the log needs none. */
static struct store open_store(void)
{
    static char root[64];
    strcpy(root, "/tmp/firn-event-XXXXXX");
    CHECK(mkdtemp(root));
    return (struct store){.root = root};
}

static void emit(const struct store *s, const char *name, const char *status)
{
    event_emit(s, &(struct event){.type = "volume", .status = status, .name = name});
}

static int add_name(void *context, const struct json *e, struct error *err)
{
    buf_printf(context, "%s:%s ", js_get_string(e, "Name"), js_get_string(e, "Status"));
    return 0;
}

static char *read_all(const struct store *s, char *const *filters)
{
    _cleanup_buf_ struct buf b = {0};
    const struct event_query q = {.filters = filters};
    struct error err = {0};
    CHECK_INT(event_read(s, &q, add_name, &b, &err), 0);
    return buf_take(&b);
}

static void written_and_read(void)
{
    struct store s = open_store();
    _cleanup_free_ char *nothing = read_all(&s, NULL);
    CHECK_STRING(nothing, "");
    emit(&s, "a", "create");
    emit(&s, "b", "create");
    emit(&s, "a", "remove");
    _cleanup_free_ char *all = read_all(&s, NULL);
    CHECK_STRING(all, "a:create b:create a:remove ");
    char *filters[] = {(char *)"volume=a", (char *)"event=remove", NULL};
    _cleanup_free_ char *some = read_all(&s, filters);
    CHECK_STRING(some, "a:remove ");
    CHECK_INT(remove_tree(s.root, NULL), 0);
}

static void begun_anew_when_it_has_grown(void)
{
    struct store s = open_store();
    _cleanup_free_ char *long_name = malloc(64 << 10);
    memset(long_name, 'x', (64 << 10) - 1);
    long_name[(64 << 10) - 1] = '\0';
    for (int i = 0; i < 200; i++)
        emit(&s, long_name, "create");
    emit(&s, "last", "create");
    _cleanup_free_ char *old = path_join(s.root, "events/log.1");
    CHECK(path_exists(old));
    char *filters[] = {(char *)"volume=last", NULL};
    _cleanup_free_ char *last = read_all(&s, filters);
    CHECK_STRING(last, "last:create ");
    CHECK_INT(remove_tree(s.root, NULL), 0);
}

static void half_a_line_is_passed_over(void)
{
    struct store s = open_store();
    emit(&s, "a", "create");
    _cleanup_free_ char *path = path_join(s.root, "events/log");
    FILE *f = fopen(path, "a");
    CHECK(f && fputs("{\"Type\":\"vol\n", f) >= 0 && fclose(f) == 0);
    emit(&s, "b", "create");
    _cleanup_free_ char *all = read_all(&s, NULL);
    CHECK_STRING(all, "a:create b:create ");
    CHECK_INT(remove_tree(s.root, NULL), 0);
}

static void wrong_filters(void)
{
    struct store s = open_store();
    static const char *const wrong[] = {"bogus=1", "volume", "volume=", "=x"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char *filters[] = {(char *)wrong[i], NULL};
        const struct event_query q = {.filters = filters};
        struct error err = {0};
        CHECK(event_read(&s, &q, add_name, NULL, &err) < 0);
        CHECK_INT(err.kind, ERROR_USAGE);
    }
    CHECK_INT(remove_tree(s.root, NULL), 0);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(written_and_read),
        TEST(begun_anew_when_it_has_grown),
        TEST(half_a_line_is_passed_over),
        TEST(wrong_filters),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
