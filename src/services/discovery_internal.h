/* discovery_internal.h - the state that registration and requests share. */
#ifndef KELLET_SERVICES_DISCOVERY_INTERNAL_H
#define KELLET_SERVICES_DISCOVERY_INTERNAL_H

#include "base/vec.h"
#include "services/discovery.h"

#include <pthread.h>

struct found_url {
    char text[512]; /* with the version: "http://host:8082/v1" */
};
struct found {
    int64_t until; /* monotonic microseconds */
    VEC(struct found_url) urls;
};

struct discovery {
    char instance[200];
    char host_id[300];
    bool registered, up;
    pthread_mutex_t lock;
    struct found found[SERVICE_COUNT];
    struct http *http; /* made when first needed */
    unsigned turn;     /* which instance is asked first */
};

#endif
