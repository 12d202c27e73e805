#include "container-fixture.h"

#include "base/clock.h"
#include "base/process.h"
#include "container/state.h"

static struct container *make_container(struct fixture *f)
{
    fixture_begin(f);
    struct json *config = NULL;
    CHECK_INT(config_make(f->firn, &f->options, &f->image, &config, &f->err), 0);
    struct container *c = container_new(f->firn, config);
    if (container_insert(c, &f->err) < 0)
        test_failed(__FILE__, __LINE__, "container_insert: %s", f->err.text);
    return c;
}

static enum container_state look(struct container *c)
{
    struct container_status s;
    CHECK_INT(container_status(c, &s, NULL), 0);
    return s.state;
}

static void write_process(struct container *c, const struct process *p)
{
    char text[64];
    snprintf(text, sizeof(text), "%d %llu", (int)p->pid, (unsigned long long)p->start_ticks);
    CHECK_INT(mkdir_parents(c->run_directory, 0700, NULL), 0);
    _cleanup_free_ char *path = container_run_path(c, "process");
    CHECK_INT(file_write_atomic(path, text, strlen(text), 0600, false, NULL), 0);
}

static void a_process_is_pid_and_start_time(void)
{
    _cleanup_fixture_ struct fixture f = {0};
    _cleanup_container_ struct container *c = make_container(&f);
    CHECK_INT(look(c), CONTAINER_CREATED);
    struct process us;
    CHECK_INT(process_identify(getpid(), &us), 0);
    write_process(c, &us);
    CHECK_INT(look(c), CONTAINER_RUNNING);
    us.start_ticks++;
    write_process(c, &us);
    CHECK_INT(look(c), CONTAINER_STOPPED);
}

static void the_exit_file_tells_the_code(void)
{
    _cleanup_fixture_ struct fixture f = {0};
    _cleanup_container_ struct container *c = make_container(&f);
    write_process(c, &(struct process){.pid = getpid(), .start_ticks = 1});
    struct container_status s;
    CHECK_INT(container_status(c, &s, NULL), 0);
    CHECK_INT(s.exit_code, EXIT_CODE_UNKNOWN); /* there is no conmon to wait for */
    _cleanup_free_ char *exits = path_join(f.firn->runroot, "exits");
    _cleanup_free_ char *path = path_join(exits, c->id);
    CHECK_INT(mkdir_parents(exits, 0700, NULL), 0);
    CHECK_INT(file_write_atomic(path, "42", 2, 0600, false, NULL), 0);
    CHECK_INT(container_status(c, &s, NULL), 0);
    CHECK_INT(s.exit_code, 42);
    CHECK(s.finished_at > 0);
}

static void facts_last(void)
{
    _cleanup_fixture_ struct fixture f = {0};
    _cleanup_container_ struct container *c = make_container(&f), *again = NULL;
    c->facts.started_at = 5;
    c->facts.finished_at = 7;
    c->facts.exit_code = 3;
    c->facts.checkpointed = true;
    c->facts.checkpoint_path = xstrdup("/x");
    CHECK_INT(container_save_facts(c, &f.err), 0);
    CHECK_INT(container_lookup(f.firn, c->name, &again, &f.err), 0);
    CHECK_INT(again->facts.exit_code, 3);
    CHECK_STRING(again->facts.checkpoint_path, "/x");
    CHECK_INT(look(again), CONTAINER_EXITED);
}

static void status_texts(void)
{
    struct container_status s = {.state = CONTAINER_RUNNING,
                                 .started_at = now_ns() - INT64_C(2500000000)};
    _cleanup_free_ char *up = container_status_text(&s);
    CHECK_STRING(up, "Up 2 seconds");
    s.state = CONTAINER_EXITED;
    s.exit_code = 137;
    s.finished_at = now_ns() - INT64_C(300000000000);
    _cleanup_free_ char *ended = container_status_text(&s);
    CHECK_STRING(ended, "Exited (137) 5 minutes ago");
    s.state = CONTAINER_INITIALIZED;
    _cleanup_free_ char *waits = container_status_text(&s);
    CHECK_STRING(waits, "Initialized");
}

static void lookup_by_prefix(void)
{
    _cleanup_fixture_ struct fixture f = {0};
    _cleanup_container_ struct container *c = make_container(&f), *found = NULL;
    char prefix[13];
    snprintf(prefix, sizeof(prefix), "%.12s", c->id);
    CHECK_INT(container_lookup(f.firn, prefix, &found, &f.err), 0);
    CHECK_STRING(found->id, c->id);
    CHECK(container_lookup(f.firn, "nope", &found, &f.err) < 0);
    CHECK_INT(f.err.kind, ERROR_NOT_FOUND);
    CHECK_STRING(f.err.text, "no container with name or ID \"nope\" found: no such container");
    CHECK(container_insert(c, &f.err) < 0);
    CHECK_STRING(f.err.text, "creating container storage: that ID is already in use");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(a_process_is_pid_and_start_time),
        TEST(the_exit_file_tells_the_code),
        TEST(facts_last),
        TEST(status_texts),
        TEST(lookup_by_prefix),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
