/* decode.c - rows of a shard back to claims and vulns; see shard.h for the layout. */
#include "vulndb/ranges.h"
#include "vulndb/vuln_row.h"

#include "base/auto.h"

#include <zstd.h>

enum { TEXT_MAX = 32 << 20 };

/* ---- vulns -------------------------------------------------------------------------------------
 */

static int64_t take_date(struct cursor *c)
{
    uint64_t v = shard_take_varint(c);
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

static str take_str(const struct shard *s, struct cursor *c, bool *bad)
{
    uint64_t ref = shard_take_varint(c);
    if (ref > UINT32_MAX)
        *bad = true;
    return shard_str(s, (uint32_t)ref, bad);
}

static void take_aliases(const struct shard *s, struct cursor *c, struct arena *a, struct vuln *out,
                         bool *bad)
{
    uint64_t n = shard_take_varint(c);
    if (n > cursor_left(c)) {
        *bad = true;
        return;
    }
    struct vuln_alias *list = arena_calloc(a, n ? n : 1, sizeof *list);
    if (!list) {
        *bad = true;
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint8_t kind = shard_take_u8(c);
        list[i].kind = kind <= ALIAS_RELATED ? (enum alias_kind)kind : ALIAS_RELATED;
        list[i].id = take_str(s, c, bad);
    }
    out->aliases = list;
    out->n_aliases = n;
}

static void take_more(const struct shard *s, uint32_t at, struct arena *a, struct vuln *out,
                      bool *bad)
{
    str data = s->section[SEC_DATA];
    if (at >= data.n) {
        *bad = true;
        return;
    }
    struct cursor c = cursor_over(data.p + at, data.n - at);
    int64_t *dates[VULN_DATES] = {&out->published, &out->modified, &out->withdrawn, &out->kev_added,
                                  &out->kev_due};
    str *strings[VULN_STRINGS] = {&out->cvss_vector, &out->summary, &out->url};
    uint64_t has = shard_take_varint(&c);
    for (unsigned i = 0; i < VULN_DATES; i++)
        if (has & 1u << i)
            *dates[i] = take_date(&c);
    for (unsigned i = 0; i < VULN_STRINGS; i++)
        if (has & 1u << (VULN_DATES + i))
            *strings[i] = take_str(s, &c, bad);
    if (has & VULN_HAS_ALIASES)
        take_aliases(s, &c, a, out, bad);
    if (!cursor_ok(&c))
        *bad = true;
}

bool shard_vuln(const struct shard *s, uint32_t row, struct arena *a, struct vuln *out)
{
    bool bad = false;
    *out = vuln_empty();
    const char *p = shard_row(s, SEC_ROWS, VULN_ROW, row, &bad);
    if (!p)
        return false;
    uint32_t bits = shard_u32(p + 8), more = shard_u32(p + 24);
    uint32_t severity = bits >> 2 & 7;
    out->id = shard_str(s, shard_u32(p + 4), &bad);
    out->status = (enum vuln_status)(bits & 3);
    out->severity = severity <= SEV_CRITICAL ? (enum severity)severity : SEV_UNKNOWN;
    out->kev_listed = bits & VULN_KEV;
    out->kev_ransomware = bits & VULN_RANSOMWARE;
    out->cvss_score10 = (int16_t)shard_u32(p + 12);
    out->epss_score = (int32_t)shard_u32(p + 16);
    out->epss_percentile = (int32_t)shard_u32(p + 20);
    if (more)
        take_more(s, more, a, out, &bad);
    return !bad;
}

void text_block_done(struct text_block *b)
{
    free(b->plain);
    *b = (struct text_block){0};
}

static int load_block(const struct shard *s, uint32_t number, struct text_block *b, struct err *e)
{
    bool bad = false;
    const char *p = shard_row(s, SEC_CLAIMS, TEXT_BLOCK, number, &bad);
    if (!p)
        return err_set(e, ERR_FORMAT, "a text lies in a block that is not there");
    str data = s->section[SEC_DATA];
    uint64_t at = shard_u32(p) | (uint64_t)shard_u32(p + 4) << 32;
    uint32_t packed = shard_u32(p + 8), size = shard_u32(p + 12);
    if (at > data.n || packed > data.n - at || size == 0 || size > TEXT_MAX)
        return err_set(e, ERR_FORMAT, "a block of texts lies outside the file");
    char *plain autofree = malloc(size);
    if (!plain)
        return err_no_memory(e);
    size_t got = ZSTD_decompress(plain, size, data.p + at, packed);
    if (ZSTD_isError(got) || got != size)
        return err_set(e, ERR_FORMAT, "a block of texts does not decompress");
    text_block_done(b);
    *b = (struct text_block){TAKE(plain), number, size};
    return 0;
}

int shard_text(const struct shard *s, uint32_t row, struct text_block *b, str *out, struct err *e)
{
    bool bad = false;
    *out = STR("");
    const char *p = shard_row(s, SEC_ROWS, TEXT_ROW, row, &bad);
    if (!p)
        return err_set(e, ERR_FORMAT, "no text %u in the shard", (unsigned)row);
    uint32_t number = shard_u32(p), offset = shard_u32(p + 4), n = shard_u32(p + 8);
    if (n == 0)
        return 0;
    int r = b->plain && b->number == number ? 0 : load_block(s, number, b, e);
    if (r < 0)
        return r;
    if (offset > b->n || n > b->n - offset)
        return err_set(e, ERR_FORMAT, "a text lies outside its block");
    *out = (str){b->plain + offset, n};
    return 0;
}

/* ---- claims ------------------------------------------------------------------------------------
 */

static void take_detail(const struct shard *s, const char *p, struct claim *c, bool *bad)
{
    uint32_t bits = shard_u32(p);
    str *strings[] = {&c->severity_raw, &c->advisory, &c->arch,   &c->module,
                      &c->channel,      &c->note,     &c->symbols};
    c->package_kind = (enum package_kind)(bits & 3);
    c->kind = bits & 4 ? CLAIM_UNAFFECTED : CLAIM_AFFECTED;
    c->state = (enum fix_state)(bits >> 3 & 15);
    c->severity = (enum severity)(bits >> 7 & 7);
    c->module_none = bits >> 10 & 1;
    if (c->package_kind > PACKAGE_LANGUAGE || c->state > FIX_WITHDRAWN ||
        c->severity > SEV_CRITICAL)
        *bad = true;
    for (size_t i = 0; i < KE_ARRAY_LEN(strings); i++)
        *strings[i] = shard_str(s, shard_u32(p + 4 * (DETAIL_SEVERITY_RAW + i)), bad);
    c->fix_date = (int64_t)(shard_u32(p + 4 * DETAIL_DATE_LOW) |
                            (uint64_t)shard_u32(p + 4 * DETAIL_DATE_HIGH) << 32);
}

static bool take_ranges(const struct shard *s, uint32_t offset, struct arena *a, struct claim *c)
{
    struct ranges h;
    bool bad = false;
    if (!ranges_open(s, offset, &h))
        return false;
    struct version_range *ranges = h.n_ranges ? arena_calloc(a, h.n_ranges, sizeof *ranges) : NULL;
    str *exact = h.n_exact ? arena_calloc(a, h.n_exact, sizeof *exact) : NULL;
    if ((h.n_ranges && !ranges) || (h.n_exact && !exact))
        return false;
    for (uint64_t i = 0; i < h.n_ranges && cursor_ok(&h.at); i++) {
        struct range_bound lo, hi;
        uint8_t flags = ranges_take(&h.at, &lo, &hi);
        ranges[i] = (struct version_range){
            .lo = shard_str(s, lo.ref, &bad),
            .hi = shard_str(s, hi.ref, &bad),
            .lo_excluded = flags & RANGE_LO_EXCLUDED,
            .hi_included = flags & RANGE_HI_INCLUDED,
        };
    }
    for (uint64_t i = 0; i < h.n_exact && cursor_ok(&h.at); i++)
        exact[i] = shard_str(s, cursor_u32le(&h.at), &bad);
    c->scheme = s->scheme_names[h.scheme];
    c->ranges = ranges;
    c->n_ranges = h.n_ranges;
    c->exact = exact;
    c->n_exact = h.n_exact;
    return cursor_ok(&h.at) && !bad;
}

int shard_claim(const struct shard *s, uint32_t i, str package, struct arena *a,
                struct db_claim *out, struct err *e)
{
    bool bad = false;
    *out = (struct db_claim){.source = s->source};
    struct claim *c = &out->claim;
    const char *p = shard_row(s, SEC_CLAIMS, CLAIM_ROW, i, &bad);
    const char *detail = p ? shard_row(s, SEC_DETAILS, DETAIL_ROW, shard_u32(p + 4), &bad) : NULL;
    if (!detail || !s->vulns || !shard_vuln(s->vulns, shard_u32(p), a, &out->vuln))
        bad = true;
    else {
        take_detail(s, detail, c, &bad);
        c->fixed = shard_str(s, shard_u32(p + 12), &bad);
    }
    if (bad || !take_ranges(s, shard_u32(p + 8), a, c))
        return a->full ? err_no_memory(e)
                       : err_set(e, ERR_FORMAT,
                                 "the data of %.*s are damaged: load or sync that source again",
                                 STR_ARG(s->source));
    c->vuln_id = out->vuln.id;
    c->platform = s->platform;
    c->ecosystem = s->ecosystem;
    c->package = package;
    return 0;
}
