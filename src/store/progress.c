#include "store/progress.h"

#include <stdarg.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strv.h"

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

void progress_image(const struct progress *p, char *const *blobs, const char *config)
{
    progress_line(p, "Getting image source signatures");
    STRV_FOREACH(hex, blobs)
    progress_line(p, "Copying blob sha256:%s", *hex);
    progress_line(p, "Copying config sha256:%s", config);
    progress_line(p, "Writing manifest to image destination");
    progress_line(p, "Storing signatures");
}
