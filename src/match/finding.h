/* finding.h - package x claim -> finding, with the reason for every yes and no.
 *
 * Distro packages match by source and binary name against their platform's claims, language
 * packages against their ecosystem's. Claims that name the same vulnerability (alias groups) become
 * one finding; which claim speaks is decided by precedence: the vendor of the platform, then the
 * ecosystem's databases, then the NVD. An explicit "not affected" of a higher source wins over
 * "affected" of a lower one, and so does its fixed version when that is installed. */
#ifndef KELLET_MATCH_FINDING_H
#define KELLET_MATCH_FINDING_H

#include "packages/inventory.h"
#include "vulndb/vulndb.h"

struct finding {
    uint32_t package;   /* index in inventory.packages */
    str id;             /* the CVE where the group has one, else the advisory's id */
    const str *aliases; /* all other ids of the group, sorted */
    size_t n_aliases;
    enum severity severity;
    str severity_source;  /* who gave it: "debian", "nvd", ... */
    int16_t cvss_score10; /* -1: none */
    str cvss_vector;
    enum fix_state fix_state;
    const str *fix_versions; /* sorted by the scheme, each once */
    size_t n_fix_versions;
    str source;          /* of the claim that spoke */
    str platform;        /* or ecosystem */
    str claimed_package; /* the name that the claim uses (source package, normalised name) */
    str advisory, summary, url;
    str reason; /* for people: which claim, which range, which version */
    bool kev;
    int32_t epss_score; /* millionths; -1 none */
};

enum suppression_kind {
    SUPPRESSED_OWNED,        /* a distro package installed these files: its vendor's word counts */
    SUPPRESSED_NOT_AFFECTED, /* a higher source says not affected, fixed or rejected */
    SUPPRESSED_HEADERS, /* a kernel's vulnerability, in a package that holds its headers only */
};
struct suppression { /* a match that was taken back, and why */
    uint32_t package;
    str id, source, reason;
    enum suppression_kind kind;
};

struct unmatched { /* a package that could not be looked up, and why */
    uint32_t package;
    str why;  /* "its version is not known" ... */
    bool gap; /* makes the result incomplete; false: expected (a Go main module without version) */
};

struct data_source { /* what the verdict rests on */
    str name, digest, version;
    int64_t loaded, upstream_date;
    uint64_t claims;
};

struct findings {
    struct arena arena;
    struct finding *items; /* sorted by severity (worst first), id, package */
    size_t n;
    struct suppression *suppressed; /* sorted */
    size_t n_suppressed;
    struct data_source *data; /* sorted by name */
    size_t n_data;
    /* completeness beyond the inventory's problems */
    const str *uncovered; /* platforms and ecosystems with packages but without data ("alpine:3.18",
                             "npm") */
    size_t n_uncovered;
    struct unmatched *unmatched; /* in the inventory's order */
    size_t n_unmatched;
};

/* db may be NULL (no data yet): everything is uncovered. The result owns all its text: db may be
 * closed before it is freed. ERR_LIMIT beyond 1 GiB of findings. */
int match_inventory(const struct vulndb *db, const struct inventory *inv, struct findings **out,
                    struct err *e);
void findings_free(struct findings *f);

/* Writes the reason tree for one vulnerability id (or alias) on this inventory: for every package
 * that any claim names, yes or no and why. Returns 1 when at least one package is affected, 0 when
 * none. */
int match_explain(const struct vulndb *db, const struct inventory *inv, str id, struct buf *out,
                  struct err *e);

#endif
