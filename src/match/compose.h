/* compose.h - findings and reasons out of voices: fix versions, severity, texts. */
#ifndef KELLET_MATCH_COMPOSE_H
#define KELLET_MATCH_COMPOSE_H

#include "match/judge.h"

/* voices: all of one vulnerability, sorted, the first AFFECTED. finding.package is left to the
 * caller. Everything is copied into the arena. */
int compose_finding(const struct voice *voices, size_t n, const struct lore *lore, struct arena *a,
                    struct finding *out, struct err *e);

/* "debian says that openssl on debian:12 is not affected" or "... is fixed in 3.0.9-1". */
str compose_not_affected(const struct voice *v, struct arena *a);

/* Appends "below 1.2", "from 1.0 below 1.2", "in every version": the range of the claim that
 * covers the version, or all of its ranges. */
void compose_range(const struct claim *c, str version, struct buf *out);

#endif
