/* pattern.h - the patterns of bundles: "*" stands for any characters but newlines; a pattern that
 * begins with "regexp:" is an expression as Python's match() takes it.
 *
 * As in the original the end of a pattern also matches before a newline that ends the subject, and
 * upper and lower case count. Immutable once compiled: many threads may use one. */
#ifndef KELLET_POLICY_PATTERN_H
#define KELLET_POLICY_PATTERN_H

#include "base/arena.h"
#include "codec/regex.h"

struct pattern {
    str text;            /* as written */
    const str *parts;    /* the literals between the stars, n_parts >= 1; NULL: an expression */
    size_t n_parts;      /* 1: no star */
    struct regex *regex; /* NULL and no parts: it is broken */
};

/* `text` is borrowed. An expression that does not compile, or ten thousand stars, are no error
 * here: the pattern is broken. Negative: memory. */
int pattern_compile(str text, struct arena *a, struct pattern *out, struct err *e);
void pattern_done(struct pattern *p);
static inline bool pattern_broken(const struct pattern *p)
{
    return !p->parts && !p->regex;
}
/* 1: matches; 0: does not; ERR_USAGE: it is broken; ERR_LIMIT: too many steps. */
int pattern_match(const struct pattern *p, str subject, struct err *e);

#endif
