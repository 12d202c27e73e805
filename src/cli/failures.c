#include "cli/failures.h"

#include <stdio.h>

void failures_add(struct failures *f, const struct error *one)
{
    if (f->any) {
        fflush(stdout);
        fprintf(stderr, "Error: %s\n", f->last.text);
    }
    f->last = *one;
    f->any = true;
}

int failures_end(const struct failures *f, struct error *err)
{
    if (!f->any)
        return 0;
    *err = f->last;
    return err->code ? -err->code : -1;
}
