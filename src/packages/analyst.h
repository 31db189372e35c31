/* analyst.h - the confined process: turns a source's bytes into layer records and a description.
 *
 * It asks its parent for everything it needs (image/channel.h) and touches nothing else. Its work:
 *   analyst.c          start, questions to the parent, the pool of layers
 *   analyst_image.c    index -> manifest -> configuration -> layers, for layouts, registries and
 * archives analyst_archive.c  tar archives: by offset when seekable, else in one pass
 *   analyst_layer.c    one layer: walk, catalogue, verify, record
 *   analyst_dir.c      a root file system */
#ifndef KELLET_PACKAGES_ANALYST_H
#define KELLET_PACKAGES_ANALYST_H

#include "image/source.h"
#include "packages/links.h"

/* Counters that the parent reads while the child works; in shared memory, changed atomically. */
struct analyst_progress {
    uint64_t bytes, total_bytes;
    uint64_t entries; /* of a directory, looked at */
    uint32_t layers_done, layers_total;
    uint32_t confined; /* 1: seccomp and Landlock are on */
};

struct analyst_options {
    unsigned threads; /* at least 1 */
    bool no_confine;
    struct analyst_progress *progress;
    const struct facts_wanted *facts; /* NULL: packages only */
    const struct alias *aliases;      /* files to read under another path, see links.h */
    size_t n_aliases;
};

/* Runs to the end; what went wrong was sent to the parent. Returns the process's exit status. Never
 * returns to the caller's world: the process then calls _exit. */
int analyst_main(const struct source *s, int sock, const struct analyst_options *o);

#endif
