#include "container-fixture.h"

#include <fcntl.h>

#include "base/buf.h"
#include "container/log-line.h"
#include "container/logs.h"

static const char sample[] = "2026-11-21T17:00:00.000000001+00:00 stdout F one\n"
                             "2026-11-21T17:00:01.5+00:00 stderr F bad\n"
                             "2026-11-21T17:00:02.0+00:00 stdout P par\n"
                             "2026-11-21T17:00:02.1+00:00 stdout F tial\n"
                             "garbage\n"
                             "2026-11-21T17:00:03.0+00:00 stdout F \n"
                             "2026-11-21T17:00:04.0+00:00 stdout F half a li";

static void lines_are_parsed(void)
{
    struct log_line line;
    const char *text = "2026-11-21T17:00:02.5+00:00 stderr P x y";
    CHECK(log_line_parse(text, strlen(text), &line));
    CHECK(line.is_stderr && line.partial);
    CHECK_INT(line.size, 3);
    CHECK_INT(line.time % 1000000000, 500000000);
    static const char *const wrong[] = {"",
                                        "x",
                                        "2026-11-21T17:00:02Z stdout F",
                                        "2026-11-21T17:00:02Z stdxxx F a",
                                        "2026-11-21T17:00:02Z stdout Q a",
                                        "never stdout F a"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        CHECK(!log_line_parse(wrong[i], strlen(wrong[i]), &line));
}

static char *show(struct fixture *f, struct container *c, struct logs_options o)
{
    _cleanup_free_ char *path = path_join(f->dir, "out");
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    o.stdout_fd = o.stderr_fd = fd;
    CHECK_INT(container_logs(c, &o, &f->err), 0);
    _cleanup_buf_ struct buf b = {0};
    CHECK_INT(file_read(path, &b, &f->err), 0);
    return buf_take(&b);
}

static void logs_are_shown(void)
{
    _cleanup_fixture_ struct fixture f = {0};
    fixture_begin(&f);
    struct json *config = NULL;
    CHECK_INT(config_make(f.firn, &f.options, &f.image, &config, &f.err), 0);
    _cleanup_container_ struct container *c = container_new(f.firn, config);
    struct logs_options o = LOGS_OPTIONS_INIT;
    _cleanup_free_ char *nothing = show(&f, c, o);
    CHECK_STRING(nothing, ""); /* never started: no file */
    _cleanup_free_ char *log = container_log_path(c);
    CHECK_INT(mkdir_parents(c->directory, 0700, NULL), 0);
    CHECK_INT(file_write_atomic(log, sample, strlen(sample), 0600, false, NULL), 0);
    _cleanup_free_ char *all = show(&f, c, o);
    CHECK_STRING(all, "one\nbad\npartial\n\n");
    o.tail = 2;
    _cleanup_free_ char *tail = show(&f, c, o);
    CHECK_STRING(tail, "partial\n\n");
    o.tail = 1;
    o.timestamps = true;
    o.prefix = "id ";
    _cleanup_free_ char *stamped = show(&f, c, o);
    CHECK_STRING(stamped, "id 2026-11-21T17:00:03Z \n");
    o = (struct logs_options)LOGS_OPTIONS_INIT;
    CHECK_INT(js_is_object(c->config), 1);
    o.since = INT64_C(1795280401000000000);
    o.until = INT64_C(1795280402000000000);
    _cleanup_free_ char *window = show(&f, c, o);
    CHECK_STRING(window, "bad\npar");
}

int main(void)
{
    static const struct test tests[] = {TEST(lines_are_parsed), TEST(logs_are_shown)};
    return run_tests(tests, ARRAY_LEN(tests));
}
