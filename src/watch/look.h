/* look.h - one look at one image: what its registry says of it now, its packages (read once for
 * each digest, then remembered), its findings and its verdict by the data at hand. */
#ifndef KELLET_WATCH_LOOK_H
#define KELLET_WATCH_LOOK_H

#include "image/registry.h"
#include "policy/bundle.h"
#include "services/analyzer/settings.h"
#include "watch/change.h"

#include <pthread.h>
#include <stdatomic.h>

struct zygote;

struct watch_options {
    const char *data_dir;
    const char *platform; /* "os/arch[/variant]"; NULL: this machine's */
    unsigned threads;     /* of a scan */
    uint64_t cache_max;
    bool no_cache;
    struct registry_options registry;
    const char *policy; /* text of a bundle; NULL: none */
    struct zygote *zygote;
    /* Told to people beside the changes ("now watching ...", why an image cannot be checked).
     * Called from one thread at a time; MAY be NULL. */
    void (*note)(void *ctx, const char *text);
    void *ctx;
};

/* What all looks share. */
struct watch {
    const struct watch_options *o;
    struct watch_state *state;
    struct vulndb *db; /* NULL: there are no data */
    char generation[SHA256_TEXT];
    struct policy_bundle *bundle;
    struct analyzer_settings *settings;
    char policy_digest[SHA256_TEXT]; /* "": no policy */
    pthread_mutex_t lock;            /* of notes */
    pthread_mutex_t scans[2];        /* this many images are read at once */
    atomic_uint next_scan;
    atomic_bool stop;
    /* counts of a round */
    atomic_uint looked, scanned, again, failed, gaps;
};

void watch_note(struct watch *w, const char *fmt, ...) KE_PRINTF(2, 3);
static inline str watch_platform(const struct watch *w)
{
    return str_z(w->o->platform ? w->o->platform : "");
}

/* Looks at the registry and, where it has another image than before, at the image. Changes are
 * written down; a problem of the image or its registry is one too, and *unreachable says whether it
 * is the registry's. listed_before: its repository was, so that a tag not seen before is a new
 * one. Negative only when the state cannot be written or memory is out. */
int look_at(struct watch *w, struct registry *registry, const struct reference *ref,
            bool listed_before, bool *unreachable, struct err *e);
/* Another one of its registry is known not to answer: says so without asking. */
int look_unreachable(struct watch *w, const struct reference *ref, str why, struct err *e);
/* Tells that a tag is gone that its repository listed. */
int look_gone(struct watch *w, str reference, struct err *e);

/* Judges a remembered image again when data, policy or the time made its findings or verdict old.
 * 1: it was done; 0: there was nothing to do. */
int look_again(struct watch *w, str reference, struct err *e);

#endif
