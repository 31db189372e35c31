/* reindex_internal.h - what reindex*.c share. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_REINDEX_INTERNAL_H
#define KELLET_SERVICES_POLICY_ENGINE_REINDEX_INTERNAL_H

#include "services/package_identity.h"
#include "services/policy_engine/changes.h"
#include "services/policy_engine/reindex.h"
#include "store/posting.h"

/* closed_at of what is held for true now. */
#define SPAN_OPEN ((int64_t)9000000000000000000)
/* One more whenever matching gives other results from the same data. */
enum { REINDEX_RULES = 1, REINDEX_CHUNK = 512, SEVERITIES = SEV_CRITICAL + 1 };

/* A finding as it is remembered. */
struct remembered {
    str id, source, fix; /* fix: versions joined by ", " */
    enum severity severity;
    enum fix_state fix_state;
};
struct candidate { /* a package to be matched */
    int64_t id;
    bool first; /* it was not matched before */
    str identity;
    struct remembered *before, *now; /* by id */
    size_t n_before, n_now;
};

/* Fills `now` of each; everything in the arena. Packages that this build cannot read have none. */
int reindex_match(const struct vulndb *data, struct candidate *c, size_t n, struct arena *a,
                  struct err *e);

/* Reads identity, first and `before` of the n packages whose ids are set; those that are gone are
 * left out: *n. */
int reindex_read(struct db_tx *tx, struct candidate *c, size_t *n, struct arena *a, struct err *e);
/* Writes what differs; returns the number of changes. batch 0: nothing is a change. */
int64_t reindex_write(const struct reindex_options *o, int64_t batch, const struct candidate *c,
                      size_t n, struct err *e);

/* Only whoever began the last round may write: 0, or ERR_CONFLICT. To be called first. */
int reindex_fence(struct db_tx *tx, const struct reindex_options *o, struct err *e);

/* Writes the summaries of the images of a set, where they differ; `batch`: what gave them. */
int reindex_summaries(const struct reindex_options *o, const struct posting_set *images,
                      int64_t batch, struct err *e);
/* Puts the images that have one of the packages with changes of the batch into the set. */
int reindex_affected(struct db_tx *tx, int64_t batch, struct posting_set *out, struct err *e);

#endif
