/* match_fixture.h - made-up databases and inventories for the matching tests, as rows. */
#ifndef KELLET_TESTS_MATCH_FIXTURE_H
#define KELLET_TESTS_MATCH_FIXTURE_H

#include "unit.h"

#include "match/finding.h"

struct claim_row {
    const char *source, *vuln, *where, *package; /* where: "debian:12" or an ecosystem, "npm" */
    const char *lo, *hi, *fixed;                 /* range [lo, hi); both NULL: every version */
    enum package_kind of;                        /* language packages where `where` has no colon */
    enum claim_kind kind;
    enum fix_state state; /* FIX_UNKNOWN and hi given: FIX_FIXED, and fixed is hi */
    enum severity severity;
    const char *scheme; /* NULL: "deb" on platforms, "semver" elsewhere */
    const char *module, *arch, *channel, *note, *lo2, *hi2;
    bool module_none;
};
struct vuln_row {
    const char *source, *id;
    const char *same, *upstream, *related; /* ids, comma-separated */
    enum severity severity;
    const char *cvss;
    enum vuln_status status;
    bool kev;
    int epss; /* millionths; 0: none */
};
struct package_row {
    const char *type, *name, *version;
    const char *source, *source_version, *arch, *module, *group, *owner, *path;
};

struct fixture {
    char dir[256];
    struct vulndb *db;
    struct inventory inv;
    struct findings *findings;
};

enum { ROWS_MAX = 12 };
struct match_case {
    const char *name;
    const char *distro, *version, *codename; /* os-release; NULL: unknown */
    struct claim_row claims[ROWS_MAX];       /* ended by source NULL */
    struct vuln_row vulns[ROWS_MAX];
    struct package_row packages[ROWS_MAX]; /* ended by type NULL */
    const char *want;                      /* as fixture_render writes it */
    const char *reason;                    /* text that the first reason must hold; NULL: any */
};

/* Builds the database and the inventory, and matches. */
void fixture_make(struct fixture *f, const struct match_case *c);
void fixture_done(struct fixture *f);
/* One line each: "finding PACKAGE ID SEVERITY/SOURCE STATE[:FIX,...] by SOURCE", "suppressed
 * PACKAGE ID KIND", "uncovered WHAT", "unmatched PACKAGE[ gap]". */
void fixture_render(const struct fixture *f, struct buf *out);

/* For tests that make their own. */
void fixture_install(const char *dir, const char *source, const struct claim_row *claims,
                     size_t n_claims, const struct vuln_row *vulns, size_t n_vulns);
void fixture_dir(struct fixture *f);

#endif
