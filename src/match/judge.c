#include "match/judge.h"

#include "match/compose.h"

#include <stdlib.h>

enum { SCRATCH_MAX = 512 << 20 };
enum rank { RANK_CHANNEL, RANK_VENDOR, RANK_OTHER, RANK_LAST };

int judge_open(struct judge *j, const struct vulndb *db, const struct inventory *inv,
               struct arena *results, struct err *e)
{
    *j = (struct judge){.db = db, .inv = inv, .results = results};
    arena_init(&j->scratch, SCRATCH_MAX);
    lore_init(&j->lore, db);
    map_init(&j->by_name);
    for (size_t i = 0; i < inv->n_packages; i++)
        if (!inv->packages[i].p.type->ecosystem &&
            !map_put(&j->by_name, inv->packages[i].p.name, (void *)&inv->packages[i]))
            return err_no_memory(e);
    return match_host_resolve(db, &inv->release, results, &j->host, e);
}

void judge_close(struct judge *j)
{
    map_done(&j->by_name);
    lore_done(&j->lore);
    arena_done(&j->scratch);
}

static bool is_aggregator(str source)
{
    return str_eq(source, STR("osv")) || str_eq(source, STR("ghsa")) || str_eq(source, STR("nvd"));
}

static enum rank rank_of(const struct db_claim *c)
{
    if (str_eq(c->source, STR("nvd")))
        return RANK_LAST;
    if (c->claim.platform.n) {
        if (is_aggregator(c->source))
            return RANK_OTHER;
        return c->claim.channel.n ? RANK_CHANNEL : RANK_VENDOR;
    }
    bool is_ghsa = str_starts(c->vuln.id, STR("GHSA-")) || str_eq(c->source, STR("ghsa"));
    return is_ghsa ? RANK_VENDOR : RANK_OTHER;
}

const char *judge_silenced(const struct package *p, const struct db_claim *c)
{
    if (c->vuln.status == VULN_REJECTED)
        return "it was rejected";
    if (c->vuln.status == VULN_WITHDRAWN)
        return "it was withdrawn";
    return match_passed_over(p, &c->claim);
}

int judge_voices(struct judge *j, const struct package *p, const struct match_query *q,
                 enum voices_wanted wanted, struct arena *a, struct voice **out, size_t *n,
                 struct err *e)
{
    struct db_claim *claims;
    size_t n_claims, room = 0;
    int rc =
        vulndb_lookup(j->db, q->platform, q->ecosystem, q->name,
                      wanted == VOICES_COVERING ? q->version : STR(""), a, &claims, &n_claims, e);
    if (rc < 0)
        return rc;
    *out = NULL;
    *n = 0;
    for (size_t i = 0; i < n_claims; i++) {
        const struct db_claim *c = &claims[i];
        if (!(q->kinds & 1u << c->claim.package_kind) ||
            (wanted != VOICES_ALL && judge_silenced(p, c)))
            continue;
        struct lore_keys keys;
        rc = lore_keys(&j->lore, &c->vuln, &keys, e);
        if (rc < 0)
            return rc;
        if (*n + keys.n > room) {
            room = 2 * (*n + keys.n) + n_claims;
            struct voice *grown = arena_calloc(a, room, sizeof *grown);
            if (!grown)
                return err_no_memory(e);
            if (*n)
                memcpy(grown, *out, *n * sizeof *grown);
            *out = grown;
        }
        for (size_t k = 0; k < keys.n; k++, ++*n)
            (*out)[*n] = (struct voice){c, q->version, keys.ids[k], rank_of(c), *n};
    }
    return 0;
}

static int by_key(const void *pa, const void *pb)
{
    const struct voice *a = pa, *b = pb;
    int d = str_cmp(a->key, b->key);
    if (d == 0)
        d = a->rank - b->rank;
    if (d == 0) /* binary before source */
        d = (b->c->claim.package_kind == PACKAGE_BINARY) -
            (a->c->claim.package_kind == PACKAGE_BINARY);
    if (d == 0)
        d = (int)a->c->claim.kind - (int)b->c->claim.kind;
    return d ? d : (a->order > b->order) - (a->order < b->order);
}

/* Of all the package's claims about one vulnerability, whatever the version: one that outranks
 * `rank` and does not cover the version, which means that it is fixed there. */
static int find_fixed_above(struct judge *j, const struct package *p, const struct match_target *t,
                            str key, int rank, const struct voice **out, struct err *e)
{
    *out = NULL;
    for (size_t i = 0; i < t->n; i++) {
        struct voice *voices;
        size_t n;
        int rc = judge_voices(j, p, &t->q[i], VOICES_NAMING, &j->scratch, &voices, &n, e);
        if (rc < 0)
            return rc;
        for (size_t k = 0; k < n; k++)
            if (str_eq(voices[k].key, key) && voices[k].rank < rank &&
                voices[k].c->claim.kind == CLAIM_AFFECTED &&
                (!*out || voices[k].rank < (*out)->rank))
                *out = &voices[k];
    }
    return 0;
}

/* Is there a claim of a better rank that could have spoken and did not? Only platforms have them:
 * ecosystems' sources rarely agree on ranges, and silence there proves nothing. */
static bool may_be_fixed_above(const struct package *p, const struct voice *speaker)
{
    return speaker->c->claim.platform.n &&
           (speaker->rank > RANK_VENDOR ||
            (speaker->rank > RANK_CHANNEL && match_from_channel(p->version)));
}

static int suppress(struct judge *j, struct verdict *v, const struct voice *who,
                    enum suppression_kind kind, str reason, struct err *e)
{
    *v = (struct verdict){.kind = VERDICT_SUPPRESSED};
    v->suppression = (struct suppression){.id = arena_dup(j->results, who->key),
                                          .source = arena_dup(j->results, who->c->source),
                                          .reason = reason,
                                          .kind = kind};
    return j->results->full ? err_no_memory(e) : 1;
}

/* One vulnerability's voices (sorted): 1 and *v, 0 when there is nothing to say. */
static int judge_group(struct judge *j, const struct package *p, const struct match_target *t,
                       const struct voice *voices, size_t n, struct verdict *v, struct err *e)
{
    size_t affected = 0;
    while (affected < n && voices[affected].c->claim.kind != CLAIM_AFFECTED)
        affected++;
    if (affected == n)
        return 0;
    const struct voice *speaker = &voices[affected];
    if (affected > 0)
        return suppress(j, v, &voices[0], SUPPRESSED_NOT_AFFECTED,
                        compose_not_affected(&voices[0], j->results), e);
    const struct lore *lore;
    int rc = lore_find(&j->lore, speaker->key, &lore, e);
    if (rc < 0)
        return rc;
    if (lore->rejected_by.n)
        return suppress(j, v, speaker, SUPPRESSED_NOT_AFFECTED,
                        arena_printf(j->results, "%.*s was rejected: it is no vulnerability (%.*s)",
                                     STR_ARG(speaker->key), STR_ARG(lore->rejected_by)),
                        e);
    if (may_be_fixed_above(p, speaker)) {
        const struct voice *fixed;
        rc = find_fixed_above(j, p, t, speaker->key, speaker->rank, &fixed, e);
        if (rc < 0)
            return rc;
        if (fixed)
            return suppress(j, v, fixed, SUPPRESSED_NOT_AFFECTED,
                            compose_not_affected(fixed, j->results), e);
    }
    if (match_is_kernel_headers(p, &speaker->c->claim))
        return suppress(j, v, speaker, SUPPRESSED_HEADERS,
                        arena_printf(j->results, "%.*s holds headers, not the code of the kernel",
                                     STR_ARG(p->name)),
                        e);
    *v = (struct verdict){.kind = VERDICT_AFFECTED};
    rc = compose_finding(voices, n, lore, j->results, &v->finding, e);
    return rc < 0 ? rc : 1;
}

/* The voices of all the package's look-ups that cover its version, sorted by vulnerability. */
static int gather(struct judge *j, const struct package *p, const struct match_target *t,
                  struct voice **out, size_t *n, struct err *e)
{
    struct voice *parts[MATCH_QUERIES_MAX] = {0};
    size_t counts[MATCH_QUERIES_MAX] = {0};
    *n = 0;
    for (size_t i = 0; i < t->n; i++) {
        int rc =
            judge_voices(j, p, &t->q[i], VOICES_COVERING, &j->scratch, &parts[i], &counts[i], e);
        if (rc < 0)
            return rc;
        *n += counts[i];
    }
    *out = arena_calloc(&j->scratch, *n + 1, sizeof **out);
    if (!*out)
        return err_no_memory(e);
    size_t at = 0;
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < counts[i]; k++, at++) {
            (*out)[at] = parts[i][k];
            (*out)[at].order = at;
        }
    if (*n > 1)
        qsort(*out, *n, sizeof **out, by_key);
    return 0;
}

int judge_package(struct judge *j, uint32_t package, const struct match_target *t,
                  struct verdicts *out, struct err *e)
{
    const struct package *p = &j->inv->packages[package].p;
    struct voice *voices;
    size_t n;
    *out = (struct verdicts){0};
    int rc = gather(j, p, t, &voices, &n, e);
    if (rc < 0 || !n)
        return rc;
    out->items = arena_calloc(j->results, n, sizeof *out->items);
    if (!out->items)
        return err_no_memory(e);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && str_eq(voices[to].key, voices[from].key);)
            to++;
        rc = judge_group(j, p, t, voices + from, to - from, &out->items[out->n], e);
        if (rc < 0)
            return rc;
        out->n += rc > 0;
    }
    return 0;
}

static int owner_knows(struct judge *j, const struct package *owner, str id, bool *out,
                       struct err *e)
{
    *out = false;
    struct match_target t;
    int rc = match_target_of(j->db, &j->host, owner, &j->scratch, &t, e);
    for (size_t i = 0; rc >= 0 && !*out && i < t.n; i++) {
        struct voice *voices;
        size_t n;
        rc = judge_voices(j, owner, &t.q[i], VOICES_NAMING, &j->scratch, &voices, &n, e);
        for (size_t k = 0; rc >= 0 && k < n; k++)
            *out |= str_eq(voices[k].key, id);
    }
    return rc < 0 ? rc : 0;
}

int judge_owned(struct judge *j, uint32_t package, str id, str *reason, struct err *e)
{
    const struct inv_package *ip = &j->inv->packages[package];
    *reason = STR("");
    if (!ip->owner.n || !ip->p.type->ecosystem || !j->host.covered)
        return 0;
    const struct inv_package *owner = map_get(&j->by_name, ip->owner);
    bool knows = j->host.lists_unfixed;
    if (!knows && owner) {
        int rc = owner_knows(j, &owner->p, id, &knows, e);
        if (rc < 0)
            return rc;
    }
    if (!knows)
        return 0;
    *reason = arena_printf(j->results, "installed by the %s package %.*s: the data of %.*s count",
                           owner ? owner->p.type->name : "distro", STR_ARG(ip->owner),
                           STR_ARG(j->host.platform));
    return reason->p ? 0 : err_no_memory(e);
}
