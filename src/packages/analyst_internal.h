/* analyst_internal.h - what the files of the analyst share. */
#ifndef KELLET_PACKAGES_ANALYST_INTERNAL_H
#define KELLET_PACKAGES_ANALYST_INTERNAL_H

#include "base/map.h"
#include "codec/spool.h"
#include "image/channel.h"
#include "image/layer.h"
#include "packages/analyst.h"
#include "packages/catalogue.h"
#include "packages/description.h"

#include <pthread.h>

struct analyst {
    const struct source *source;
    const struct analyst_options *options;
    int sock;
    pthread_mutex_t lock; /* around one question and its answer */
    struct message *message;
    struct arena arena; /* of the main thread only */
    struct description description;
    struct map aliases; /* real path -> struct alias */
    pthread_mutex_t problems_lock;
};

/* ---- questions (any thread)
 * -------------------------------------------------------------------------- */

/* *fd and *number may be NULL; *number is the first varint of the answer, text (of the answer) is
 * copied. */
int analyst_ask(struct analyst *an, enum message_type type, const struct buf *body, int send_fd,
                int *fd, uint64_t *number, char *text, size_t text_size, struct err *e);
int analyst_blob(struct analyst *an, str digest, uint64_t size, str urls, int *fd, bool *seekable,
                 struct err *e);
/* After a stream of a blob failed: was it the transfer? Then *e says so. */
int analyst_transfer_status(struct analyst *an, str digest, int failure, struct err *e);
/* Adds to the description; layer -1 for the image. */
void analyst_problem(struct analyst *an, int32_t layer, str path, const char *what, const char *fmt,
                     ...) KE_PRINTF(5, 6);

/* ---- layers
 * -------------------------------------------------------------------------------------------- */

struct layer_job {
    int32_t index; /* in the image; -1 while it is not known (streams) */
    str digest;    /* expected of the stored bytes; empty: not checked */
    str diff_id;   /* expected; empty: not known yet (streams) */
    struct sha256 found_digest, found_diff_id;
    bool single; /* one thread only */
};

/* Analyses one layer from `raw`, sends its record. name: for messages. */
int analyst_layer(struct analyst *an, struct layer_job *job, struct stream *raw, const char *name,
                  struct err *e);
/* Sends a record made by hand (directories). */
struct layer_making;
int making_new(struct analyst *an, struct layer_making **out, struct err *e);
int making_file(struct layer_making *m, str path, uint64_t size, uint32_t mode,
                struct stream *content, struct err *e);
/* Does it keep what image_facts.h promises? Then every entry must be told of, by one of these. */
bool making_lists(const struct layer_making *m);
int making_listed_file(void *m, const struct tar_entry *entry, struct stream *content,
                       struct err *e);
void making_listed(void *m, const struct tar_entry *entry); /* one without content */
void making_odd(void *m, str path, const char *what, const char *detail);
int making_send(struct layer_making *m, str diff_id, bool keep, struct err *e);
void making_free(struct layer_making *m);

/* ---- images
 * -------------------------------------------------------------------------------------------- */

/* Where an image's parts come from; archives and blobs differ here only. */
struct image_reader {
    void *ctx;
    /* A small part (manifest, configuration, index) as text in the analyst's arena. name: digest or
     * member. */
    int (*text)(void *ctx, str name, const char *what, str *out, struct err *e);
    /* Analyses layer `i` of the description (its member's name for archives). Any thread. */
    int (*layer)(void *ctx, int32_t i, const struct descriptor *d, struct err *e);
    bool one_at_a_time; /* layers must not be read in parallel */
};

/* The image of an index or manifest: fills the description and analyses its layers. */
int image_from_manifest(struct analyst *an, const struct image_reader *r, str json, str media_type,
                        str digest, struct err *e);
/* The image of a `docker save` manifest.json. */
int image_from_saved(struct analyst *an, const struct image_reader *r, str json, struct err *e);

int analyse_blobs(struct analyst *an, struct err *e);
int analyse_archive(struct analyst *an, struct err *e);
int analyse_directory(struct analyst *an, struct err *e);

#endif
