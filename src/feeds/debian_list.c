/* debian_list.c - DSA/list and DLA/list:
 *
 *     [29 Mar 2023] DSA-5380-1 xorg-server - security update
 *             {CVE-2023-1393}
 *             [bullseye] - xorg-server 2:1.20.11-1+deb11u6
 *             NOTE: ...
 */
#include "feeds/debian.h"

#include "version/version.h"

struct advisory {
    str id, base; /* "DSA-5356-2", "DSA-5356" */
    int64_t date;
    size_t first_cve, n_cves; /* in the list's vector */
    bool own_cves;
};

struct pending { /* a row whose advisory's CVEs may still have to be found */
    str package, version;
    uint8_t release, kind, state;
    size_t advisory;
};

struct list {
    struct debian *d;
    const struct feed_input *in;
    struct claim_sink *sink;
    uint64_t line;
    VEC(struct advisory) advisories;
    VEC(struct pending) rows;
    VEC(str) cves;
    bool in_head; /* lines belong to the last advisory */
};

/* "DSA-5356-2 sox - regression update" -> id and the part before the last hyphen. */
static bool advisory_id(str text, str *id, str *base)
{
    str word = str_split(&text, ' ');
    if (!str_starts(word, STR("DSA-")) && !str_starts(word, STR("DLA-")) &&
        !str_starts(word, STR("DTSA-")) && !str_starts(word, STR("ELA-")))
        return false;
    ptrdiff_t first = str_index(word, '-'), last = str_rindex(word, '-');
    if ((size_t)first + 1 >= word.n || !ke_isdigit(word.p[first + 1]))
        return false;
    *id = word;
    *base = last > first ? str_sub(word, 0, (size_t)last) : word;
    return true;
}

static int list_head(struct list *l, str line, struct err *e)
{
    ptrdiff_t close = str_index(line, ']');
    int64_t date = close > 0 ? feed_date(str_sub(line, 1, (size_t)close)) : 0;
    str id, base;
    l->in_head = false;
    if (!date)
        return err_set(e, ERR_FORMAT, "%s:%llu: a head without a date", feed_name(l->in),
                       (unsigned long long)l->line);
    l->sink->record(l->sink, 1);
    if (!advisory_id(str_trim(str_from(line, (size_t)close + 1)), &id, &base)) {
        l->sink->drop(l->sink, "advisory without an id", 1);
        return 0;
    }
    struct advisory *a = vec_push(&l->advisories);
    if (!a)
        return err_no_memory(e);
    a->id = feed_intern(&l->d->strings, id);
    a->base = feed_intern(&l->d->strings, base);
    a->date = date;
    a->first_cve = l->cves.n;
    l->in_head = true;
    return a->base.p ? 0 : err_no_memory(e);
}

/* "{CVE-2023-1393 CVE-2023-1394}" */
static int list_cves(struct list *l, str line, struct err *e)
{
    struct advisory *a = &l->advisories.p[l->advisories.n - 1];
    line = str_from(line, 1);
    if (str_ends(line, STR("}")))
        line.n--;
    if (a->n_cves == 0)
        a->first_cve = l->cves.n;
    while (line.n) {
        str id = str_trim(str_split(&line, ' '));
        if (!id.n)
            continue;
        if (!feed_is_cve(id)) {
            l->sink->drop(l->sink, "id that is no CVE", 1);
            continue;
        }
        str *slot = vec_push(&l->cves);
        if (!slot)
            return err_no_memory(e);
        *slot = feed_intern(&l->d->strings, id);
        if (!slot->p)
            return err_no_memory(e);
        a->n_cves++;
        a->own_cves = true;
    }
    return 0;
}

/* What stands in place of a version. */
static const struct {
    const char *word;
    enum claim_kind kind;
    enum fix_state state;
} tags[] = {
    {"<unfixed>", CLAIM_AFFECTED, FIX_NOT_FIXED},
    {"<not-affected>", CLAIM_UNAFFECTED, FIX_NOT_AFFECTED},
    {"<end-of-life>", CLAIM_AFFECTED, FIX_END_OF_LIFE},
    {"<no-dsa>", CLAIM_AFFECTED, FIX_DEFERRED},
    {"<postponed>", CLAIM_AFFECTED, FIX_DEFERRED},
    {"<ignored>", CLAIM_AFFECTED, FIX_WONT_FIX},
};

/* "[bullseye] - xorg-server 2:1.20.11-1+deb11u6 (bug #1)", or without a release for sid. */
static int list_row(struct list *l, str line, struct err *e)
{
    str codename = STR("sid");
    if (line.p[0] == '[') {
        ptrdiff_t close = str_index(line, ']');
        if (close < 0)
            return err_set(e, ERR_FORMAT, "%s:%llu: \"[\" without \"]\"", feed_name(l->in),
                           (unsigned long long)l->line);
        codename = str_trim(str_sub(line, 1, (size_t)close));
        line = str_trim(str_from(line, (size_t)close + 1));
    }
    if (!line.n || line.p[0] != '-') {
        l->sink->drop(l->sink, "row that is not understood", 1);
        return 0;
    }
    line = str_trim(str_from(line, 1));
    str package = str_split(&line, ' ');
    line = str_trim(line);
    str version = str_split(&line, ' ');
    bool known;
    int release = debian_release(l->d, codename, &known);
    if (release < 0)
        return err_set(e, ERR_LIMIT, "%s:%llu: more releases than the limit of %d",
                       feed_name(l->in), (unsigned long long)l->line, DEBIAN_RELEASES);
    if (!known) {
        l->sink->drop(l->sink, "release without a number", 1);
        return 0;
    }
    struct pending p = {.release = (uint8_t)release,
                        .kind = CLAIM_AFFECTED,
                        .state = FIX_FIXED,
                        .advisory = l->advisories.n - 1};
    bool tagged = version.n && version.p[0] == '<', found = !tagged && version.n;
    for (size_t i = 0; tagged && i < KE_ARRAY_LEN(tags); i++)
        if (str_eq(version, str_z(tags[i].word))) {
            p.kind = (uint8_t)tags[i].kind;
            p.state = (uint8_t)tags[i].state;
            found = true;
        }
    if (!found || !package.n) {
        l->sink->drop(l->sink, tagged ? "tag that makes no claim" : "row without a version", 1);
        return 0;
    }
    p.package = feed_intern(&l->d->strings, package);
    p.version = tagged ? STR("") : feed_intern(&l->d->strings, version);
    struct pending *slot = vec_push(&l->rows);
    if (!slot || !p.package.p || !p.version.p)
        return err_no_memory(e);
    *slot = p;
    return 0;
}

static int list_line(struct list *l, str line, struct err *e)
{
    l->line++;
    bool head = line.n && line.p[0] == '[';
    str text = str_trim(line);
    if (!text.n)
        return 0;
    /* A row may have lost its indentation; a head's brackets hold a date, a row's a codename. */
    if (head && text.n > 1 && ke_isdigit(text.p[1]))
        return list_head(l, text, e);
    if (!l->advisories.n || !l->in_head) {
        if (l->line == 1)
            return err_set(e, ERR_FORMAT, "%s:1: is no advisory list (\"[29 Mar 2023] DSA-...\")",
                           feed_name(l->in));
        if (text.p[0] == '[')
            l->sink->drop(l->sink, "row of an advisory without an id", 1);
        return 0;
    }
    if (text.p[0] == '{')
        return list_cves(l, text, e);
    if (text.p[0] == '[' || text.p[0] == '-')
        return list_row(l, text, e);
    return 0; /* NOTE:, TODO:, NOT-FOR-US: and other prose */
}

/* The CVEs of a follow-up without its own are those of its first part. */
static int list_inherit(struct list *l, struct err *e)
{
    struct map bases;
    map_init(&bases);
    int r = 0;
    for (size_t i = 0; i < l->advisories.n && r == 0; i++)
        if (l->advisories.p[i].own_cves) { /* newest first: the last one put is the first part */
            if (!map_put(&bases, l->advisories.p[i].base, &l->advisories.p[i]))
                r = err_no_memory(e);
        }
    for (size_t i = 0; i < l->advisories.n && r == 0; i++) {
        struct advisory *a = &l->advisories.p[i];
        const struct advisory *base = a->own_cves ? NULL : map_get(&bases, a->base);
        if (base) {
            a->first_cve = base->first_cve;
            a->n_cves = base->n_cves;
        }
    }
    map_done(&bases);
    return r;
}

static int list_emit(struct list *l, struct err *e)
{
    for (size_t i = 0; i < l->rows.n; i++) {
        const struct pending *p = &l->rows.p[i];
        const struct advisory *a = &l->advisories.p[p->advisory];
        /* Without any CVE the advisory stands for itself. */
        for (size_t k = 0; k < (a->n_cves ? a->n_cves : 1); k++) {
            struct debian_fix *f = vec_push(&l->d->fixes);
            if (!f)
                return err_no_memory(e);
            *f = (struct debian_fix){.cve = a->n_cves ? l->cves.p[a->first_cve + k] : a->id,
                                     .package = p->package,
                                     .version = p->version,
                                     .advisory = a->id,
                                     .date = a->date,
                                     .release = p->release,
                                     .kind = p->kind,
                                     .state = p->state,
                                     .inherited = !a->own_cves};
        }
    }
    return 0;
}

int debian_read_list(struct debian *d, const struct feed_input *in, struct claim_sink *sink,
                     struct err *e)
{
    struct list l = {.d = d, .in = in, .sink = sink};
    auto_buf text;
    buf_init(&text, FEED_DOCUMENT_MAX);
    int r = feed_read_all(in, &text, e);
    str rest = buf_view(&text), line;
    while (r == 0 && str_line(&rest, &line))
        r = list_line(&l, line, e);
    if (r == 0 && !l.advisories.n)
        r = err_set(e, ERR_FORMAT, "%s: holds no advisory", feed_name(in));
    if (r == 0)
        r = list_inherit(&l, e);
    if (r == 0)
        r = list_emit(&l, e);
    vec_done(&l.advisories);
    vec_done(&l.rows);
    vec_done(&l.cves);
    return r;
}

/* Does a count before b? Named CVEs before inherited ones, then the higher version (a later
 * advisory for the same CVE says that the first fix was not enough). */
static bool fix_wins(const struct debian_fix *a, const struct debian_fix *b)
{
    if (a->inherited != b->inherited)
        return b->inherited;
    int c = version_scheme(STR("deb"))->compare(a->version, b->version);
    if (c != 0)
        return a->inherited ? c < 0 : c > 0;
    if (a->date != b->date)
        return a->date < b->date;
    return str_cmp(a->advisory, b->advisory) < 0;
}

int debian_rank_fixes(struct debian *d, struct err *e)
{
    for (size_t i = 0; i < d->fixes.n; i++) {
        const struct debian_fix *f = &d->fixes.p[i];
        str key = debian_key(d, f->release, f->package, f->cve);
        void **slot = key.p ? map_slot(&d->fixes_of, key) : NULL;
        if (!slot)
            return err_no_memory(e);
        uintptr_t best = (uintptr_t)*slot;
        if (!best || fix_wins(f, &d->fixes.p[best - 1]))
            *slot = (void *)(uintptr_t)(i + 1);
        str exact = debian_version_key(d, key, f->version);
        slot = exact.p ? map_slot(&d->fixes_at, exact) : NULL;
        if (!slot)
            return err_no_memory(e);
        best = (uintptr_t)*slot;
        if (!best || f->date < d->fixes.p[best - 1].date) /* the first to bring that version */
            *slot = (void *)(uintptr_t)(i + 1);
    }
    return 0;
}
