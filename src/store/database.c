#include "store/database.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "store/schema.h"

#define BUSY_TIMEOUT_MS 10000
/* Moving the log into the database waits for the disk, so not every command that closes should; but
 * each that opens reads the log, so it is kept short. */
#define WAL_PAGES 64

struct database {
    sqlite3 *handle;
    char *path;
    int depth; /* of transactions */
};

/* `struct statement` is sqlite3_stmt under another name: the casts are the whole wrapper. */
static sqlite3_stmt *in(struct statement *q)
{
    return (sqlite3_stmt *)q;
}

static int failed(sqlite3 *handle, struct error *err, const char *what)
{
    const char *path = sqlite3_db_filename(handle, "main");
    int code = sqlite3_extended_errcode(handle);
    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
        return error_kind_set(err, ERROR_CONFLICT, "database %s: cannot %s: %s", path, what,
                              sqlite3_errmsg(handle));
    if (code == SQLITE_CONSTRAINT_TRIGGER) /* its text is made for people */
        return error_kind_set(err, ERROR_NOT_FOUND, "%s", sqlite3_errmsg(handle));
    if ((code & 0xff) == SQLITE_BUSY)
        return error_set(err, EBUSY, "database %s: cannot %s: another command holds it", path,
                         what);
    if ((code & 0xff) == SQLITE_FULL)
        return error_set(err, ENOSPC, "database %s: cannot %s: no space left on device", path,
                         what);
    return error_set(err, EIO, "database %s: cannot %s: %s", path, what, sqlite3_errmsg(handle));
}

static int script(struct database *db, const char *sql, const char *what, struct error *err)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : failed(db->handle, err, what);
}

/* Two commands may come to a new store at once: the version is looked at again under the write
 * lock. */
static int migrate_step(struct database *db, size_t step, struct error *err)
{
    _cleanup_transaction_ struct transaction t = {0};
    int r = transaction_begin(&t, db, err);
    int64_t version = 0;
    if (r >= 0)
        r = database_number(db, 0, &version, err, "PRAGMA user_version", NULL);
    if (r < 0 || (size_t)version != step)
        return r < 0 ? r : transaction_commit(&t, err);
    r = script(db, schema_steps[step], "bring the tables up to date", err);
    _cleanup_free_ char *mark = xasprintf("PRAGMA user_version = %zu", step + 1);
    if (r >= 0)
        r = script(db, mark, "bring the tables up to date", err);
    return r < 0 ? r : transaction_commit(&t, err);
}

static int migrate(struct database *db, struct error *err)
{
    int64_t version = 0;
    int r = database_number(db, 0, &version, err, "PRAGMA user_version", NULL);
    if (r < 0)
        return r;
    if ((size_t)version > schema_step_count)
        return error_set(err, EPROTO,
                         "database %s was written by a newer firn (version %lld, this one knows "
                         "%zu)",
                         db->path, (long long)version, schema_step_count);
    for (size_t step = (size_t)version; r >= 0 && step < schema_step_count; step++)
        r = migrate_step(db, step, err);
    return r;
}

/* SQLite does not wait here, since two that both want to switch would wait for ever. */
static int switch_to_wal(struct database *db, struct error *err)
{
    int64_t deadline = monotonic_ns() + BUSY_TIMEOUT_MS * INT64_C(1000000);
    for (;;) {
        int r = script(db, "PRAGMA journal_mode=WAL;", "configure", err);
        if (r != -EBUSY || monotonic_ns() > deadline)
            return r;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

/* journal_mode is stored in the file, so an existing database is in WAL mode already. Asking first
 * spares the write lock. */
static int configure(struct database *db, struct error *err)
{
    sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_wal_autocheckpoint(db->handle, WAL_PAGES);
    int r = script(db, "PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;", "configure", err);
    _cleanup_free_ char *mode = NULL;
    if (r >= 0)
        r = database_string(db, &mode, err, "PRAGMA journal_mode", NULL);
    if (r >= 0 && !string_equal(mode, "wal"))
        r = switch_to_wal(db, err);
    return r;
}

int database_resume(struct database *db, struct error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(db->path, &db->handle, flags, NULL) != SQLITE_OK)
        return error_set(err, EIO, "cannot open database %s: %s", db->path,
                         sqlite3_errmsg(db->handle));
    sqlite3_extended_result_codes(db->handle, 1);
    return configure(db, err);
}

void database_pause(struct database *db)
{
    sqlite3_close_v2(db->handle);
    db->handle = NULL;
}

int database_open(const char *path, struct database **ret, struct error *err)
{
    _cleanup_database_ struct database *db = xcalloc(1, sizeof(*db));
    db->path = xstrdup(path);
    int r = database_resume(db, err);
    if (r >= 0)
        r = migrate(db, err);
    if (r < 0)
        return r;
    *ret = take_ptr(db);
    return 0;
}

void database_close(struct database *db)
{
    if (!db)
        return;
    sqlite3_close_v2(db->handle);
    free(db->path);
    free(db);
}

static int bind_one(sqlite3_stmt *q, int i, char type, va_list *ap)
{
    if (type == 's') {
        const char *text = va_arg(*ap, const char *);
        return sqlite3_bind_text(q, i, text, -1, SQLITE_TRANSIENT);
    }
    if (type == 'i')
        return sqlite3_bind_int64(q, i, va_arg(*ap, int64_t));
    return sqlite3_bind_int(q, i, va_arg(*ap, int));
}

static int query(struct database *db, struct statement **ret, struct error *err, const char *sql,
                 const char *types, va_list *ap)
{
    _cleanup_statement_ struct statement *q = NULL;
    sqlite3_stmt *handle = NULL;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &handle, NULL) != SQLITE_OK)
        return failed(db->handle, err, sql);
    q = (struct statement *)handle;
    size_t count = types ? strlen(types) : 0;
    if ((size_t)sqlite3_bind_parameter_count(handle) != count)
        return error_set(err, EINVAL, "%zu arguments for \"%s\"", count, sql);
    for (size_t i = 0; i < count; i++)
        if (bind_one(handle, (int)i + 1, types[i], ap) != SQLITE_OK)
            return failed(db->handle, err, sql);
    *ret = take_ptr(q);
    return 0;
}

int database_query(struct database *db, struct statement **ret, struct error *err, const char *sql,
                   const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    int r = query(db, ret, err, sql, types, &ap);
    va_end(ap);
    return r;
}

int database_run(struct database *db, struct error *err, const char *sql, const char *types, ...)
{
    _cleanup_statement_ struct statement *q = NULL;
    va_list ap;
    va_start(ap, types);
    int r = query(db, &q, err, sql, types, &ap);
    va_end(ap);
    while (r >= 0 && (r = statement_step(q, err)) > 0)
        ;
    return r < 0 ? r : sqlite3_changes(db->handle);
}

int database_number(struct database *db, int64_t otherwise, int64_t *ret, struct error *err,
                    const char *sql, const char *types, ...)
{
    _cleanup_statement_ struct statement *q = NULL;
    va_list ap;
    va_start(ap, types);
    int r = query(db, &q, err, sql, types, &ap);
    va_end(ap);
    if (r >= 0)
        r = statement_step(q, err);
    if (r < 0)
        return r;
    *ret = r && !statement_is_null(q, 0) ? statement_int(q, 0) : otherwise;
    return 0;
}

int database_string(struct database *db, char **ret, struct error *err, const char *sql,
                    const char *types, ...)
{
    _cleanup_statement_ struct statement *q = NULL;
    va_list ap;
    va_start(ap, types);
    int r = query(db, &q, err, sql, types, &ap);
    va_end(ap);
    if (r >= 0)
        r = statement_step(q, err);
    if (r < 0)
        return r;
    *ret = r ? xstrdup_null(statement_text(q, 0)) : NULL;
    return 0;
}

int database_strings(struct database *db, char ***ret, struct error *err, const char *sql,
                     const char *types, ...)
{
    _cleanup_statement_ struct statement *q = NULL;
    _cleanup_strv_ char **list = xcalloc(1, sizeof(char *));
    va_list ap;
    va_start(ap, types);
    int r = query(db, &q, err, sql, types, &ap);
    va_end(ap);
    while (r >= 0 && (r = statement_step(q, err)) > 0)
        strv_add(&list, statement_is_null(q, 0) ? "" : statement_text(q, 0));
    if (r < 0)
        return r;
    *ret = take_ptr(list);
    return 0;
}

int64_t database_last_row(struct database *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

int statement_step(struct statement *q, struct error *err)
{
    int r = sqlite3_step(in(q));
    if (r == SQLITE_ROW)
        return 1;
    return r == SQLITE_DONE ? 0 : failed(sqlite3_db_handle(in(q)), err, sqlite3_sql(in(q)));
}

const char *statement_text(struct statement *q, int column)
{
    return (const char *)sqlite3_column_text(in(q), column);
}

int64_t statement_int(struct statement *q, int column)
{
    return sqlite3_column_int64(in(q), column);
}

bool statement_is_null(struct statement *q, int column)
{
    return sqlite3_column_type(in(q), column) == SQLITE_NULL;
}

void statement_free(struct statement *q)
{
    sqlite3_finalize(in(q));
}

/* IMMEDIATE: the write lock is taken now, so what is read inside is still true at the commit. */
int transaction_begin(struct transaction *t, struct database *db, struct error *err)
{
    _cleanup_free_ char *sql =
        db->depth ? xasprintf("SAVEPOINT level%d", db->depth) : xstrdup("BEGIN IMMEDIATE");
    int r = script(db, sql, "begin a transaction", err);
    if (r < 0)
        return r;
    *t = (struct transaction){.db = db, .depth = db->depth++};
    return 0;
}

int transaction_commit(struct transaction *t, struct error *err)
{
    _cleanup_free_ char *sql =
        t->depth ? xasprintf("RELEASE level%d", t->depth) : xstrdup("COMMIT");
    int r = script(t->db, sql, "commit", err);
    if (r < 0)
        return r;
    t->db->depth = t->depth;
    t->db = NULL;
    return 0;
}

void transaction_rollback(struct transaction *t)
{
    if (!t->db)
        return;
    _cleanup_free_ char *sql =
        t->depth ? xasprintf("ROLLBACK TO level%d; RELEASE level%d", t->depth, t->depth)
                 : xstrdup("ROLLBACK");
    script(t->db, sql, "roll back", NULL);
    t->db->depth = t->depth;
    t->db = NULL;
}
