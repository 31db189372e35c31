/* diff.h - which packages the data speak of differently than before.
 *
 * The prints of a database are a digest for each package name of each platform and ecosystem, over
 * all claims about it and all that is known of the vulnerabilities they name, whatever the source:
 * severities, rejections, known exploitation, aliases. Two databases' prints differ at just the
 * names for which a match may come out otherwise. Not in the digests: EPSS, texts, notes and dates,
 * which move every day and change no finding. Prints are small (16 bytes a name), so that they are
 * kept where the database of before is long gone, and the same on every machine.
 *
 * Format: "KLP1", then for each part in byte order: varint lengths and bytes of platform and
 * ecosystem, varint number of names, then u64 key (vulndb_name_key) and u64 digest each, by key. */
#ifndef KELLET_VULNDB_DIFF_H
#define KELLET_VULNDB_DIFF_H

#include "base/buf.h"
#include "vulndb/vulndb.h"

/* Names a package of an ecosystem ("" for distributions' packages, whatever the platform). */
uint64_t vulndb_name_key(str ecosystem, str package);

/* Appends the prints; db may be NULL: no parts. Seconds for ten million claims. */
int vulndb_prints(const struct vulndb *db, struct buf *out, struct err *e);

struct vulndb_change {
    str platform, ecosystem; /* views into the newer prints or the older ones */
    uint64_t key;
};
/* Calls fn for each name that differs, was added or went. `before` empty: every name. Returns 1
 * when the parts themselves are others (a platform is covered that was not, or the reverse), else
 * 0; a negative value of fn ends it. ERR_FORMAT: no sound prints. */
int vulndb_prints_diff(str before, str now,
                       int (*fn)(void *ctx, const struct vulndb_change *c, struct err *e),
                       void *ctx, struct err *e);

#endif
