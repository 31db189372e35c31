/* spdx.h - licence expressions: SPDX specification 2.3, annex D ("MIT OR (Apache-2.0 AND
 * BSD-3-Clause WITH X)").
 *
 * Operators are taken in any case; which identifiers exist is not checked. "GPL-2.0" is read as
 * "GPL-2.0-only" and "GPL-2.0+" as "GPL-2.0-or-later", as SPDX renamed the GNU family's. */
#ifndef KELLET_POLICY_SPDX_H
#define KELLET_POLICY_SPDX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { SPDX_BYTES_MAX = 64 << 10, SPDX_TERMS_MAX = 1000, SPDX_DEPTH_MAX = 50 };

struct spdx {
    enum spdx_kind { SPDX_LICENCE, SPDX_AND, SPDX_OR } kind;
    str licence, exception;    /* SPDX_LICENCE; exception empty: none */
    const struct spdx **parts; /* SPDX_AND, SPDX_OR: two or more */
    size_t n_parts;
};

/* In the arena. ERR_FORMAT: it is no expression; ERR_LIMIT; ERR_NO_MEMORY. */
int spdx_parse(str text, struct arena *a, const struct spdx **out, struct err *e);

/* What a package states: an expression or, where it is none, words that all apply ("BSD GPL-2+"),
 * each read as a licence. NULL in *out when nothing is stated. */
int spdx_stated(str text, struct arena *a, const struct spdx **out, struct err *e);

/* Can the expression be fulfilled with the licences that `may` accepts? */
bool spdx_fulfilled(const struct spdx *x, bool (*may)(void *ctx, const struct spdx *licence),
                    void *ctx);

/* The same licence: without case, and with the GNU family's old names. */
bool spdx_same_licence(str a, str b);

enum { SPDX_NAME_MAX = 256 };
/* The name that SPDX has for it now: "GPL-2.0" is "GPL-2.0-only", "GPL-2.0+" "GPL-2.0-or-later".
 * In `out`, or `licence` itself. */
str spdx_present_name(str licence, char out[SPDX_NAME_MAX]);

#endif
