/* lore.h - what the whole database knows about one vulnerability: its ids, severities, CVSS, known
 * exploitation, rejection. Gathered once per id and kept for the run.
 *
 * A vulnerability is called by its CVE. An advisory that covers several CVEs stands for each of
 * them, so that its claims meet those of sources that speak of one CVE at a time. */
#ifndef KELLET_MATCH_LORE_H
#define KELLET_MATCH_LORE_H

#include "base/map.h"
#include "vulndb/vulndb.h"

struct lore {
    str id;
    const str *aliases; /* all other ids, sorted; never another CVE */
    size_t n_aliases;
    const struct db_vuln *vulns; /* by rank: GHSA, other ecosystem databases, NVD, other vendors */
    size_t n_vulns;
    bool kev;
    int32_t epss_score; /* -1: none */
    str rejected_by;    /* source that says the CVE itself is no vulnerability; empty: none */
};

struct lore_book {
    const struct vulndb *db;
    struct arena arena; /* everything handed out */
    struct map keys;    /* id -> struct lore_keys */
    struct map pages;   /* id -> struct lore */
};
struct lore_keys {
    const str *ids;
    size_t n;
};

void lore_init(struct lore_book *b, const struct vulndb *db);
void lore_done(struct lore_book *b);

/* The ids that a claim's vulnerability is reported under, at least one. */
int lore_keys(struct lore_book *b, const struct vuln *v, struct lore_keys *out, struct err *e);
/* Everything about one of those ids. */
int lore_find(struct lore_book *b, str id, const struct lore **out, struct err *e);

/* The vuln's own word for its severity, else what its CVSS score says. */
enum severity lore_severity(const struct vuln *v);
/* Sorts texts and drops repetitions; returns how many are left. */
size_t str_sort_unique(str *items, size_t n);

#endif
