/* sync_fetch.h - one upstream file: conditional, resumed, replaced whole. See sync.h. */
#ifndef KELLET_FEEDS_SYNC_FETCH_H
#define KELLET_FEEDS_SYNC_FETCH_H

#include "net/http.h"

enum sync_outcome { SYNC_UNCHANGED, SYNC_CHANGED, SYNC_ABSENT };

struct sync_fetch {
    struct http *http;
    const char *url;
    const char *path; /* its directory exists */
    bool optional;
    void (*on_bytes)(void *ctx, uint64_t bytes); /* of this file, so far */
    bool (*stop)(void *ctx); /* MAY. Asked now and then: true ends the download */
    void *ctx;
    uint64_t bytes; /* out: downloaded in this run */
};

int sync_fetch(struct sync_fetch *f, enum sync_outcome *out, struct err *e);
/* Forgets entity tag and date, so that the next run downloads the file whole. */
void sync_forget(const char *path);

#endif
