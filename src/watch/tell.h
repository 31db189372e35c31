/* tell.h - changes in words, as JSON lines, and posted to receivers.
 *
 * Everybody who is told has a place of his own in the list of changes (state.h). What was written
 * is marked after it was written: a process that is killed between the two writes it again, with
 * the same id. */
#ifndef KELLET_WATCH_TELL_H
#define KELLET_WATCH_TELL_H

#include "watch/change.h"

struct tell_style {
    bool json;
    bool color;
    enum severity min;
};
/* Appends a change: for people a line with the reference and one for each item, or one JSON object
 * a line: "id", "time", "change", "image", "digest", "worse" and what the kind has. Nothing is
 * appended when nothing of it is to be told. *worse: something in it is for the worse. */
int tell_change(const struct change *c, const struct tell_style *style, struct buf *out,
                bool *worse, struct err *e);

/* ---- receivers --------------------------------------------------------------------------------
 */

struct post_options {
    const char *url;    /* <userId> and <notification_type> as for the engine's webhooks */
    const char *format; /* "anchore", "slack", "cloudevents"; NULL: anchore (SNS for an ARN) */
    enum severity min;
    bool once; /* give up for this run after the third try of one change */
    void (*note)(void *ctx, const char *text); /* MAY. Called from a thread of its own. */
    void *ctx;
};
/* A thread that posts every change, in order. A receiver that fails is tried again after 1, 2, 4
 * ... seconds, at most every 15 minutes, for three days a change. */
struct post;
int post_start(struct watch_state *s, const struct post_options *o, struct post **out,
               struct err *e);  /* ERR_USAGE: no such format, no such URL */
void post_wake(struct post *p); /* there may be changes */
/* Ends it: with `drain` when all is posted (or, with once, given up for now), else after the
 * message under way. Returns how many changes wait for the next run. */
size_t post_stop(struct post *p, bool drain);

#endif
