/* layer_cache.h - layer records kept on disk by diff_id: DATA/cache/layers/ab/<hex>.klr, or
 * <hex>-<variant>.klr.
 *
 * A record is written beside its name and renamed, so that several scans may share one cache
 * without locks. A damaged or older record is a miss. Nothing here is needed for a scan: a cache
 * that cannot be written is only slow. A hit renews the file's time, which is what
 * layer_cache_trim() goes by. */
#ifndef KELLET_PACKAGES_LAYER_CACHE_H
#define KELLET_PACKAGES_LAYER_CACHE_H

#include "image/layer_record.h"

/* variant: 0, or listing_fingerprint() of what the record holds besides. data_dir NULL: no cache
 * (always a miss). NULL result: a miss. */
struct layer_record *layer_cache_get(const char *data_dir, str diff_id, uint64_t variant);
void layer_cache_put(const char *data_dir, str diff_id, uint64_t variant,
                     const struct layer_record *record);

#define LAYER_CACHE_MAX ((uint64_t)2 << 30) /* bytes on disk, unless configured */
/* After `written` bytes were put: when the cache is larger than `max`, removes what was longest not
 * used until a tenth is free. Looks only now and then (every 10 minutes, or when `written` is
 * much), so it may be larger for a while. Never fails. */
void layer_cache_trim(const char *data_dir, uint64_t written, uint64_t max);
/* "2G", "500 MiB" without the blank, or bytes. False for anything else, and for 0. */
bool layer_cache_limit(str text, uint64_t *out);

#endif
