#include "base/refusals.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

/* How many a message tells. */
#define SHOWN 20

static size_t refusals_kept(const struct refusals *f)
{
    return f->count < REFUSALS_KEPT ? f->count : REFUSALS_KEPT;
}

static void note(struct refusals *f, const char *reason)
{
    size_t kept = refusals_kept(f);
    bool known = false;
    for (size_t i = 0; !known && i < kept; i++)
        known = strcmp(f->reasons[i], reason) == 0;
    if (!known && kept < REFUSALS_KEPT)
        f->reasons[kept] = xstrdup(reason);
    f->count += !known;
}

void refusals_add(struct refusals *f, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    _cleanup_free_ char *reason = xvasprintf(format, ap);
    va_end(ap);
    note(f, reason);
}

int refusals_take_any(struct refusals *f, int r, struct error *err)
{
    if (r >= 0 || err->kind == ERROR_CANCELLED)
        return r;
    if (!f->code)
        f->code = err->code, f->kind = err->kind;
    note(f, err->text);
    *err = (struct error){0};
    return 0;
}

int refusals_take(struct refusals *f, int r, struct error *err)
{
    return r == -ENOTSUP || r == -EPERM ? refusals_take_any(f, r, err) : r;
}

static void list(const struct refusals *f, const char *heading, struct buf *text)
{
    buf_printf(text, "%s for %zu reasons:", heading, f->count);
    size_t shown = 0;
    for (; shown < refusals_kept(f) && shown < SHOWN; shown++) {
        if (text->size + strlen(f->reasons[shown]) + 32 > ERROR_TEXT_MAX)
            break;
        buf_printf(text, "\n  %s", f->reasons[shown]);
    }
    if (shown < f->count)
        buf_printf(text, "\n  and %zu more", f->count - shown);
}

int refusals_report(const struct refusals *f, struct error *err, const char *format, ...)
{
    if (!f->count)
        return 0;
    int code = f->code ? f->code : ENOTSUP;
    _cleanup_buf_ struct buf text = {0};
    if (f->count == 1) {
        buf_printf(&text, "%s", f->reasons[0]);
    } else {
        va_list ap;
        va_start(ap, format);
        _cleanup_free_ char *heading = xvasprintf(format, ap);
        va_end(ap);
        list(f, heading, &text);
    }
    error_set(err, code, "%s", text.data);
    if (err)
        err->kind = f->kind;
    return -code;
}

void refusals_move(struct refusals *f, struct refusals *from)
{
    if (!f->code)
        f->code = from->code, f->kind = from->kind;
    for (size_t i = 0; i < refusals_kept(from); i++)
        note(f, from->reasons[i]);
    f->count += from->count - refusals_kept(from);
    refusals_clear(from);
}

void refusals_clear(struct refusals *f)
{
    for (size_t i = 0; i < refusals_kept(f); i++)
        free(f->reasons[i]);
    *f = (struct refusals){0};
}
