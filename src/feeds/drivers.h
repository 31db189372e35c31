/* drivers.h - every driver's table, for all.c. */
#ifndef KELLET_FEEDS_DRIVERS_H
#define KELLET_FEEDS_DRIVERS_H

#include "feeds/feeds.h"

extern const struct feed_ops feed_alpine, feed_anchore, feed_debian, feed_epss, feed_kev, feed_nvd,
    feed_osv, feed_wolfi;

#endif
