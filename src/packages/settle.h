/* settle.h - what catalogue.c keeps aside while a layer is walked, and puts in order at its end.
 *
 * A package found by a finish() belongs to the evidence file it names (p->path, up to a ':' of a
 * nested archive), and a file that the archive holds twice counts once: so packages are attributed
 * to files while they come and sorted into runs at the end. Executables that a distro package
 * installed are only known to matter when a language cataloguer found something in them: until then
 * 16 bytes are kept for each. */
#ifndef KELLET_PACKAGES_SETTLE_H
#define KELLET_PACKAGES_SETTLE_H

#include "base/err.h"
#include "packages/package.h"

enum { SETTLE_LATER = 0xffffffff };

struct settle_owned {
    uint64_t path; /* hash of it */
    uint32_t owner;
};

struct settle {
    VEC(uint32_t) file_of; /* of each package; SETTLE_LATER: by its path */
    VEC(struct settle_owned) owned;
    VEC(str) owners;
};

/* After each package pushed to f. in_file: it belongs to the last of f->files. False when memory is
 * out. */
bool settle_package(struct settle *s, const struct facts *f, bool in_file);
/* Adds to f->owned. ERR_LIMIT when the facts are full. */
int settle_own(struct facts *f, str path, str owner, struct err *e);
/* Decided by settle_facts. */
int settle_own_later(struct settle *s, struct facts *f, str path, str owner, struct err *e);
int settle_facts(struct settle *s, struct facts *f, struct err *e);
void settle_done(struct settle *s);

#endif
