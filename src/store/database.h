/* The state database. database.c is the only file that knows SQLite; the tables are in schema.c,
 * documented there.
 *
 * A query:
 *
 *     _cleanup_statement_ struct statement *q = NULL;
 *     int r = database_query(db, &q, err, "SELECT id, name FROM containers WHERE created > ?",
 *                            "i", since);
 *     while (r >= 0 && (r = statement_step(q, err)) > 0)
 *         printf("%s %s\n", statement_text(q, 0), statement_text(q, 1));
 *     return r;
 *
 * A change, alone or as one of several that become visible together:
 *
 *     _cleanup_transaction_ struct transaction t = {0};
 *     int r = transaction_begin(&t, db, err);
 *     if (r < 0)
 *         return r;
 *     r = database_run(db, err, "UPDATE containers SET name = ? WHERE id = ?", "ss", name, id);
 *     if (r < 0)
 *         return r;                       // rolled back when `t` goes out of scope
 *     return transaction_commit(&t, err);
 *
 * Arguments are bound by a string of types: 's' const char * (NULL: SQL NULL), 'i' int64_t (cast
 * smaller ones!), 'b' bool/int. Their number must be that of the '?' in the text.
 *
 * A violated UNIQUE or PRIMARY KEY gives ERROR_CONFLICT (-EEXIST), so a caller may insert first
 * and word the error afterwards. All writers wait for each other (10 s at most). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct database;
struct statement;

/* Around a fork(2) whose child opens the database itself. SQLite keeps book of the locks of its
 * process, which a child inherits, while it does not inherit the locks: it would believe to hold
 * them. No statement may be open. */
void database_pause(struct database *db);
int database_resume(struct database *db, struct error *err);

/* Opens or creates; brings an older schema up to date. WAL, synchronous NORMAL, foreign keys on. */
int database_open(const char *path, struct database **ret, struct error *err);
void database_close(struct database *db);
DEFINE_CLEANUP(struct database *, database_close);
#define _cleanup_database_ _cleanup_(database_closep)

/* Prepares and binds. `types` NULL: no arguments. */
int database_query(struct database *db, struct statement **ret, struct error *err, const char *sql,
                   const char *types, ...);
/* Runs one statement to its end. Returns the number of rows changed. */
int database_run(struct database *db, struct error *err, const char *sql, const char *types, ...);
/* The first column of the first row as a number; `otherwise` when there is no row or NULL. */
int database_number(struct database *db, int64_t otherwise, int64_t *ret, struct error *err,
                    const char *sql, const char *types, ...);
/* The first column of the first row as text (the caller frees); NULL in *ret when there is no row.
 */
int database_string(struct database *db, char **ret, struct error *err, const char *sql,
                    const char *types, ...);
/* The first column of all rows as a list of strings (never NULL on success). */
int database_strings(struct database *db, char ***ret, struct error *err, const char *sql,
                     const char *types, ...);
/* The rowid of the last INSERT. */
int64_t database_last_row(struct database *db);

/* 1: a row is there, 0: no more rows, negative: failed. */
int statement_step(struct statement *q, struct error *err);
/* Columns from 0. Text lives until the next step; NULL for SQL NULL. */
const char *statement_text(struct statement *q, int column);
int64_t statement_int(struct statement *q, int column); /* NULL reads as 0 */
bool statement_is_null(struct statement *q, int column);
void statement_free(struct statement *q);
DEFINE_CLEANUP(struct statement *, statement_free);
#define _cleanup_statement_ _cleanup_(statement_freep)

/* Nested ones are savepoints: the inner may fail and the outer go on. */
struct transaction {
    struct database *db; /* NULL: not begun or over */
    int depth;
};
int transaction_begin(struct transaction *t, struct database *db, struct error *err);
int transaction_commit(struct transaction *t, struct error *err);
void transaction_rollback(struct transaction *t); /* nothing when committed */
#define _cleanup_transaction_ _cleanup_(transaction_rollback)
