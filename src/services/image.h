/* image.h - the images of an account: what is known of each, its tags, and how its state moves.
 *
 * An image is (account, digest of its manifest); tags come and go (a tag that moved keeps a row for
 * each digest that it had, the newest detection is where it points now). The Dockerfile belongs to
 * the image, not to a tag. Tables: catalog_image (with why each state was entered:
 * image_history.h), catalog_image_tag.
 *
 * States: not_analyzed (waits for a worker) -> analyzing -> analyzed | analysis_failed; back to
 * not_analyzed by force, by an analysis that failed and is asked for again, or by a lease that ran
 * out. Beside it image_status: active -> deleting -> gone. All functions work in the caller's
 * transaction; every query names the account, so nothing crosses accounts. */
#ifndef KELLET_SERVICES_IMAGE_H
#define KELLET_SERVICES_IMAGE_H

#include "services/fulltag.h"
#include "store/documents.h"
#include "store/queue.h"

enum image_state { IMAGE_NOT_ANALYZED, IMAGE_ANALYZING, IMAGE_ANALYZED, IMAGE_ANALYSIS_FAILED };
extern const char *const image_state_names[4]; /* "not_analyzed", ... */
int image_state_by_name(str name);             /* -1: none */

struct image_tag {
    str registry, repo, tag, fulltag;
    int64_t created, updated, detected; /* microseconds */
};

struct image_record {
    str account, digest, parent_digest;
    str id; /* of the configuration, without "sha256:" (imports: as given); p NULL: not known */
    str analysis_status, image_status;
    str annotations;                                   /* JSON object text; p NULL: null */
    str dockerfile;                                    /* base64; p NULL: none */
    str dockerfile_mode, arch, distro, distro_version; /* p NULL: not known yet */
    int64_t size, layers;                              /* -1: not known yet */
    int64_t created, updated, analyzed;                /* microseconds; analyzed 0: never */
    struct image_tag *tags;                            /* by fulltag */
    size_t n_tags;
};

/* ---- reading: 1 found (everything in the arena), 0 not, negative an error -------------------- */
int image_get(struct db_tx *tx, struct arena *a, str account, str digest, struct image_record *out,
              struct err *e);
/* The newest image with this id; falls back to `id` being a digest. */
int image_get_by_id(struct db_tx *tx, struct arena *a, str account, str id,
                    struct image_record *out, struct err *e);
/* Where the tag points now. */
int image_get_by_tag(struct db_tx *tx, struct arena *a, str account, str fulltag,
                     struct image_record *out, struct err *e);
/* The newest tag of the image: for events and evaluations that need one. */
const struct image_tag *image_newest_tag(const struct image_record *r);
/* The analysis status alone. */
int image_status(struct db_tx *tx, str account, str digest, enum image_state *out, struct err *e);

struct image_filter {
    str fulltag;         /* p NULL: any */
    str digest;          /* p NULL: any */
    str image_status;    /* "active", "deleting", "all"; several joined by ","; empty: active */
    str analysis_status; /* p NULL: any */
    bool history;        /* all digests that the tag had, not only the newest */
};
/* Calls fn for each, newest first; the record lives during the call only. A negative value of fn
 * ends the list. Memory: one batch of records whatever their number. */
int image_each(struct db_tx *tx, str account, const struct image_filter *f,
               int (*fn)(void *ctx, const struct image_record *r, struct err *e), void *ctx,
               struct err *e);

/* Names the lowest n layers of an image (of their diff_ids): the same for all images that begin
 * with them. Kept with each image for all of its layers, so that those that it is built on are
 * found. */
enum { IMAGE_CHAIN = 65 };
void image_chain(const str *diff_ids, size_t n, char out[IMAGE_CHAIN]);

/* ---- adding ------------------------------------------------------------------------------------
 */
struct image_add {
    str account, digest, parent_digest, id;
    struct fulltag name;           /* p NULL in name.registry: no tag */
    str annotations;               /* JSON object to merge; p NULL: none */
    str dockerfile;                /* base64; p NULL: none */
    str manifest, parent_manifest; /* the parent's is kept as document when it is another one */
    int64_t created;               /* microseconds; 0: now: of the tag's detection */
    bool force;                    /* analyse again */
    bool no_queue;                 /* state and queue are the caller's business (restore) */
    str why;                       /* of the transition: "added by admin" */
};
/* Row, tag (and tag_update when it pointed at another image), transition, the parent's manifest
 * (bucket parent_manifest_data) and the queue item, all in tx. An image that exists is left as it
 * is but for a new tag, annotations (which are merged) and, when it is being deleted, its revival;
 * it is analysed again when `force`, when its analysis had failed or when it is revived. Returns 1
 * when an analysis was asked for, else 0. ERR_USAGE: a Dockerfile for an image that exists, without
 * force. */
int image_put(struct db_tx *tx, struct documents *d, const struct image_add *add, struct err *e);
/* The sum of the layers' sizes that a manifest tells, compressed. */
uint64_t image_compressed_size(str manifest);
/* Puts the image into "images_to_analyze" (once, however often it is called). 1 when added. */
int image_queue(struct db_tx *tx, str account, str digest, struct err *e);

/* ---- the life cycle ---------------------------------------------------------------------------
 */
/* Enters a state and records why. Entering `analyzed` sets analyzed_at. ERR_NOT_FOUND: no such
 * image; ERR_CONFLICT: the image is in none of the states of `from` (a mask of 1 << state; 0: any).
 * `owner`: who did it (host id), may be empty. */
int image_set_status(struct db_tx *tx, str account, str digest, unsigned from, enum image_state to,
                     str owner, str why, struct err *e);
/* What the analysis found out; strings with p NULL and negative numbers stay as they are. A guessed
 * Dockerfile is passed with mode "Guessed" and kept only when the user gave none. */
struct image_facts {
    str arch, distro, distro_version, dockerfile_mode, dockerfile, id;
    int64_t size, layers;
};
int image_set_facts(struct db_tx *tx, str account, str digest, const struct image_facts *f,
                    struct err *e);
/* The image's Dockerfile as it was guessed, when the user gave none. Images built in the same way
 * have the same: such a text is kept once, as long as an image has it. */
int image_set_guessed(struct db_tx *tx, str account, str digest, str dockerfile, struct err *e);
/* The user's. */
int image_set_dockerfile(struct db_tx *tx, str account, str digest, str dockerfile, struct err *e);
/* Removes the image's row, and its Dockerfile when it is the last that has it. */
int image_drop_row(struct db_tx *tx, str account, str digest, struct err *e);
struct image_transition {
    int64_t at; /* microseconds */
    str from, to, owner, why;
};
/* Newest first. */
int image_transitions(struct db_tx *tx, struct arena *a, str account, str digest,
                      struct image_transition **out, size_t *n, struct err *e);

/* ---- deletion ---------------------------------------------------------------------------------
 */
enum image_deletion { IMAGE_DELETING, IMAGE_DELETE_FAILED, IMAGE_DELETE_NOT_FOUND };
/* Marks the image; image_gc does the rest. *why (arena): the reason of a refusal, p NULL else.
 * `force` also ends the subscriptions of its tags. */
int image_delete(struct db_tx *tx, struct arena *a, str account, str digest, bool force,
                 enum image_deletion *out, str *why, struct err *e);
/* Really removes rows, documents and package rows. */
int image_remove(struct db_tx *tx, struct documents *d, str account, str digest, struct err *e);

#endif
