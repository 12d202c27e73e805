#include "test.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/database.h"
#include "store/schema.h"

static struct database *fresh(const char *dir)
{
    struct database *db = NULL;
    struct error err = {0};
    _cleanup_free_ char *path = path_join(dir, "db.sqlite");
    CHECK_INT(database_open(path, &db, &err), 0);
    return db;
}

static int add_volume(struct database *db, const char *name, struct error *err)
{
    return database_run(db, err, "INSERT INTO volumes (name, created) VALUES (?, ?)", "si", name,
                        (int64_t)1 << 40);
}

static int64_t volumes(struct database *db)
{
    int64_t n = -1;
    CHECK_INT(database_number(db, -1, &n, NULL, "SELECT count(*) FROM volumes", NULL), 0);
    return n;
}

static void opens_again(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    for (int i = 0; i < 3; i++) {
        struct database *db = fresh(dir);
        int64_t version = 0;
        CHECK_INT(database_number(db, 0, &version, NULL, "PRAGMA user_version", NULL), 0);
        CHECK_INT(version, (int64_t)schema_step_count);
        database_close(db);
    }
}

static void rows(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    struct error err = {0};
    struct database *db = fresh(dir);
    CHECK_INT(add_volume(db, "b", &err), 1);
    CHECK_INT(add_volume(db, "a", &err), 1);
    struct statement *q = NULL;
    CHECK_INT(
        database_query(db, &q, &err, "SELECT name, created, NULL FROM volumes ORDER BY name", NULL),
        0);
    CHECK_INT(statement_step(q, &err), 1);
    CHECK_STRING(statement_text(q, 0), "a");
    CHECK_INT(statement_int(q, 1), (int64_t)1 << 40);
    CHECK(statement_is_null(q, 2) && !statement_text(q, 2));
    CHECK_INT(statement_step(q, &err), 1);
    CHECK_INT(statement_step(q, &err), 0);
    statement_free(q);
    char **names = NULL;
    CHECK_INT(database_strings(db, &names, &err, "SELECT name FROM volumes ORDER BY 1", NULL), 0);
    CHECK_INT(strv_length(names), 2);
    strv_free(names);
    char *none = (char *)"";
    CHECK_INT(database_string(db, &none, &err, "SELECT name FROM volumes WHERE name = ?", "s", "x"),
              0);
    CHECK(!none);
    database_close(db);
}

static void errors(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    struct error err = {0};
    struct database *db = fresh(dir);
    add_volume(db, "a", &err);
    CHECK_INT(add_volume(db, "a", &err), -EEXIST);
    CHECK_INT(err.kind, ERROR_CONFLICT);
    CHECK(database_run(db, &err, "NONSENSE", NULL) < 0);
    CHECK_CONTAINS(err.text, "syntax error");
    CHECK(database_run(db, &err, "DELETE FROM volumes WHERE name = ?", NULL) < 0);
    database_close(db);
    struct database *none = NULL;
    CHECK(database_open("/nonexistent/db", &none, &err) < 0);
    CHECK_CONTAINS(err.text, "/nonexistent/db");
}

static void failing(struct database *db)
{
    _cleanup_transaction_ struct transaction t = {0};
    CHECK_INT(transaction_begin(&t, db, NULL), 0);
    add_volume(db, "lost", NULL);
}

static void transactions(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    struct database *db = fresh(dir);
    failing(db);
    CHECK_INT(volumes(db), 0);
    struct transaction t = {0};
    CHECK_INT(transaction_begin(&t, db, NULL), 0);
    add_volume(db, "kept", NULL);
    failing(db);
    CHECK_INT(transaction_commit(&t, NULL), 0);
    transaction_rollback(&t);
    CHECK_INT(volumes(db), 1);
    struct database *other = fresh(dir);
    CHECK_INT(volumes(other), 1);
    database_close(other);
    database_close(db);
}

static void newer_refused(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    struct error err = {0};
    struct database *db = fresh(dir);
    CHECK(database_run(db, &err, "PRAGMA user_version = 9999", NULL) >= 0);
    database_close(db);
    _cleanup_free_ char *path = path_join(dir, "db.sqlite");
    CHECK(database_open(path, &db, &err) < 0);
    CHECK_CONTAINS(err.text, "newer firn");
}

/* Two commands that come to a new store at once. */
static void opened_together(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    pid_t children[8];
    for (size_t i = 0; i < ARRAY_LEN(children); i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct database *db = fresh(dir);
            char name[16];
            snprintf(name, sizeof(name), "v%zu", i);
            _exit(add_volume(db, name, NULL) == 1 ? 0 : 1);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(children); i++) {
        int status = 1;
        waitpid(children[i], &status, 0);
        CHECK_INT(status, 0);
    }
    struct database *db = fresh(dir);
    CHECK_INT(volumes(db), ARRAY_LEN(children));
    database_close(db);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(opens_again),  TEST(rows),          TEST(errors),
        TEST(transactions), TEST(newer_refused), TEST(opened_together),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
