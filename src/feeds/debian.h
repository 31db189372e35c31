/* debian.h - what the two halves of the Debian driver share: the tracker's JSON (debian.c) and the
 * advisory lists (debian_list.c).
 *
 * Source: the security tracker's documentation ("security-tracker.rst" and the grammar of
 * data/DSA/list), and its JSON at /tracker/data/json. Claims wait in memory until finish(), which
 * joins them to the advisories: about 64 bytes a row. */
#ifndef KELLET_FEEDS_DEBIAN_H
#define KELLET_FEEDS_DEBIAN_H

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "feeds/common.h"

enum { DEBIAN_RELEASES = 64 };

/* A row of the JSON: one vulnerability, one source package, one release. */
struct debian_row {
    str cve, package, fixed, note, urgency; /* in the arena; fixed empty: not fixed */
    uint8_t release;                        /* index into releases */
    uint8_t kind, state, severity;
};

/* A row of a list: what one advisory says about one package in one release. */
struct debian_fix {
    str cve, package, version, advisory;
    int64_t date;
    uint8_t release, kind, state;
    bool inherited; /* the advisory names no CVEs itself and has those of its first part */
};

struct debian {
    struct feed_strings strings;
    struct map vulns;    /* ids sent */
    struct map fixes_of; /* "release package cve" -> index + 1 of the best fix */
    struct map fixes_at; /* the same and " version" -> index + 1 of the first with that version */
    struct map rows_of;  /* rows of the JSON, as fixes_of: to tell what the lists add */
    str releases[DEBIAN_RELEASES]; /* codenames seen */
    str platforms[DEBIAN_RELEASES];
    bool in_json[DEBIAN_RELEASES];
    size_t n_releases;
    VEC(struct debian_row) rows;
    VEC(struct debian_fix) fixes;
};

/* Index of a codename, added when new; -1 when the table is full or memory is out; *known tells
 * whether it is a release with a number (or sid). */
int debian_release(struct debian *d, str codename, bool *known);
/* The key of fixes_of and rows_of. */
str debian_key(struct debian *d, unsigned release, str package, str cve);

/* The key of fixes_at. */
str debian_version_key(struct debian *d, str key, str version);

/* Reads DSA/list or DLA/list. */
int debian_read_list(struct debian *d, const struct feed_input *in, struct claim_sink *sink,
                     struct err *e);
/* Keeps, for each release, package and CVE, the fix that counts. */
int debian_rank_fixes(struct debian *d, struct err *e);

#endif
