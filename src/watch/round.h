/* round.h - all that is watched: one round at their registries, or one over what is remembered.
 *
 * Each registry has a lane with up to four threads of its own, so that one that is slow or dead
 * holds up nobody else; after three of its answers in a row did not come, the others of the lane
 * are said not to be reachable without asking. */
#ifndef KELLET_WATCH_ROUND_H
#define KELLET_WATCH_ROUND_H

#include "watch/look.h"
#include "watch/want.h"

/* ERR_USAGE: the policy is none; ERR_CONFLICT: another process has the state. o is borrowed. */
int watch_new(const struct watch_options *o, const char *name, struct watch **out, struct err *e);
void watch_free(struct watch *w); /* NULL is fine */

/* Opens the data when they are others than before: 1; 0: they are the same, or there are none yet
 * (w->db NULL). Not while a round is going on. */
int watch_data(struct watch *w, struct err *e);

struct watch_round {
    size_t planned; /* images known to be looked at so far */
    /* MAY. Called from the caller's thread about five times a second. */
    void (*tick)(void *ctx, const struct watch_round *r);
    void *ctx;
};
/* Looks at everything at its registry. Counts are in w. */
int watch_look(struct watch *w, const struct wants *wants, struct watch_round *r, struct err *e);
/* Judges again what is remembered of them and old; no network. Returns how many. */
int watch_again(struct watch *w, const struct wants *wants, struct watch_round *r, struct err *e);

#endif
