/* archive.h - analyses put aside: an image's record and documents kept after the image is deleted,
 * and brought back without analysing again.
 *
 * An archived image is a row of archive_image with a snapshot of its record, and its documents
 * under the bucket "analysis_archive" with keys "<digest>/<bucket>/<key>": copies that share their
 * content with the originals, so that archiving moves no bytes. Rules move images by age and by
 * newer tags. */
#ifndef KELLET_SERVICES_ARCHIVE_H
#define KELLET_SERVICES_ARCHIVE_H

#include "services/call.h"
#include "services/image.h"

struct archived_image {
    str digest, parent_digest, annotations, status;
    str record; /* the snapshot: JSON */
    int64_t analyzed, created, updated, size;
};

/* 1: archived; 0: refused, *why (arena) says why; it is 2 when there is an archived one already. */
int archive_add(struct db_tx *tx, struct documents *d, struct arena *a, str account, str digest,
                str *why, struct err *e);
int archive_list(struct db_tx *tx, struct arena *a, str account, struct archived_image **out,
                 size_t *n, struct err *e);
/* 1 found, 0 not. */
int archive_get(struct db_tx *tx, struct arena *a, str account, str digest,
                struct archived_image *out, struct err *e);
/* 1 removed, 0 there was none. */
int archive_remove(struct db_tx *tx, struct documents *d, str account, str digest, struct err *e);
/* Brings the image back; the archived copy stays. ERR_NOT_FOUND; ERR_CONFLICT: the image is there.
 */
int archive_restore(struct db_tx *tx, struct documents *d, struct arena *a, str account, str digest,
                    struct err *e);
/* Answers POST /images with source.archive: the record, or the error that clients know. */
int archive_restore_answer(struct call *c, str digest);

struct archive_rule {
    str account, id, transition;   /* "archive", "delete" */
    str registry, repository, tag; /* selector: with "*" */
    str exclude_registry, exclude_repository, exclude_tag;
    int64_t newer, days, exclude_days, max_images; /* max_images 0: none; -1 elsewhere: ignore */
    bool global;
    int64_t created, updated;
};
/* account's own rules, and with `globals` everybody's global ones; id "": all. */
int archive_rules(struct db_tx *tx, struct arena *a, str account, bool globals, str id,
                  struct archive_rule **out, size_t *n, struct err *e);
int archive_rule_add(struct db_tx *tx, const struct archive_rule *rule, struct err *e);
/* 1 removed, 0 there was none. */
int archive_rule_remove(struct db_tx *tx, str account, str id, struct err *e);

/* The watcher archive_tasks: one round over all accounts. */
int archive_watch(struct engine *en, struct err *e);

extern const struct operation archive_operations[];

#endif
