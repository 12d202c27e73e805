#include "base/error.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int kind_code(enum error_kind kind)
{
    static const int codes[] = {
        [ERROR_GENERIC] = EIO,         [ERROR_USAGE] = EINVAL,
        [ERROR_NOT_FOUND] = ENOENT,    [ERROR_CONFLICT] = EEXIST,
        [ERROR_STATE] = EBUSY,         [ERROR_IN_USE] = EBUSY,
        [ERROR_CANNOT_INVOKE] = EIO,   [ERROR_COMMAND_NOT_FOUND] = ENOENT,
        [ERROR_CANCELLED] = ECANCELED,
    };
    return codes[kind];
}

const char *errno_text(int code, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", strerrordesc_np(code) ? strerrordesc_np(code) : "unknown error");
    if (size > 1 && !isupper((unsigned char)buffer[1]))
        buffer[0] = (char)tolower((unsigned char)buffer[0]);
    return buffer;
}

static int fill(struct error *err, int code, enum error_kind kind, const char *format, va_list ap)
{
    if (code <= 0)
        code = EIO;
    if (!err)
        return -code;
    err->code = code;
    err->kind = kind;
    vsnprintf(err->text, sizeof(err->text), format, ap);
    return -code;
}

int error_set(struct error *err, int code, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int r = fill(err, code, ERROR_GENERIC, format, ap);
    va_end(ap);
    return r;
}

int error_kind_set(struct error *err, enum error_kind kind, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int r = fill(err, kind_code(kind), kind, format, ap);
    va_end(ap);
    return r;
}

int error_errno(struct error *err, int code, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int r = fill(err, code, ERROR_GENERIC, format, ap);
    va_end(ap);
    if (err) {
        char text[128];
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof(err->text) - used, ": %s",
                 errno_text(code, text, sizeof(text)));
    }
    return r;
}

int error_wrap(struct error *err, const char *format, ...)
{
    if (!err)
        return -EIO;
    char old[ERROR_TEXT_MAX];
    memcpy(old, err->text, sizeof(old));
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(err->text, sizeof(err->text), format, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(err->text))
        snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", old);
    return err->code > 0 ? -err->code : -EIO;
}
