/* parts.c - how much each source says about each platform and ecosystem. */
#include "vulndb/open.h"

#include "base/auto.h"

uint64_t vulndb_epoch(const struct vulndb *db)
{
    return db->manifest.epoch;
}

/* The first word of a claim's row is its vuln's row. */
static int count_vulns(const struct shard *s, uint64_t claims, uint64_t *out, struct err *e)
{
    uint32_t n = s->vulns ? shard_rows(s->vulns, SEC_ROWS, VULN_ROW) : 0;
    uint8_t *seen autofree = calloc(n / 8 + 1, 1);
    bool bad = false;
    if (!seen)
        return err_no_memory(e);
    *out = 0;
    for (uint64_t i = 0; i < claims && !bad; i++) {
        const char *row = shard_row(s, SEC_CLAIMS, CLAIM_ROW, (uint32_t)i, &bad);
        uint32_t v = row ? shard_u32(row) : n;
        if (v >= n || seen[v / 8] & 1 << v % 8)
            continue;
        seen[v / 8] |= (uint8_t)(1 << v % 8);
        ++*out;
    }
    return 0;
}

int vulndb_parts(const struct vulndb *db, struct arena *a, struct vulndb_part **out, size_t *n,
                 struct err *e)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < db->n_sources; i++)
        total += db->sources[i].n_claims;
    *out = arena_calloc(a, total + 1, sizeof **out);
    if (!*out)
        return err_no_memory(e);
    int r = 0;
    for (size_t i = 0; i < db->n_sources; i++)
        for (size_t k = 0; r == 0 && k < db->sources[i].n_claims; k++) {
            const struct shard *s = db->sources[i].claims[k];
            struct vulndb_part *p = &(*out)[at++];
            *p = (struct vulndb_part){.source = db->sources[i].name,
                                      .platform = s->platform,
                                      .ecosystem = s->ecosystem,
                                      .claims = shard_rows(s, SEC_CLAIMS, CLAIM_ROW)};
            r = count_vulns(s, p->claims, &p->vulns, e);
        }
    *n = at;
    return r;
}
