#include "store/progress.h"

#include <stdarg.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/cleanup.h"

void progress_line(const struct progress *p, const char *format, ...)
{
    if (!p || !p->line)
        return;
    va_list ap;
    va_start(ap, format);
    _cleanup_free_ char *text = xvasprintf(format, ap);
    va_end(ap);
    p->line(p->context, text);
}
