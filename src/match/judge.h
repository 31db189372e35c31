/* judge.h - the verdict on one package: its claims, grouped by vulnerability, and which of them
 * speaks.
 *
 * Rank decides: a channel of the vendor that the package comes from, the vendor, others who publish
 * for that platform; in ecosystems GHSA, then the ecosystem's own databases, then the NVD. Within a
 * rank a claim about the binary package goes before one about its source, and "affected" before
 * "not affected". */
#ifndef KELLET_MATCH_JUDGE_H
#define KELLET_MATCH_JUDGE_H

#include "match/finding.h"
#include "match/lore.h"
#include "match/query.h"

struct judge {
    const struct vulndb *db;
    const struct inventory *inv;
    struct match_host host;
    struct lore_book lore;
    struct arena scratch;  /* of the package at hand */
    struct map by_name;    /* distro packages: name -> struct inv_package */
    struct arena *results; /* where findings live */
};

/* A claim that speaks about a package, and why it is where it is. */
struct voice {
    const struct db_claim *c;
    str version; /* what the claim is compared with: the package's or its source's */
    str key;     /* the vulnerability */
    int rank;
    size_t order;
};

enum verdict_kind { VERDICT_AFFECTED, VERDICT_SUPPRESSED };
struct verdict {
    enum verdict_kind kind;
    struct finding finding;         /* AFFECTED */
    struct suppression suppression; /* SUPPRESSED */
};
struct verdicts {
    struct verdict *items; /* sorted by id; in the results arena, as is all they hold */
    size_t n;
};

int judge_open(struct judge *j, const struct vulndb *db, const struct inventory *inv,
               struct arena *results, struct err *e);
void judge_close(struct judge *j);

/* Judges the package without regard to who owns it: the result depends only on its identity.
 * `t` is its target. */
int judge_package(struct judge *j, uint32_t package, const struct match_target *t,
                  struct verdicts *out, struct err *e);

/* The reason why a finding in a language package that a distro package installed is taken back;
 * empty when it stands. */
int judge_owned(struct judge *j, uint32_t package, str id, str *reason, struct err *e);

enum voices_wanted {
    VOICES_COVERING, /* claims that cover the version (or say that it is not affected) */
    VOICES_NAMING,   /* whatever their ranges */
    VOICES_ALL,      /* also those taken back, or passed over (match_passed_over) */
};
/* Claims of the query's kinds about the package, once for each vulnerability they speak of. In the
 * arena. */
int judge_voices(struct judge *j, const struct package *p, const struct match_query *q,
                 enum voices_wanted wanted, struct arena *a, struct voice **out, size_t *n,
                 struct err *e);
/* "it was withdrawn", or what match_passed_over() says; NULL when the claim may speak. */
const char *judge_silenced(const struct package *p, const struct db_claim *c);

#endif
