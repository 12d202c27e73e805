#include "engine/visit.h"

#include "base/alloc.h"
#include "engine/stage.h"

int task_visit(struct task *t,
               int (*what)(struct task *t, struct batch *b, void *context, struct error *err),
               void *context, struct error *err)
{
    struct puppet *p = &t->threads[0].puppet;
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    int r = puppet_borrow(p, err);
    if (r == 0)
        r = stage_raise(p, t->vdso_end, t->thread_count == 1, err);
    if (r == 0) {
        batch_start(b, p);
        r = what(t, b, context, err);
        batch_free(b);
    }
    struct error second;
    int strike = p->borrowed ? stage_strike(p, r == 0 ? err : &second) : 0;
    int back = puppet_return(p, r == 0 && strike == 0 ? err : &second);
    return r < 0 ? r : strike < 0 ? strike : back;
}
