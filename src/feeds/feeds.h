/* feeds.h - upstream drivers: one file per format or source, all listed in all.c.
 *
 * A driver reads an upstream's files and sends what they say to a claim_sink. It reads each input
 * as a stream in bounded memory (256 MiB for the largest element), names file and place in every
 * error, and counts what it leaves out by reason. A file that cannot be read is an error: the last
 * good data stay. */
#ifndef KELLET_FEEDS_FEEDS_H
#define KELLET_FEEDS_FEEDS_H

#include "codec/stream.h"
#include "vulndb/claim.h"

/* One input: a file, a member of an archive, or a file below a directory. */
struct feed_input {
    str path; /* what the user gave, plus "!member" or "/below": for messages and by-name rules;
               * terminated by NUL */
    struct stream *in; /* decompressed */
};

/* Where an upstream whose groups are sources of their own writes. */
struct feed_sinks {
    /* The sink of a source, the same one each time. none: the upstream has no records for it, so
     * what the database holds of it goes; *out stays as it is. ERR_LIMIT. */
    int (*get)(struct feed_sinks *s, str source, bool none, struct claim_sink **out, struct err *e);
};

struct feed_ops {
    const char *name;    /* "alpine", "anchore", "debian", "osv", "nvd", "kev", "epss" */
    const char *summary; /* one line for help */
    const char *licence; /* of the data; shown by status */
    /* MUST. Is this member or file of a directory one of ours? (Files named by the user are always
     * read.) */
    bool (*wants)(str path);
    /* MUST, one of read and read_many. Reads one input. *state starts NULL and is shared by the
     * inputs of one load. */
    int (*read)(void **state, const struct feed_input *in, struct claim_sink *sink, struct err *e);
    /* The same, of many sources. */
    int (*read_many)(const struct feed_input *in, struct feed_sinks *sinks, struct err *e);
    /* MAY. After the last input: emits what had to wait, frees *state. Also called after an error,
     * with sink NULL: only free. */
    int (*finish)(void **state, struct claim_sink *sink, struct err *e);
    /* MAY. The upstream's files for `feeds sync`: URL paths below the base, in order; see sync.h.
     */
    const struct feed_sync *sync;
};

const struct feed_ops *feed_find(str name);
extern const struct feed_ops *const feeds_all[]; /* ended by NULL */

struct feed_progress {
    void (*step)(void *ctx, str path, uint64_t inputs, uint64_t bytes);
    void *ctx;
};
/* Walks files, directories (sorted, recursively) and archives (.tar[.gz|.zst|.xz|.bz2], .zip, by
 * magic) and feeds each wanted input to the driver. Single files may be compressed. */
int feeds_load(const struct feed_ops *feed, const char *const *paths, size_t n_paths,
               struct claim_sink *sink, const struct feed_progress *progress, struct err *e);
/* The same for a feed with read_many. */
int feeds_load_many(const struct feed_ops *feed, const char *const *paths, size_t n_paths,
                    struct feed_sinks *sinks, const struct feed_progress *progress, struct err *e);

#endif
