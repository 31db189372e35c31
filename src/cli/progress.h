/* progress.h - one status line on standard error, when that is a terminal: phase, bytes, rate,
 * layers. At most ten updates a second; cleared at the end; nothing at all elsewhere. */
#ifndef KELLET_CLI_PROGRESS_H
#define KELLET_CLI_PROGRESS_H

#include "base/buf.h"
#include "packages/inventory.h"

#include <stdatomic.h>

struct progress {
    bool active;
    atomic_bool shown; /* others ask before they write beside the line */
    uint64_t started_ms, last_ms;
    const char *phase;
};

/* wanted false: never prints. */
void progress_init(struct progress *p, bool wanted);
struct scan_progress progress_callback(struct progress *p);
/* Shows what is going on, if it is time to. Totals are 0 while unknown. */
void progress_show(struct progress *p, const char *phase, uint64_t bytes, uint64_t total,
                   uint32_t done, uint32_t count);
void progress_clear(struct progress *p);

/* The text of the line, without cursor movements: "pulling 1.2 of 3.4 MiB, 5.6 MiB/s, layer 2 of
 * 7". elapsed_ms since the phase began. */
void progress_text(const char *phase, uint64_t bytes, uint64_t total, uint32_t done, uint32_t count,
                   uint64_t elapsed_ms, struct buf *out);

#endif
