#include "base/err.h"

#include <errno.h>
#include <stdarg.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (!e)
        return code;
    va_list ap;
    va_start(ap, fmt);
    e->code = code;
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return code;
}

int err_errno(struct err *e, const char *fmt, ...)
{
    int saved = errno;
    int code = saved == ENOENT ? ERR_NOT_FOUND : saved == ENOMEM ? ERR_NO_MEMORY : ERR_IO;
    if (!e)
        return code;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    if (n > 0 && (size_t)n < sizeof e->text) {
        char reason[128];
        const char *text = strerror_r(saved, reason, sizeof reason);
        snprintf(e->text + n, sizeof e->text - (size_t)n, ": %s", text);
    }
    e->code = code;
    return code;
}

int err_no_memory(struct err *e)
{
    return err_set(e, ERR_NO_MEMORY, "out of memory");
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    if (!e)
        return ERR_IO;
    char old[sizeof e->text];
    memcpy(old, e->text, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    if (n > 0 && (size_t)n < sizeof e->text)
        snprintf(e->text + n, sizeof e->text - (size_t)n, ": %s", old);
    return e->code;
}

const char *err_word(int code)
{
    static const char *const words[] = {
        [-ERR_IO] = "io",
        [-ERR_FORMAT] = "format",
        [-ERR_LIMIT] = "limit",
        [-ERR_NOT_FOUND] = "not-found",
        [-ERR_NET] = "network",
        [-ERR_AUTH] = "auth",
        [-ERR_NO_MEMORY] = "memory",
        [-ERR_USAGE] = "usage",
        [-ERR_UNSUPPORTED] = "unsupported",
        [-ERR_MISMATCH] = "mismatch",
        [-ERR_EXISTS] = "exists",
        [-ERR_CONFLICT] = "conflict",
    };
    int i = -code;
    if (i <= 0 || (size_t)i >= KE_ARRAY_LEN(words))
        return "unknown";
    return words[i];
}
