/* feeds.h - the subcommands of `kellet feeds`: to add one, a file, a line here and one in feeds.c.
 */
#ifndef KELLET_CLI_FEEDS_H
#define KELLET_CLI_FEEDS_H

#include "base/buf.h"
#include "cli/command.h"
#include "vulndb/vulndb.h"

extern const struct command command_feeds_dump;
extern const struct command command_feeds_load;
extern const struct command command_feeds_status;
extern const struct command command_feeds_sync;
extern const struct command command_feeds_verify;

/* Opens the database of --data (NULL: the usual place). 0, or an exit code after having printed
 * why: EXIT_STALE when there are no data. */
int feeds_open(const char *data, struct vulndb **out);

/* What was stored and what was not, as one line for people: "osv: 5680 records, ...". */
void feeds_summary(const char *source, const struct vulndb_stats *stats, struct buf *out);

/* "3 days", "5 hours", "now": how long before `now` a moment was. */
void feeds_age(int64_t then, int64_t now, struct buf *out);
/* "2026-11-23T22:40:05Z". */
void feeds_time(int64_t t, struct buf *out);
/* The same as one more member of a JSON object, unless it is 0. */
void feeds_put_time(struct buf *b, const char *key, int64_t t);

#endif
