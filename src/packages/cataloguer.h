/* cataloguer.h - one file per ecosystem: which paths it reads, and how it turns them into packages.
 *
 * Cataloguers run inside the confined process, one instance of their state per layer, one thread
 * per layer. They see a file's content as a forward-only stream, once, in the order of the archive.
 * A broken file is a problem entry (cat_problem), never an error that ends the scan: parse()
 * returns a negative code only when memory is out or the stream below failed; what it found before
 * a broken record is kept. */
#ifndef KELLET_PACKAGES_CATALOGUER_H
#define KELLET_PACKAGES_CATALOGUER_H

#include "codec/spool.h"
#include "packages/image_facts.h"
#include "packages/package.h"

struct cat_file {
    str path; /* clean, relative to the root */
    uint64_t size;
    uint32_t mode;          /* permission bits */
    struct stream *content; /* may be left unread or half read */
};

struct cat; /* the context: facts being made, limits, scratch */

struct cataloguer {
    const char *name; /* "dpkg", "java" ... */
    /* Reads the distro's own databases; the others read what languages leave, which a distro's
     * package may own. */
    bool distro;
    /* MUST. Is this regular file mine? Called for every file of an image, first by cheap tests on
     * the path's end; must not allocate. The first cataloguer in all.c that wants a file gets it.
     */
    bool (*wants)(str path, uint64_t size, uint32_t mode);
    /* MAY. Is it read only where packages' lists of files are wanted? Of what it wants. */
    bool (*only_lists)(str path);
    /* MUST. */
    int (*parse)(struct cat *c, const struct cat_file *f, struct err *e);
    /* MAY. After the last entry of the layer: databases in several files, answers that had to wait.
     */
    int (*finish)(struct cat *c, struct err *e);
    /* MAY. Frees cat_state(c); always called. */
    void (*drop)(struct cat *c);
};
extern const struct cataloguer *const cataloguers[]; /* ended by NULL */
/* The first that wants the file, or NULL. */
const struct cataloguer *cataloguer_for(str path, uint64_t size, uint32_t mode);

/* ---- what a cataloguer calls -------------------------------------------------------------------
 */

/* The slot for this cataloguer's own state in this layer, NULL at first. */
void **cat_state(struct cat *c);

/* Memory for this file only (freed after parse()). At most 48 MiB. */
struct arena *cat_scratch(struct cat *c);

/* Reads the content whole into scratch memory. max: refuse larger files (a problem entry is added
 * and *out is empty, return 1). 0 when read. */
int cat_read_all(struct cat *c, const struct cat_file *f, size_t max, str *out, struct err *e);
/* Random access to the content; freed by the caller. Same return values. */
int cat_spool(struct cat *c, const struct cat_file *f, uint64_t max, struct spool **out,
              struct err *e);
/* Limits for spools that a cataloguer makes itself (members of jars). */
const struct spool_limits *cat_spool_limits(struct cat *c);

/* Copies the package into the layer's facts; p->path empty: the file being parsed.
 * ERR_NO_MEMORY/ERR_LIMIT. */
int cat_package(struct cat *c, const struct package *p, struct err *e);
int cat_release(struct cat *c, const struct release_info *r, struct err *e);
/* Says that `owner` installed `path`; kept only when some language cataloguer would read such a
 * path. */
int cat_owned(struct cat *c, str path, str owner, struct err *e);
/* Says that the distro package whose documentation is being parsed has this licence; used where its
 * database states none. */
int cat_licence(struct cat *c, str licence, struct err *e);
/* A distro package's own list of files, where that is wanted: begin, each file, end. source empty:
 * the file being parsed. version and arch empty: not known. */
bool cat_files_wanted(const struct cat *c);
void cat_files_begin(struct cat *c, str source, const char *type, str name, str version, str arch);
void cat_files_add(struct cat *c, str path, const struct owned_file *f);
void cat_files_end(struct cat *c);
/* what: one of the words of struct problem. path empty: the file being parsed. */
void cat_problem(struct cat *c, str path, const char *what, const char *fmt, ...) KE_PRINTF(4, 5);
void cat_unsupported(struct cat *c, const char *ecosystem);

/* ---- for tests and fuzzers ----------------------------------------------------------------------
 */

/* Runs the cataloguers over files given in memory, as if they were one layer. Initialises *out,
 * which the caller frees by facts_done whatever is returned. mode 0: 0644. */
struct cat_test_file {
    str path;
    str content;
    uint32_t mode;
};
int catalogue_files(const struct cat_test_file *files, size_t n, struct facts *out, struct err *e);
/* The same with the packages' lists of files (package_files.h); NULL: not wanted. */
struct package_files;
int catalogue_files_with(const struct cat_test_file *files, size_t n, struct package_files *lists,
                         struct facts *out, struct err *e);

#endif
