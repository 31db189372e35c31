/* err.h - an error with context, carried as the last parameter of every call that can fail.
 *
 * A function returns 0 (or a count >= 0) or one of the negative codes below, and fills *e. The text
 * is for people: it names the thing and, where there is something to do, says what. Callers act on
 * codes only where they can do something (not found, limit, network); the rest travels up, gaining
 * context by err_wrap(). `e` may be NULL when the caller does not want the text. Library code never
 * prints and never exits. */
#ifndef KELLET_BASE_ERR_H
#define KELLET_BASE_ERR_H

#include "base/compiler.h"

enum err_code {
    ERR_IO = -1,          /* the operating system refused; the text carries its reason */
    ERR_FORMAT = -2,      /* input is not what its format says it must be, or is truncated */
    ERR_LIMIT = -3,       /* input is larger, deeper or longer than the limit that was given */
    ERR_NOT_FOUND = -4,   /* the named thing does not exist */
    ERR_NET = -5,         /* the network or the server at the other end failed; a retry may help */
    ERR_AUTH = -6,        /* credentials are missing or were refused */
    ERR_NO_MEMORY = -7,   /* allocation failed, or an arena reached its maximum */
    ERR_USAGE = -8,       /* the caller (a person or a program) asked for something meaningless */
    ERR_UNSUPPORTED = -9, /* well-formed, but not something this build can read */
    ERR_MISMATCH = -10,   /* a digest or signature does not match what was promised */
    ERR_EXISTS = -11,     /* there is one already */
    ERR_CONFLICT = -12,   /* the state of things does not allow it; the text says which */
};

struct err {
    int code;
    char text[500];
};

/* Sets code and text; returns code, so that `return err_set(e, ERR_FORMAT, ...)` reads well. */
int err_set(struct err *e, int code, const char *fmt, ...) KE_PRINTF(3, 4);

/* Like err_set with ERR_IO and ": " and the text of errno appended. errno ENOENT gives
 * ERR_NOT_FOUND, ENOMEM gives ERR_NO_MEMORY. */
int err_errno(struct err *e, const char *fmt, ...) KE_PRINTF(2, 3);

/* ERR_NO_MEMORY with a standard text. */
int err_no_memory(struct err *e);

/* Puts "context: " in front of the text; keeps and returns the code. */
int err_wrap(struct err *e, const char *fmt, ...) KE_PRINTF(2, 3);

/* A short word for a code ("format", "limit", ...), for machine-readable output. */
const char *err_word(int code);

#endif
