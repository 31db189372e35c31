/* zygote.h - the process that starts analysts for a process with threads.
 *
 * Forked while its parent has one thread, it keeps one thread itself, so that what it forks is
 * whole. For each analyst it gets, over one socket pair, the end of another (the control): on that
 * wait the descriptors and the order (analyst_order.h); on that it tells how the analyst ended; and
 * when that is shut down, it kills the analyst. It ends, and its analysts with it, when its parent
 * does. When it dies, its analysts die too, and everybody who waits for one is told.
 *
 *     parent -> zygote   MSG_ORDER + the control's end
 *     on the control:    MSG_HAND + socket, MSG_HAND + progress, MSG_HAND + source (MAY),
 *                        MSG_ORDER + sealed order
 *     zygote -> parent   on the control: MSG_ENDED, wait status; or MSG_FAIL: never started */
#ifndef KELLET_PACKAGES_ZYGOTE_H
#define KELLET_PACKAGES_ZYGOTE_H

#include "packages/analyst.h"

#include <sys/types.h>

struct zygote;

/* Call it while the process has one thread, and from the thread that lives as long as it. */
int zygote_start(struct zygote **out, struct err *e);
/* Ends it and analysts that still run. NULL is fine. */
void zygote_stop(struct zygote *z);
/* False once it is gone: nothing can be scanned any more. */
bool zygote_alive(const struct zygote *z);
pid_t zygote_pid(const struct zygote *z);

/* ---- for launch.c (any thread)
 * ------------------------------------------------------------------------- */

/* Has an analyst started that talks on `sock` (borrowed). On success *control is the caller's. */
int zygote_ask(struct zygote *z, const struct source *s, const struct analyst_options *o, int sock,
               int progress_fd, int *control, struct err *e);
/* Reads how the analyst ended. ERR_IO: the zygote is gone; or why nothing was started. */
int zygote_answer(int control, int *status, struct err *e);

#endif
