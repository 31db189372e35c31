/* sync.h - `kellet feeds sync`: brings an upstream's files to DATA/feeds/SOURCE and loads them.
 *
 * Beside each FILE lie FILE.meta (its entity tag and date, for conditional requests) and, while a
 * download is under way or broke off, FILE.part with FILE.part.meta: the next run goes on there.
 * A file is replaced by rename only when it came whole. DATA/feeds/SOURCE/.loaded remembers which
 * files the database was built from: nothing changed, nothing is built. Whatever fails, the files
 * and the database of the last good run stay. One run per source at a time (a lock file). */
#ifndef KELLET_FEEDS_SYNC_H
#define KELLET_FEEDS_SYNC_H

#include "feeds/feeds.h"
#include "net/http.h"
#include "vulndb/vulndb.h"

/* One upstream file. "{release}" in url and store stands for each release that the index names,
 * "{year}" for each year from first_year to now. */
struct feed_file {
    const char *url;
    const char *store; /* path below DATA/feeds/SOURCE */
    bool optional;     /* may be missing upstream (404) */
};

struct feed_sync {
    const struct feed_file *files; /* ended by url NULL */
    /* MAY. An HTML page with links to directories "v3.18/" and "edge/". */
    const char *index_url;
    int first_year;
    bool on_request; /* only when named: large, or with a licence the user must know */
};

struct feed_sync_options {
    const char *data_dir; /* DATA */
    const char *base_url; /* stands in for scheme and host of every URL; NULL: as they are */
    struct http *http;    /* borrowed */
    bool force;           /* load even when nothing changed */
    void (*on_file)(void *ctx, const char *name, size_t i, size_t n, uint64_t bytes);
    void (*on_load)(void *ctx, str path, uint64_t inputs, uint64_t bytes);
    bool (*stop)(void *ctx); /* MAY. Asked often: true gives up with ERR_CONFLICT */
    void *ctx;
};

struct feed_sync_result {
    size_t files, changed, absent;
    uint64_t bytes;                 /* downloaded */
    bool loaded;                    /* the database was built anew */
    struct vulndb_builder *builder; /* keeps stats alive; see feed_sync_result_done */
    struct vulndb_stats stats;
};

/* Downloads and loads one source. ERR_USAGE when the feed has no upstream; otherwise the first
 * thing that failed, after which the remaining files were still tried. */
int feed_sync(const struct feed_ops *feed, const struct feed_sync_options *o,
              struct feed_sync_result *out, struct err *e);
void feed_sync_result_done(struct feed_sync_result *r);

/* The base URL that the environment sets for a feed: $KELLET_FEED_BASE_URL_NAME (in capitals), else
 * $KELLET_FEED_BASE_URL; NULL: none. */
const char *feed_sync_base_url(const struct feed_ops *feed);

/* The upstreams' files, by feed (sync_table.c). */
extern const struct feed_sync feed_sync_alpine, feed_sync_debian, feed_sync_epss, feed_sync_kev,
    feed_sync_nvd, feed_sync_osv, feed_sync_wolfi;

#endif
