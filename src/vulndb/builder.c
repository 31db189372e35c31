/* builder.c - the sink of feed drivers: takes vulns and claims in, as compact as they will stay. */
#include "vulndb/builder.h"

#include "base/auto.h"

#define BUILDER_MAX ((size_t)6 << 30)

/* The longest single text that is kept; longer ones are dropped and counted. */
enum { TEXT_MAX = 16 << 20, LIST_MAX = 1 << 20, PARTS_MAX = 8192 };

static bool add(struct vulndb_builder *b, str s, uint32_t *out)
{
    *out = intern_add(&b->strings, s);
    return *out != INTERN_FAILED;
}

static bool push_word(struct vulndb_builder *b, uint32_t word)
{
    uint32_t *p = vec_push(&b->words);
    if (p)
        *p = word;
    return p;
}

static bool push_str(struct vulndb_builder *b, str s)
{
    uint32_t id;
    return add(b, s, &id) && push_word(b, id);
}

static uint32_t intern_words(struct vulndb_builder *b, struct intern *in)
{
    str words = {(const char *)b->words.p, b->words.n * sizeof(uint32_t)};
    b->words.n = 0;
    return intern_add(in, words);
}

/* ---- vulns -------------------------------------------------------------------------------------
 */

static bool add_aliases(struct vulndb_builder *b, const struct vuln *v, uint32_t *out)
{
    b->words.n = 0;
    for (size_t i = 0; i < v->n_aliases; i++)
        if (v->aliases[i].id.n && !str_eq(v->aliases[i].id, v->id) &&
            (!push_str(b, v->aliases[i].id) || !push_word(b, v->aliases[i].kind)))
            return false;
    *out = intern_words(b, &b->aliases);
    return *out != INTERN_FAILED;
}

/* Go's zero time (the year 1) and other dates before 1970 mean that none was given. */
static int64_t date_or_none(int64_t date)
{
    return date > 0 ? date : 0;
}

static void clean_dates(struct vuln *v)
{
    int64_t *dates[] = {&v->published, &v->modified, &v->withdrawn, &v->kev_added, &v->kev_due};
    for (size_t i = 0; i < KE_ARRAY_LEN(dates); i++)
        *dates[i] = date_or_none(*dates[i]);
}

static int sink_vuln(struct claim_sink *s, const struct vuln *v, struct err *e)
{
    struct vulndb_builder *b = (struct vulndb_builder *)s;
    if (v->id.n == 0 || v->id.n > TEXT_MAX || v->details.n > TEXT_MAX || v->summary.n > TEXT_MAX ||
        v->n_aliases > LIST_MAX) {
        builder_drop(
            b, v->id.n ? STR("vulnerability is too large") : STR("vulnerability has no id"), 1);
        return 0;
    }
    struct built_vuln *row = vec_push(&b->vulns);
    if (!row)
        return err_no_memory(e);
    row->v = *v;
    clean_dates(&row->v);
    row->details = v->details.n ? arena_dup(&b->arena, v->details) : (str){0};
    if ((v->details.n && !row->details.p) || !add(b, v->id, &row->id) ||
        !add(b, v->cvss_vector, &row->cvss_vector) || !add(b, v->summary, &row->summary) ||
        !add(b, v->url, &row->url) || !add_aliases(b, v, &row->aliases))
        return err_no_memory(e);
    row->v.aliases = NULL;
    row->v.id = row->v.cvss_vector = row->v.summary = row->v.details = row->v.url = (str){0};
    return 0;
}

/* ---- claims ------------------------------------------------------------------------------------
 */

static bool add_part(struct vulndb_builder *b, const struct claim *c, uint32_t *out)
{
    uint32_t platform, ecosystem;
    if (!add(b, c->platform, &platform) || !add(b, c->ecosystem, &ecosystem))
        return false;
    for (size_t i = b->parts.n; i-- > 0;) /* drivers send a platform's claims together */
        if (b->parts.p[i].platform == platform && b->parts.p[i].ecosystem == ecosystem) {
            *out = (uint32_t)i;
            return true;
        }
    struct built_part *p = vec_push(&b->parts);
    if (!p)
        return false;
    *p = (struct built_part){platform, ecosystem};
    *out = (uint32_t)(b->parts.n - 1);
    return true;
}

static bool add_ranges(struct vulndb_builder *b, const struct claim *c, uint32_t *out)
{
    b->words.n = 0;
    bool ok = push_str(b, str_z(c->scheme)) && push_word(b, (uint32_t)c->n_ranges) &&
              push_word(b, (uint32_t)c->n_exact);
    for (size_t i = 0; ok && i < c->n_ranges; i++) {
        const struct version_range *r = &c->ranges[i];
        ok = push_word(b, (r->lo_excluded ? RANGE_LO_EXCLUDED : 0) |
                              (r->hi_included ? RANGE_HI_INCLUDED : 0)) &&
             push_str(b, r->lo) && push_str(b, r->hi);
    }
    for (size_t i = 0; ok && i < c->n_exact; i++)
        ok = push_str(b, c->exact[i]);
    *out = ok ? intern_words(b, &b->ranges) : INTERN_FAILED;
    return *out != INTERN_FAILED;
}

static bool add_detail(struct vulndb_builder *b, const struct claim *c, uint32_t *out)
{
    uint64_t date = (uint64_t)date_or_none(c->fix_date);
    b->words.n = 0;
    bool ok =
        push_word(b, (uint32_t)c->package_kind | (uint32_t)c->kind << 2 | (uint32_t)c->state << 3 |
                         (uint32_t)c->severity << 7 | (uint32_t)c->module_none << 10) &&
        push_str(b, c->severity_raw) && push_str(b, c->advisory) && push_str(b, c->arch) &&
        push_str(b, c->module) && push_str(b, c->channel) && push_str(b, c->note) &&
        push_str(b, c->symbols) && push_word(b, (uint32_t)date) &&
        push_word(b, (uint32_t)(date >> 32));
    *out = ok ? intern_words(b, &b->details) : INTERN_FAILED;
    return *out != INTERN_FAILED;
}

static const char *refuse(const struct claim *c)
{
    if (c->package.n == 0)
        return "claim names no package";
    if (c->vuln_id.n == 0)
        return "claim names no vulnerability";
    if (c->package.n > TEXT_MAX || c->vuln_id.n > TEXT_MAX || c->symbols.n > TEXT_MAX ||
        c->note.n > TEXT_MAX || c->n_ranges > LIST_MAX || c->n_exact > LIST_MAX)
        return "claim is too large";
    if (c->scheme && strlen(c->scheme) >= SHARD_SCHEME_NAME)
        return "name of the version scheme is too long";
    return NULL;
}

static int sink_claim(struct claim_sink *s, const struct claim *c, struct err *e)
{
    struct vulndb_builder *b = (struct vulndb_builder *)s;
    b->claims_in++;
    const char *why = refuse(c);
    if (why) {
        builder_drop(b, str_z(why), 1);
        return 0;
    }
    struct built_claim row;
    if (b->parts.n == PARTS_MAX)
        return err_set(e, ERR_LIMIT, "claims about more than %d platforms and ecosystems",
                       PARTS_MAX);
    if (!add_part(b, c, &row.part) || !add(b, c->package, &row.package) ||
        !add(b, c->vuln_id, &row.vuln) || !add(b, c->fixed, &row.fixed) ||
        !add_ranges(b, c, &row.ranges) || !add_detail(b, c, &row.detail))
        return err_no_memory(e);
    struct built_claim *p = vec_push(&b->claims);
    if (!p)
        return err_no_memory(e);
    *p = row;
    return 0;
}

/* ---- counts ------------------------------------------------------------------------------------
 */

void builder_drop(struct vulndb_builder *b, str reason, uint64_t n)
{
    uintptr_t at = (uintptr_t)map_get(&b->drop_reasons, reason);
    if (at) {
        b->drops.p[at - 1].n += n;
        return;
    }
    str own = arena_dup(&b->arena, reason);
    struct drop_count *d = own.p ? vec_push(&b->drops) : NULL;
    if (!d)
        return; /* the arena says so at the end */
    *d = (struct drop_count){own.p, n};
    map_put(&b->drop_reasons, own, (void *)(uintptr_t)b->drops.n);
}

static void sink_drop(struct claim_sink *s, const char *reason, uint64_t n)
{
    if (n)
        builder_drop((struct vulndb_builder *)s, str_z(reason), n);
}

static void sink_record(struct claim_sink *s, uint64_t n)
{
    ((struct vulndb_builder *)s)->records += n;
}

static void sink_dated(struct claim_sink *s, int64_t date, str version)
{
    struct vulndb_builder *b = (struct vulndb_builder *)s;
    if (date < b->upstream_date)
        return;
    if (date > b->upstream_date || str_cmp(version, b->upstream_version) > 0)
        b->upstream_version = arena_dup(&b->arena, version);
    b->upstream_date = date;
}

/* ---- life --------------------------------------------------------------------------------------
 */

static bool name_ok(str name)
{
    if (name.n == 0 || name.n > 64 || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!ke_isalnum(name.p[i]) && !memchr("-_.:", name.p[i], 4))
            return false;
    return true;
}

int vulndb_builder_new(const char *data_dir, str source, struct vulndb_builder **out, struct err *e)
{
    if (!name_ok(source))
        return err_set(e, ERR_USAGE, "\"%.*s\" cannot name a source: letters, digits, - _ . : only",
                       STR_ARG(source));
    struct vulndb_builder *b = calloc(1, sizeof *b);
    if (!b)
        return err_no_memory(e);
    b->sink = (struct claim_sink){.vuln = sink_vuln,
                                  .claim = sink_claim,
                                  .drop = sink_drop,
                                  .record = sink_record,
                                  .dated = sink_dated};
    arena_init(&b->arena, BUILDER_MAX);
    map_init(&b->drop_reasons);
    b->source = arena_dup(&b->arena, source);
    b->data_dir = strdup(data_dir);
    if (!b->source.p || !b->data_dir || !intern_init(&b->strings, &b->arena) ||
        !intern_init(&b->details, &b->arena) || !intern_init(&b->ranges, &b->arena) ||
        !intern_init(&b->aliases, &b->arena)) {
        vulndb_builder_free(b);
        return err_no_memory(e);
    }
    *out = b;
    return 0;
}

struct claim_sink *vulndb_builder_sink(struct vulndb_builder *b)
{
    return &b->sink;
}

void vulndb_builder_waiting(struct vulndb_builder *b, void (*fn)(void *ctx), void *ctx)
{
    b->waiting = fn;
    b->waiting_ctx = ctx;
}

void vulndb_builder_free(struct vulndb_builder *b)
{
    if (!b)
        return;
    intern_done(&b->strings);
    intern_done(&b->details);
    intern_done(&b->ranges);
    intern_done(&b->aliases);
    vec_done(&b->parts);
    vec_done(&b->claims);
    vec_done(&b->vulns);
    vec_done(&b->drops);
    vec_done(&b->words);
    map_done(&b->drop_reasons);
    free(b->rank);
    free(b->by_rank);
    free(b->refs);
    free(b->vuln_rows);
    arena_done(&b->arena);
    free(b->data_dir);
    free(b);
}
