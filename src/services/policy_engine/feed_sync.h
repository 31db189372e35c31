/* feed_sync.h - brings vulnerability data up to date, and the table of feeds and their groups.
 *
 * With a feed service configured (legacy_feeds_url) its groups are the sources, see
 * feeds/anchore.h; otherwise the upstreams of feeds/sync.h. One synchronisation at a time in the
 * whole engine (lease "feed_sync_run"); afterwards the database is published to the others. Feeds
 * and groups that were disabled are passed over; their data stay until they are deleted. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_FEED_SYNC_H
#define KELLET_SERVICES_POLICY_ENGINE_FEED_SYNC_H

#include "base/vec.h"
#include "services/engine.h"

struct feed_group_result {
    str feed, group;
    bool failed;
    uint64_t records; /* updated */
    double seconds;
};
struct feed_sync_report {
    struct arena arena;
    VEC(struct feed_group_result) groups; /* in the order of the feeds */
    VEC(str) feeds;                       /* those looked at */
};
void feed_sync_report_done(struct feed_sync_report *r);

/* `force`: load also what did not change. `only`: this feed alone; empty: all. What fails on the
 * way is in the report and an event, not an error. ERR_CONFLICT: one is under way. */
int feed_sync_run(struct engine *en, bool force, str only, struct feed_sync_report *out,
                  struct err *e);

/* Writes into the table what the database holds: for data that others than feed_sync_run()
 * installed. */
void feed_sync_note(struct engine *en);

/* ---- the table --------------------------------------------------------------------------------
 */
struct feed_group_row {
    str name;
    bool enabled;
    int64_t last_sync; /* microseconds; 0: never */
    int64_t records, created, updated;
};
struct feed_row {
    str name;
    bool enabled;
    int64_t last_full_sync, created, updated;
    struct feed_group_row *groups;
    size_t n_groups;
};
/* In the order in which they were first seen. */
int feed_table_read(struct db_tx *tx, struct arena *a, struct feed_row **out, size_t *n,
                    struct err *e);
/* group empty: the feed. ERR_NOT_FOUND "Resource x not found". */
int feed_table_enable(struct db_tx *tx, str feed, str group, bool enabled, struct err *e);
/* Forgets when it was synced and what it held. ERR_CONFLICT while it is enabled. */
int feed_table_clear(struct db_tx *tx, str feed, str group, struct err *e);

struct feed_note { /* what a synchronisation writes down */
    str feed, group;
    int64_t records;
    bool synced; /* complete: sets last_sync or last_full_sync */
};
int feed_table_note(struct db *db, const struct feed_note *n, struct err *e);

/* The feed and group that a source's part of the database is shown as; "" group: none. In the
 * arena. */
void feed_of_part(struct arena *a, str source, str platform, str ecosystem, str *feed, str *group);

#endif
