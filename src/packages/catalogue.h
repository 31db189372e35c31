/* catalogue.h - the context that cataloguers work in, as the layer walk sees it: one struct cat per
 * layer.
 *
 *     struct cat *c = cat_new(&facts, &spools, e);
 *     for each regular file of the layer, in the archive's order: cat_offer(c, &file, e)
 *     cat_finish(c, e);
 *     cat_free(c);
 *
 * A broken or hostile file never ends the layer: what a cataloguer returns for it becomes a problem
 * entry and what it found is kept. Only failing memory and a failing content stream are errors.
 *
 * Limits, each a "limit" problem when it is passed, with everything found until then kept:
 * the facts' arena (facts_init), CAT_PACKAGES_MAX packages, CAT_PROBLEMS_MAX problems,
 * CAT_SCRATCH_MAX bytes of scratch memory a file, CAT_NAME_MAX bytes of a package's name or version
 * (the package is then left out), CAT_OWNED_MAX files of distro packages. */
#ifndef KELLET_PACKAGES_CATALOGUE_H
#define KELLET_PACKAGES_CATALOGUE_H

#include "packages/cataloguer.h"

enum {
    FACTS_ARENA_MAX = 24 << 20,
    CAT_SCRATCH_MAX = 48 << 20,
    CAT_PACKAGES_MAX = 200000,
    CAT_NAME_MAX = 128 << 10,
    CAT_PROBLEMS_MAX = 10000,
    CAT_OWNED_MAX = 1000000,
};

/* `out` is initialised by the caller and borrowed until cat_free. spools (copied) may be NULL for
 * the defaults. NULL when memory is out. */
struct cat *cat_new(struct facts *out, const struct spool_limits *spools, struct err *e);

/* Packages' lists of files go to `files` (borrowed until cat_free). */
struct package_files;
void cat_collect_files(struct cat *c, struct package_files *files);

/* Finds the cataloguer for a regular file, notes the evidence and lets it parse. 1 when some
 * cataloguer took the file, 0 when none wants it, or a negative code. A path offered twice (a tar
 * may hold it twice) counts as it was the last time. */
int cat_offer(struct cat *c, const struct cat_file *f, struct err *e);

/* After the last file: lets cataloguers add what had to wait, and settles the facts so that each
 * evidence file's packages are one run, the runs in the order of facts.files and without gaps. */
int cat_finish(struct cat *c, struct err *e);

void cat_free(struct cat *c); /* NULL is fine */

#endif
