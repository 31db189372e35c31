/* links.h - package databases behind links: /var/lib/rpm -> ../../usr/lib/sysimage/rpm, a
 * hard-linked status file.
 *
 * Cataloguers know a database by its path, but a layer's archive holds the file under its real
 * path, and which path that is can only be told after the squash. So layers keep the few links that
 * matter, the squash resolves the known paths through them, and where a database turns out to lie
 * elsewhere the image is read once more with that real path standing for the known one. On that way
 * further links may come to matter (var/lib -> ../state, state/rpm -> /opt/db): then it is read
 * again, LINK_ROUNDS_MAX times at most. */
#ifndef KELLET_PACKAGES_LINKS_H
#define KELLET_PACKAGES_LINKS_H

#include "base/buf.h"
#include "packages/package.h"

struct alias;

enum { LINKS_MAX = 20000, LINK_HOPS_MAX = 40, LINK_ROUNDS_MAX = 8 };

/* Is this symbolic link at, or above, the path of a database or release file that some cataloguer
 * reads? */
bool link_matters(str path);
/* Is it at, or above, one of these (real) paths? */
bool link_leads_to(str path, const struct alias *aliases, size_t n);
/* The known paths, ended by an empty str. */
extern const str known_paths[];

struct link_view { /* finds the visible symbolic link at a path, or gives an empty target */
    str (*target)(void *ctx, str path);
    void *ctx;
};
/* Resolves `path` as the system of the image would, staying inside its root. 1: *out (in the arena)
 * is the real path and differs from `path`; 0: no link on the way; ERR_FORMAT: a loop or more than
 * 40 links. */
int link_resolve(const struct link_view *v, str path, struct arena *a, str *out, struct err *e);

/* A file to be read as if it stood at another path. `hard`: where a layer holds a hard link of that
 * name to it, and only there. */
struct alias {
    str real, as;
    bool hard;
};

struct alias_list {
    struct alias *p; /* symbolic ones first */
    size_t n;
    str loops[32]; /* known paths that links lead to nowhere, in circles */
    size_t n_loops;
};

/* Appends one component to the path being built; "." and ".." are understood, the root is never
 * left. */
void link_path_step(struct buf *at, str part);

#endif
