/* state.h - what `kellet watch` remembers between runs: DATA/watch/NAME.db, an SQLite database.
 *
 * For each reference the image it led to, what was last told of it, and what was in its way. For
 * each image the list of its packages (and, for policies, its other facts), so that newer data are
 * looked up without the image. A change is a row that is written in the transaction that remembers
 * it; who is told - standard output, each receiver - has a place in the list of changes. So a
 * process that is killed anywhere loses none, and sends one again at most with the same id.
 *
 * One process has a state at a time (a lock on NAME.lock). What nobody wanted for 90 days is
 * forgotten; changes stay for a week. Thread-safe. */
#ifndef KELLET_WATCH_STATE_H
#define KELLET_WATCH_STATE_H

#include "base/buf.h"
#include "store/db.h"

enum { WATCH_FORGET_DAYS = 90, WATCH_CHANGE_DAYS = 7, WATCH_DOCUMENT_MAX = 512 << 20 };

struct watch_state;
/* ERR_CONFLICT: another process has it; ERR_USAGE: `name` is none ([a-z0-9._-], at most 64). */
int watch_state_open(const char *data_dir, const char *name, struct watch_state **out,
                     struct err *e);
void watch_state_close(struct watch_state *s); /* NULL is fine */
struct db *watch_state_db(struct watch_state *s);

/* ---- references -------------------------------------------------------------------------------
 */

struct remembered {
    str reference, platform; /* canonical; platform empty: this machine's */
    str digest;          /* that the tag led to, of a list of images perhaps; empty: never seen */
    str image;           /* of the image's own manifest */
    str findings;        /* JSON, as vuln_diff_keep() makes it */
    str generation;      /* of the data that they are of */
    str uncovered;       /* what those data say nothing about, joined by ", " */
    str policy, verdict; /* digest of the bundle; "go", "warn", "stop", or empty: not judged */
    int64_t valid_until_us; /* of the verdict */
    str trouble,
        why;  /* why the registry could not tell: "gone", "unreachable" ...; empty: it did */
    str gaps; /* what could not be seen in the image, for people; empty: nothing */
};
/* 1, or 0: it is not known (reference and platform are set then). All in the arena. */
int remembered_get(struct db_tx *tx, struct arena *a, str reference, str platform,
                   struct remembered *out, struct err *e);
int remembered_put(struct db_tx *tx, const struct remembered *r, struct err *e);
/* References of a repository ("host/repo:" as prefix) that are known on the platform. */
int remembered_list(struct db_tx *tx, struct arena *a, str prefix, str platform, str **out,
                    size_t *n, struct err *e);
/* It is still wanted: not to be forgotten. */
int remembered_wanted(struct db_tx *tx, str reference, str platform, struct err *e);

/* Was the repository listed before? Tags that come later are new. */
int repository_seen(struct db_tx *tx, str name, struct err *e); /* 1, 0 */
int repository_put(struct db_tx *tx, str name, struct err *e);

/* ---- images -----------------------------------------------------------------------------------
 */

/* Documents of an image: "inventory", and those of policy_scan_keep(). Kept compressed. */
int image_document_put(struct db_tx *tx, str digest, str platform, const char *type, str text,
                       struct err *e);
/* 1, 0: there is none. Appends; out NULL: only says whether it is there. */
int image_document_get(struct db_tx *tx, str digest, str platform, const char *type,
                       struct buf *out, struct err *e);

/* ---- changes ----------------------------------------------------------------------------------
 */

struct change {
    int64_t id, at_us;
    str key; /* random: the same for the same change whenever it is sent */
    str reference, image;
    str type;    /* of notifications: "vuln_update" ... */
    str payload; /* JSON object; its member "change" is its kind (change.h) */
};
int change_add(struct db_tx *tx, const struct change *c, struct err *e);
/* The first one after `id`: 1, 0. */
int change_after(struct db_tx *tx, struct arena *a, int64_t id, struct change *out, struct err *e);

struct told {     /* somebody who is told */
    int64_t upto; /* id of the last change that it has */
    int64_t tries, next_try_us;
};
/* One that was not there before has all that happened until now. */
int told_get(struct db_tx *tx, str who, struct told *out, struct err *e);
int told_put(struct db_tx *tx, str who, const struct told *t, const char *problem, struct err *e);

/* Forgets what is old. */
int watch_sweep(struct db_tx *tx, void *ctx, struct err *e);

#endif
