/* analyzer.h - the worker: takes images from the queue and analyses them.
 *
 * Each of config.analyzer_threads threads takes one item of "images_to_analyze" at a time under a
 * lease of 30 s that the heartbeat thread prolongs; when the lease is lost (this process was taken
 * for dead) the work is given up. Everything that an analysis found is written in the transaction
 * that ends the item, so no image is analysed twice or half. What fails is tried again (the queue
 * counts) unless another try can't help; after the last the image is analysis_failed, its reason in
 * `problems`. At SIGTERM what is under way is handed back at once.
 *
 *     analyzer.c   threads, leases, start and stop
 *     work.c       one item from beginning to end
 *     fetch.c      the image's content: credentials, tags, scan
 *     store.c      what was found goes into the database */
#ifndef KELLET_SERVICES_ANALYZER_ANALYZER_H
#define KELLET_SERVICES_ANALYZER_ANALYZER_H

#include "services/analyzer/analysis.h"
#include "services/engine.h"
#include "services/image.h"

#include <pthread.h>

#define ANALYZER_QUEUE "images_to_analyze"
enum { ANALYZER_THREADS_MAX = 64 };

struct analyzer;
struct slot { /* a thread and what it works on */
    struct analyzer *an;
    pthread_t thread;
    bool running;
    char owner[200];
    char receipt[200];              /* "" : nothing (under an->lock) */
    char account[300], digest[300]; /* of the image, once its state is analyzing (the same) */
    bool lost;                      /* the lease (atomic) */
};

struct analyzer {
    struct engine *en;
    struct analyzer_settings *settings;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping, woken;
    pthread_t heart;
    bool heart_running;
    unsigned n_slots;
    struct slot slots[ANALYZER_THREADS_MAX];
};

/* Is the work on this slot no longer wanted? */
bool slot_unwanted(void *slot);

/* False, and the process ends, when the process that starts analysts is gone. */
bool analyzer_can_scan(struct analyzer *an);

/* Says which image the slot's item is about. */
void slot_names(struct slot *slot, str account, str digest);

/* One item, from its state to its end; never fails: what went wrong is in the database or the log.
 */
void analyzer_work(struct slot *slot, const struct queue_item *item);

struct analyzer_job {
    struct slot *slot;
    const struct queue_item *item;
    struct arena arena;
    str account, digest;
    str import_uuid; /* p NULL: an image of a registry */
    struct image_record image;
    struct inventory *inv;
    struct facts_wanted facts; /* of the settings, with what clamd says of itself */
    str clamd_problem;         /* why malware was not searched for; empty */
    struct analysis *analysis;
    struct buf inventory; /* its document */
    char chain[IMAGE_CHAIN];
    struct engine *en;
};

/* Fills job->inv from the registry; tries the names of the image in turn. */
int analyzer_fetch(struct analyzer_job *job, struct err *e);
/* The same from what was uploaded for an import. */
int analyzer_fetch_import(struct analyzer_job *job, struct err *e);
/* Everything at once: documents, package rows, facts, state, event, end of the item. */
int analyzer_store(struct analyzer_job *job, struct err *e);

/* Enters analysis_failed with its reason and tells of it; also for dead letters whose worker died.
 */
int analyzer_give_up(struct db_tx *tx, struct engine *en, str account, str digest, str reason,
                     struct err *e);
/* For queue_reap(): ctx is the engine. Items of other queues are left alone. */
int analyzer_item_dead(struct db_tx *tx, const struct queue_item *q, void *ctx, struct err *e);

#endif
