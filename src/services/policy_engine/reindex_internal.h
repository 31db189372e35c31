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
enum { REINDEX_RULES = 1, REINDEX_CHUNK = 512, REINDEX_THREADS = 4, SEVERITIES = SEV_CRITICAL + 1 };

/* What is known of a package at a glance (posting_package.counts): how many findings of each
 * severity (varints), then the prints of them, u64 each: of what a change is told of, and of all
 * that is remembered. Rows of builds before 2026-11-28 have no prints. */
struct package_sum {
    uint32_t of[SEVERITIES];
    bool printed;
    uint64_t told, all;
};
bool package_sum_read(str bytes, struct package_sum *out); /* false: nothing is known */
void package_sum_write(const struct package_sum *s, struct buf *out);

/* A finding as it is remembered. */
struct remembered {
    str id, source, fix; /* fix: versions joined by ", " */
    enum severity severity;
    enum fix_state fix_state;
};
struct candidate { /* a package to be matched */
    int64_t id;
    bool first;   /* it was not matched before */
    bool printed; /* its prints are stored */
    str identity;
    struct remembered *before, *now; /* by id */
    size_t n_before, n_now;
};

/* Of findings by id. */
struct package_sum package_sum_of(const struct remembered *list, size_t n);

/* Fills `now` of each; everything in the arena. Packages that this build cannot read have none. */
int reindex_match(const struct vulndb *data, struct candidate *c, size_t n, struct arena *a,
                  struct err *e);

/* Reads identity, first and `before` of the n packages whose ids are set; those that are gone are
 * left out: *n. */
int reindex_read(struct db_tx *tx, struct candidate *c, size_t *n, struct arena *a, struct err *e);
/* `before` of one package. */
int reindex_read_spans(struct db_tx *tx, struct candidate *c, struct arena *a, struct err *e);
/* Writes what differs; returns the number of changes. batch 0: nothing is a change. */
int64_t reindex_write(const struct reindex_options *o, int64_t batch, const struct candidate *c,
                      size_t n, struct err *e);

/* Only whoever began the last round may write: 0, or ERR_CONFLICT. To be called first. */
int reindex_fence(struct db_tx *tx, const struct reindex_options *o, struct err *e);

/* Writes the summaries of the images of a set, where they differ; `batch`: what gave them. */
int reindex_summaries(const struct reindex_options *o, const struct posting_set *images,
                      int64_t batch, struct err *e);

/* Calls fn for the items 0..n, `step` at a time, in at most REINDEX_THREADS threads and no more
 * than there are cores; thread: which. Stops at the first error, and when `stop` says so. */
int reindex_share(const struct reindex_options *o, size_t n, size_t step,
                  int (*fn)(void *ctx, unsigned thread, size_t from, size_t to, struct err *e),
                  void *ctx, struct err *e);

/* Numbers, ascending; the caller's. */
struct reindex_judgement {
    posting_ids told;    /* packages that a change is to be told of */
    posting_ids written; /* and those of which something is to be written: these and some more */
};
/* Matches the packages against the data and compares with what is stored. Writes nothing. */
int reindex_judge(const struct reindex_options *o, const int64_t *ids, size_t n,
                  struct reindex_judgement *out, struct err *e);
/* Adds the images that have one of the packages. */
int reindex_images_of(const struct reindex_options *o, const int64_t *packages, size_t n,
                      struct posting_set *out, struct err *e);
/* The list is the batch's from here on (affected.h); gains what was listed for it before. */
int reindex_publish(const struct reindex_options *o, int64_t batch, struct posting_set *set,
                    struct err *e);

#endif
