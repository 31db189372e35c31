/* analyst_order.h - what one analyst is to do, as bytes: for the process that starts analysts.
 *
 * Integers as LEB128 varints, text as length and bytes: shape, kind, selector, flags (1 seekable,
 * 2 host, 4 platform asked for, 8 an engine's export, 16 not confined), os, architecture, variant,
 * threads; aliases (number; real, as, hard); 0, or 1 and the wishes: rules (number; name, pattern,
 * max_file_size), retrieved paths (number; path), retrieve_max, malware, malware_max. */
#ifndef KELLET_PACKAGES_ANALYST_ORDER_H
#define KELLET_PACKAGES_ANALYST_ORDER_H

#include "packages/analyst.h"
#include "packages/image_facts.h"

enum { ORDER_BYTES_MAX = 64 << 20 };

struct analyst_order {
    struct arena arena;             /* owns every slice */
    struct source source;           /* without fd and what only the parent needs */
    struct analyst_options options; /* facts: the one below or NULL; no progress */
    struct facts_wanted facts;      /* expressions compiled */
};

/* Appends to out, whose maximum is the limit (buf_check). */
void order_encode(const struct source *s, const struct analyst_options *o, struct buf *out);
/* On success *out must be freed. */
int order_decode(str bytes, struct analyst_order **out, struct err *e);
void order_free(struct analyst_order *o); /* NULL is fine */

#endif
