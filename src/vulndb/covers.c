/* covers.c - does a version lie in ranges? By keys where the scheme has them, else by its compare.
 */
#include "vulndb/ranges.h"

#include "base/auto.h"
#include "base/hash.h"

/* For claims in a scheme that this build lacks: byte order is wrong for most pairs but right for
 * equal ones, and an unknown scheme must not hide a claim that names the version. */
static bool fallback_valid(str v)
{
    return v.n;
}
static const struct version_ops fallback = {
    .name = "bytes",
    .valid = fallback_valid,
    .compare = str_cmp,
};

bool ranges_open(const struct shard *s, uint32_t offset, struct ranges *out)
{
    str section = s->section[SEC_RANGES];
    if (offset >= section.n)
        return false;
    out->at = cursor_over(section.p + offset, section.n - offset);
    out->scheme = shard_take_u8(&out->at);
    out->n_ranges = shard_take_varint(&out->at);
    out->n_exact = shard_take_varint(&out->at);
    return cursor_ok(&out->at) && out->scheme < s->n_schemes &&
           out->n_ranges <= cursor_left(&out->at) && out->n_exact <= cursor_left(&out->at) / 12;
}

uint8_t ranges_take(struct cursor *c, struct range_bound *lo, struct range_bound *hi)
{
    uint8_t flags = shard_take_u8(c);
    lo->ref = (uint32_t)shard_take_varint(c);
    hi->ref = (uint32_t)shard_take_varint(c);
    lo->key = flags & RANGE_LO_KEY ? shard_take_bytes(c, shard_take_varint(c)) : STR("");
    hi->key = flags & RANGE_HI_KEY ? shard_take_bytes(c, shard_take_varint(c)) : STR("");
    return flags;
}

void version_query_done(struct version_query *q)
{
    for (size_t i = 0; i < q->n; i++)
        buf_done(&q->keys[i]);
    q->n = 0;
}

/* The place of the version's key under a scheme, made when first asked for. A version without a key
 * has an empty one. */
static size_t query_key(struct version_query *q, const struct version_ops *ops)
{
    size_t i = 0;
    while (i < q->n && q->ops[i] != ops)
        i++;
    if (i < q->n)
        return i;
    if (i == KE_ARRAY_LEN(q->ops)) /* many schemes for one package: make room */
        buf_done(&q->keys[--i]);
    q->n = i + 1;
    q->ops[i] = ops;
    buf_init(&q->keys[i], SIZE_MAX / 2);
    if (!ops->key || !ops->key(q->text, &q->keys[i]) || !buf_ok(&q->keys[i]))
        buf_clear(&q->keys[i]);
    str by = q->keys[i].n ? buf_view(&q->keys[i]) : q->text;
    q->hashes[i] = (uint32_t)hash64(by.p, by.n);
    return i;
}

/* version - bound. */
static int compare_to(const struct shard *s, const struct version_ops *ops, str version, str key,
                      const struct range_bound *b, bool *bad)
{
    if (key.n && b->key.n)
        return str_cmp(key, b->key);
    return ops->compare(version, shard_str(s, b->ref, bad));
}

static bool exact_covers(const struct shard *s, struct ranges *h, const struct version_ops *ops,
                         str version, uint32_t hash, bool *bad)
{
    const char *refs = (const char *)h->at.p;
    const char *slots = refs + 4 * h->n_exact;
    if (cursor_left(&h->at) < 12 * h->n_exact) {
        *bad = true;
        return false;
    }
    uint64_t lo = 0, hi = h->n_exact;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (shard_u32(slots + 8 * mid) < hash)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < h->n_exact && shard_u32(slots + 8 * lo) == hash; lo++) {
        uint32_t at = shard_u32(slots + 8 * lo + 4);
        if (at >= h->n_exact) {
            *bad = true;
            return false;
        }
        str text = shard_str(s, shard_u32(refs + 4 * (size_t)at), bad);
        if (str_eq(text, version) || ops->compare(text, version) == 0)
            return true;
    }
    for (uint64_t i = 0; !ops->key && i < h->n_exact; i++)
        if (ops->compare(shard_str(s, shard_u32(refs + 4 * i), bad), version) == 0)
            return true;
    return false;
}

bool shard_ranges_cover(const struct shard *s, uint32_t offset, struct version_query *q, bool *bad)
{
    struct ranges h;
    if (!ranges_open(s, offset, &h)) {
        *bad = true;
        return false;
    }
    if (h.n_ranges == 0 && h.n_exact == 0)
        return true;
    const struct version_ops *ops = s->schemes[h.scheme] ? s->schemes[h.scheme] : &fallback;
    size_t at = query_key(q, ops);
    str key = buf_view(&q->keys[at]);
    for (uint64_t i = 0; i < h.n_ranges; i++) {
        struct range_bound lo, hi;
        uint8_t flags = ranges_take(&h.at, &lo, &hi);
        if (!cursor_ok(&h.at)) {
            *bad = true;
            return false;
        }
        if (!(flags & RANGE_FROM_START)) {
            int c = compare_to(s, ops, q->text, key, &lo, bad);
            if (c < 0 || (c == 0 && flags & RANGE_LO_EXCLUDED))
                continue;
        }
        if (hi.ref == 0)
            return true;
        int c = compare_to(s, ops, q->text, key, &hi, bad);
        if (c < 0 || (c == 0 && flags & RANGE_HI_INCLUDED))
            return true;
    }
    return h.n_exact && exact_covers(s, &h, ops, q->text, q->hashes[at], bad);
}

bool claim_covers_version(const struct claim *c, str version)
{
    if (c->n_ranges == 0 && c->n_exact == 0)
        return true;
    const struct version_ops *ops = c->scheme ? version_scheme(str_z(c->scheme)) : NULL;
    if (!ops)
        ops = &fallback;
    for (size_t i = 0; i < c->n_ranges; i++) {
        const struct version_range *r = &c->ranges[i];
        if (r->lo.n && !str_eq(r->lo, STR("0"))) {
            int d = ops->compare(version, r->lo);
            if (d < 0 || (d == 0 && r->lo_excluded))
                continue;
        }
        int d = r->hi.n ? ops->compare(version, r->hi) : -1;
        if (d < 0 || (d == 0 && r->hi_included))
            return true;
    }
    for (size_t i = 0; i < c->n_exact; i++)
        if (ops->compare(c->exact[i], version) == 0)
            return true;
    return false;
}
