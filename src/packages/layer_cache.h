/* layer_cache.h - layer records kept on disk by diff_id: DATA/cache/layers/ab/<hex>.klr, or
 * <hex>-<variant>.klr.
 *
 * A record is written beside its name and renamed, so that several scans may share one cache
 * without locks. A damaged or older record is a miss. Nothing here is needed for a scan: a cache
 * that cannot be written is only slow. */
#ifndef KELLET_PACKAGES_LAYER_CACHE_H
#define KELLET_PACKAGES_LAYER_CACHE_H

#include "image/layer_record.h"

/* variant: 0, or listing_fingerprint() of what the record holds besides. data_dir NULL: no cache
 * (always a miss). NULL result: a miss. */
struct layer_record *layer_cache_get(const char *data_dir, str diff_id, uint64_t variant);
void layer_cache_put(const char *data_dir, str diff_id, uint64_t variant,
                     const struct layer_record *record);

#endif
