/* broker.h - the parent's side: answers the confined analyst's questions until it is done. */
#ifndef KELLET_IMAGE_BROKER_H
#define KELLET_IMAGE_BROKER_H

#include "image/channel.h"
#include "image/source.h"

struct broker_events {
    void *ctx;
    /* Are the facts of this layer already known? */
    bool (*have)(void *ctx, str diff_id);
    /* The analyst made a layer's record; fd is sealed or at least no longer written to. `keep`: the
     * record may be cached (nothing in it depends on this run). */
    int (*record)(void *ctx, str diff_id, bool keep, int fd, struct err *e);
    /* The description of the image (packages/analyst.h). */
    int (*image)(void *ctx, int fd, struct err *e);
    /* About ten times a second. Returns a figure that changes while the analyst gets on. */
    uint64_t (*tick)(void *ctx);
    int (*malware)(void *ctx, int *fd, struct err *e); /* MAY: a descriptor as of malware.h */
    bool (*unwanted)(void *ctx);                       /* MAY: true: ends with ERR_CONFLICT */
};

struct broker_limits {
    uint32_t questions; /* more than these are no analyst's */
    uint32_t fetches;   /* likewise, of those that reach for a registry */
    uint32_t quiet_s;   /* seconds without a question or progress; 0: no limit */
};

/* Returns 0 when the analyst said it is done, its own error when it gave up, ERR_IO when it died,
 * or ERR_LIMIT when it passed a limit. The caller then ends the analyst: it may be in any state.
 * Nothing the analyst does or leaves undone blocks: sock becomes non-blocking. */
int broker_serve(struct source *s, int sock, const struct broker_limits *limits,
                 const struct broker_events *ev, struct err *e);

#endif
