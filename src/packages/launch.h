/* launch.h - starts an analyst, and ends it.
 *
 * A process with one thread forks it itself. One with threads (the engine) must not: whatever lock
 * another thread holds at that moment (of malloc, stdio, OpenSSL) stays locked in the child for
 * ever. There a zygote (zygote.h) does it, and says how the analyst ended. */
#ifndef KELLET_PACKAGES_LAUNCH_H
#define KELLET_PACKAGES_LAUNCH_H

#include "packages/analyst.h"

#include <sys/types.h>

struct zygote;

struct launch {
    int sock;    /* to the analyst; owned by whoever launched it */
    pid_t child; /* forked here; 0: by the zygote */
    int control; /* to the zygote, about this analyst; -1 */
};

/* z NULL: forks here. progress_fd: shared memory that holds o->progress. */
int launch_begin(struct zygote *z, const struct source *s, const struct analyst_options *o,
                 int progress_fd, struct launch *out, struct err *e);
/* Ends the analyst, which may be in any state: what is left of it after a moment is killed. Fails
 * when it had died of a signal by itself, was never started, or its zygote is gone. Close the
 * socket first: an analyst that still lives ends at its next question. */
int launch_end(struct launch *l, struct err *e);

/* In a process that was just forked from `parent`: becomes an analyst, to the end. The exit
 * status. */
int launch_become(const struct source *s, int sock, const struct analyst_options *o, pid_t parent);
/* What a wait status says; fails when the analyst died of a signal. */
int launch_status(int status, struct err *e);

#endif
