/* anchore.h - the feed service that engines before 1.0 took their vulnerability data from: feeds of
 * groups of records, in pages of JSON.
 *
 *     GET {base}                 {"feeds": [{"name"}], "next_token"?}
 *     GET {base}/{feed}          {"groups": [{"name"}], "next_token"?}
 *     GET {base}/{feed}/{group}  {"data": [records], "next_token"?}
 *
 * Feeds: "vulnerabilities" (a group per release of a distro), "nvdv2", "github" (a group per
 * ecosystem) and "packages" (all packages of npm and gem with their versions). Others are passed
 * over. Each group becomes a source of the database:
 *   - "alpine:3.10": claims on that platform, about source and binary packages
 *   - "github:python": claims in the ecosystem
 *   - "nvd": vulns, and claims in the ecosystem "CPE" whose packages are the CPEs' products and
 *     whose exact versions are the CPEs' (matching does not ask for them by itself)
 *   - "packages:npm": vulns without claims whose ids are the packages' names
 * The details of each vuln are the record itself as JSON text. The records of each group are kept
 * as DATA/feeds/anchore/FEED/GROUP.jsonl; whatever fails, those of the last good run stay.
 *
 * Without a service (anchore_load.c): `kellet feeds load anchore` reads {feed: {group: [record]}},
 * or the files FEED/GROUP.jsonl of above, at most 256 MiB each. */
#ifndef KELLET_FEEDS_ANCHORE_H
#define KELLET_FEEDS_ANCHORE_H

#include "base/arena.h"
#include "net/http.h"
#include "vulndb/claim.h"

struct anchore_group {
    str feed, name;
    bool failed, changed; /* changed: the database was built anew from it */
    uint64_t records;     /* that the group has */
    double seconds;
    str problem; /* of one that failed */
};

struct anchore_options {
    const char *data_dir, *url; /* url: the base, without a slash at its end or with */
    const char *authorization;  /* NULL: none */
    struct http *http;
    bool force; /* load also what has not changed */
    /* MAY. Is the group (or, when it is empty, anything of the feed) wanted? */
    bool (*wants)(void *ctx, str feed, str group);
    /* MAY. `g` is complete in `done`. A feed's own end: name empty. Negative: stop. */
    int (*start)(void *ctx, const struct anchore_group *g);
    int (*done)(void *ctx, const struct anchore_group *g);
    void *ctx;
};
struct anchore_result {
    struct arena arena;
    struct anchore_group *groups; /* in the service's order */
    size_t n;
    bool changed; /* the database is a new one */
};

/* An error only when the service's lists cannot be had, or a callback stopped it; groups that fail
 * do not stop others. *out must be given to anchore_result_done() in any case. */
int anchore_sync(const struct anchore_options *o, struct anchore_result *out, struct err *e);
void anchore_result_done(struct anchore_result *r);

/* Names become file names and parts of URLs. */
bool anchore_name_ok(str group);
bool anchore_feed_known(str feed);
/* The source's name in the database; in the arena. */
str anchore_source(struct arena *a, str feed, str group);
/* Forgets a group's records, in the database too: 1 done, 0 there were none. */
int anchore_remove(const char *data_dir, str feed, str group, struct err *e);

/* ---- records, for the tests too (anchore_record.c) --------------------------------------------
 */
/* Sends what one record of the feed's group says. ERR_FORMAT. */
int anchore_record(str feed, str group, str json, struct claim_sink *sink, struct err *e);
/* ">= 2.0, < 2.2.1 || = 3.1": views into `text`. Returns how many, or -1 when it is no range. */
int anchore_ranges(str text, struct version_range *out, size_t max);

#endif
