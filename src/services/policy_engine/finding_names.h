/* finding_names.h - the names that findings have and had.
 *
 * A finding stands under one id (finding_span): the CVE, or an advisory's id while there is none.
 * Its other names are said by the data, and newer data may say others: an advisory is withdrawn or
 * goes, and the CVE does not know it any more; a CVE is given, and findings move to it. So that the
 * memory is found under any name that a vulnerability ever had, each pair (other name, id) that was
 * true of data gone through is kept (table finding_name) and never taken back. A CVE is never
 * another one's name. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_FINDING_NAMES_H
#define KELLET_SERVICES_POLICY_ENGINE_FINDING_NAMES_H

#include "services/policy_engine/reindex_internal.h"

/* The names that the data give a vulnerability, the given one first: the ids that findings of it
 * stand under, and their other names. A CVE has no other CVE, and neither has an advisory whose own
 * record names one, whatever aliases it shares. *out in the arena. db may be NULL. */
int finding_names_now(const struct vulndb *db, struct arena *a, str id, str **out, size_t *n,
                      struct err *e);
/* Appends to `names` the ids under which findings called by the first of them stand or stood, and
 * the names of those; none twice. In the arena. */
int finding_names_ever(struct db_tx *tx, struct arena *a, str **names, size_t *n, struct err *e);

/* Keeps the names that the data give these packages' findings (`now`); before they are written. */
int finding_names_add(const struct reindex_options *o, const struct candidate *c, size_t n,
                      struct err *e);
/* Keeps the names of findings that are remembered, once for each generation of the data. packages:
 * those of which the data speak differently than those of `before`; when the names of `before` were
 * kept, only their findings are looked at, whether there are any now or were. packages NULL, and
 * once a day: all findings (of some the data have no claim any more, but another name). */
int finding_names_keep(const struct reindex_options *o, const posting_ids *packages,
                       const char *before, struct err *e);

#endif
