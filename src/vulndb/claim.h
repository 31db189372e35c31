/* claim.h - what upstreams say, as records: a vulnerability, and claims about packages.
 *
 * A claim is one advisory's statement about one package on one platform (or in one ecosystem). Feed
 * drivers produce claims and lose nothing that matters; precedence is decided when matching, never
 * here. All slices are borrowed for the duration of the sink call. */
#ifndef KELLET_VULNDB_CLAIM_H
#define KELLET_VULNDB_CLAIM_H

#include "base/err.h"
#include "base/str.h"

enum severity { /* ordered: larger is worse */
                SEV_UNKNOWN = 0,
                SEV_NEGLIGIBLE,
                SEV_LOW,
                SEV_MEDIUM,
                SEV_HIGH,
                SEV_CRITICAL,
};
/* "Unknown", "Negligible", ... */
const char *severity_name(enum severity s);
/* Any vendor's word (moderate, important, unimportant, urgent, informational, n/a ...),
 * case-insensitive. */
enum severity severity_from_word(str word);
/* CVSS base score times ten -> word; v2 has no Critical. Negative: SEV_UNKNOWN. */
enum severity severity_from_score(int score10, bool cvss_v2);
/* Base score times ten of a CVSS v2, v3.0, v3.1 or v4.0 vector, by first.org's formulas; -1 when
 * malformed. */
int cvss_score10(str vector);
/* The first of vectors that blanks separate, and the one of version 3 among them; empty: none. */
str cvss_first(str vectors);
str cvss_of_version3(str vectors);

enum fix_state {
    FIX_UNKNOWN = 0,
    FIX_FIXED,        /* claim.fixed names the version */
    FIX_NOT_FIXED,    /* affected, no fix yet */
    FIX_DEFERRED,     /* postponed, no-dsa, pending */
    FIX_WONT_FIX,     /* ignored, out of support scope */
    FIX_END_OF_LIFE,  /* the release gets no more fixes */
    FIX_NOT_AFFECTED, /* explicitly not vulnerable */
    FIX_UNDER_INVESTIGATION,
    FIX_WITHDRAWN, /* the advisory was taken back: a tombstone, never matched */
};
/* "fixed", "not-fixed", "deferred", "wont-fix", "end-of-life", "not-affected",
 * "under-investigation", "withdrawn", "unknown". */
const char *fix_state_name(enum fix_state s);

enum claim_kind { CLAIM_AFFECTED, CLAIM_UNAFFECTED };
/* What `package` names: a source package (Debian, Alpine origin), a binary package (rpm families),
 * or a language package. */
enum package_kind { PACKAGE_SOURCE, PACKAGE_BINARY, PACKAGE_LANGUAGE };

/* One interval of versions. An empty lo (or "0") means from the beginning, an empty hi without end.
 */
struct version_range {
    str lo, hi;
    bool lo_excluded; /* lo itself is outside */
    bool hi_included; /* hi itself is inside ("last_affected") */
};

struct vuln_alias {
    str id;
    enum alias_kind {
        ALIAS_SAME,
        ALIAS_UPSTREAM,
        ALIAS_RELATED
    } kind; /* RELATED never joins groups */
};

/* The vulnerability or advisory itself, once per (source, id). Decorators (nvd, kev, epss) send
 * only this. */
struct vuln {
    str id; /* as upstream names it: CVE-..., GHSA-..., ALSA-..., DSA-... */
    enum vuln_status { VULN_ACTIVE, VULN_DISPUTED, VULN_REJECTED, VULN_WITHDRAWN } status;
    int64_t published, modified, withdrawn; /* Unix seconds; 0: not given */
    enum severity severity;
    str cvss_vector;      /* the best one: newest version, primary source; when that is not of
                             version 3 and there is one, a blank and that one */
    int16_t cvss_score10; /* 98 for 9.8; -1: none */
    const struct vuln_alias *aliases;
    size_t n_aliases;
    str summary; /* one line; may be empty */
    str details; /* description; may be empty */
    str url;     /* the upstream's page */
    /* kev */
    int64_t kev_added, kev_due;
    bool kev_ransomware, kev_listed;
    /* epss, millionths; -1: not given */
    int32_t epss_score, epss_percentile;
};
/* A vuln with every optional number at "not given". */
struct vuln vuln_empty(void);

struct claim {
    str vuln_id;  /* id of a struct vuln of the same source, which may come before or after */
    str platform; /* "debian:12", "alpine:3.18", "almalinux:8"; empty for ecosystems (platform.h) */
    str ecosystem; /* "PyPI"; empty for platforms */
    str package;   /* normalised by the ecosystem's rule; as it stands on platforms */
    enum package_kind package_kind;
    enum claim_kind kind;
    enum fix_state state;
    const char *scheme;                 /* version scheme of ranges, fixed and exact */
    const struct version_range *ranges; /* none and no exact: every version */
    size_t n_ranges;
    const str *exact; /* versions named one by one */
    size_t n_exact;
    str fixed;              /* first fixed version; empty when none is known */
    enum severity severity; /* this vendor, this package, this release; SEV_UNKNOWN: see the vuln */
    str severity_raw;       /* the vendor's own word */
    str advisory;           /* DSA-5432-1, RHSA-...: the fix's advisory where it is not vuln_id */
    int64_t fix_date;       /* Unix seconds; 0: not given */
    str arch;               /* empty: any; else "x86_64", "src" ... comma-separated */
    str module;             /* rpm modularity "name:stream" */
    bool module_none;       /* the row says: not modular (must not match modular packages) */
    str channel;            /* "", "esm", "eus", "fips" ... */
    str note;               /* vendor's reason ("Minor issue", "no-dsa") */
    str symbols;            /* Go: JSON array [{path,symbols}] as upstream has it; may be empty */
};

/* Where drivers send what they read. Both return 0 or a negative code, on which the driver stops.
 */
struct claim_sink {
    int (*vuln)(struct claim_sink *s, const struct vuln *v, struct err *e);
    int (*claim)(struct claim_sink *s, const struct claim *c, struct err *e);
    /* n statements were read and not stored, for this reason (a short fixed phrase). */
    void (*drop)(struct claim_sink *s, const char *reason, uint64_t n);
    /* n records (advisories, rows: what the upstream counts) were read, stored or not. */
    void (*record)(struct claim_sink *s, uint64_t n);
    /* The date the upstream gives its data (Unix seconds), and its version text, when known. */
    void (*dated)(struct claim_sink *s, int64_t date, str version);
};

#endif
