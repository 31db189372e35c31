/* reindex.h - keeps what is known of every image in step with the vulnerability data.
 *
 * Findings are kept for each distinct package (finding_span: from when to when they were held for
 * true), never for each image. When the data become others, only the names that claims speak of
 * differently (vulndb/diff.h) are looked at; the packages of those names are matched again, on a
 * few threads, and compared by prints with what is stored; the posting lists (store/posting.h) of
 * those that come out otherwise are the complete list of images, which is stored at once
 * (affected.h). Then what differs is written as spans and changes (changes.h), and last these
 * images get their summaries anew. Nothing else is read or written.
 *
 * The watcher runs in one process at a time. Each step compares what should be with what is stored
 * and writes the difference in one transaction that only the holder of the watch can commit: killed
 * anywhere, the next round goes on where this one was, and no change is told twice. The prints of
 * the data that were gone through are in the store (document "vulndata"/"prints"), so that any
 * policy engine can take over. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_REINDEX_H
#define KELLET_SERVICES_POLICY_ENGINE_REINDEX_H

#include "services/engine.h"
#include "vulndb/vulndb.h"

/* One round: images that the index lacks, new packages, newer data, summaries, trends. */
int reindex_run(struct engine *en, struct err *e);

struct reindex_result {
    uint64_t names;    /* that claims speak of differently */
    uint64_t packages; /* matched again */
    uint64_t changes;
    uint64_t images; /* that have a package with a change */
    /* What differs; the names' packages matched; the list of images stored; the changes written. */
    double diff_seconds, match_seconds, image_seconds, write_seconds;
    double names_seconds; /* the findings' names kept */
};
/* The same for one database, whose generation is named: what the round and the benchmark share. */
struct reindex_options {
    struct db *db;
    struct documents *documents;
    const struct vulndb *data; /* NULL: none */
    const char *generation;
    const char *holder;      /* of the watch */
    bool (*stop)(void *ctx); /* MAY */
    /* MAY: the complete list of images is stored (affected.h), all else is not yet. */
    void (*listed)(void *ctx, const struct reindex_result *so_far);
    void *ctx;
};
/* Goes through newer data; *out all zero when these were gone through. */
int reindex_data(const struct reindex_options *o, struct reindex_result *out, struct err *e);
/* Matches packages that were not yet: their findings are known from now on and are no change.
 * Returns how many. */
int64_t reindex_packages(const struct reindex_options *o, struct err *e);
/* Summaries of images that have none, and merges the index when enough waits. Returns how many. */
int64_t reindex_images(const struct reindex_options *o, struct err *e);

#endif
