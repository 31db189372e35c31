/* image_history.h - how an image came to its state: a text in its row. For image*.c and archive.c.
 *
 * Column catalog_image.history, a line for each transition, the oldest first:
 *     "+" microseconds since the image's created_at, " ", a letter for the state before and one for
 *     the state after, " ", the number of the host (table host; "-": none), " ", why, "\n"
 * (a line end within the reason is stored as "\v"). Letters: n not_analyzed, a analyzing,
 * d analyzed, f analysis_failed, A active, X deleting, R archived, "-" any other. Past HISTORY_MAX
 * characters the older half is left out, at any place: a reader skips what does not begin as a
 * line. Builds before wrote table image_transition: both are read. */
#ifndef KELLET_SERVICES_IMAGE_HISTORY_H
#define KELLET_SERVICES_IMAGE_HISTORY_H

#include "base/buf.h"
#include "services/image.h"

/* Appends, for SQL as below, what stands behind the time: " nd 3 why\n". The host's row is made
 * when there is none; empty: nobody. */
int image_history_line(struct db_tx *tx, str from, str to, str owner, str why, struct buf *out,
                       struct err *e);

#define HISTORY_MAX "32768"
/* "UPDATE catalog_image SET history = " IMAGE_HISTORY("$3"), with the line as parameter. */
#define IMAGE_HISTORY(line)                                                                        \
    "CASE WHEN length(history) > " HISTORY_MAX                                                     \
    " THEN substr(history, length(history) - " HISTORY_MAX                                         \
    " / 2) ELSE COALESCE(history, '') END || '+' || CAST(now_us() - created_at AS TEXT) || " line

#endif
