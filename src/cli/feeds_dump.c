/* feeds_dump.c - `kellet feeds dump`: claims or vulnerabilities as JSON lines. */
#include "cli/feeds.h"
#include "codec/json.h"

#include <stdio.h>

enum { LINE_MAX_BYTES = 256 << 20, FLUSH = 64 << 10 };

static const char *data;
static bool vulns;

static const struct option_spec specs[] = {
    {"data", 0, OPT_TEXT, "DIR", "where the data live", &data, "@dir"},
    {"vulns", 0, OPT_FLAG, NULL, "the vulnerabilities instead of the claims", &vulns, NULL},
    {0},
};

static const struct option_spec *dump_options(void)
{
    return specs;
}

static void put(struct buf *b, const char *key, str value)
{
    if (!value.n)
        return;
    buf_addf(b, ", \"%s\": ", key);
    json_put_string(b, value);
}

static void put_word(struct buf *b, const char *key, const char *word)
{
    put(b, key, str_z(word));
}

static void put_ranges(struct buf *b, const struct claim *c)
{
    for (size_t i = 0; i < c->n_ranges; i++) {
        const struct version_range *r = &c->ranges[i];
        buf_add_str(b, i ? STR(", {") : STR(", \"ranges\": [{"));
        size_t start = b->n;
        put(b, r->lo_excluded ? "after" : "from", r->lo);
        put(b, r->hi_included ? "to" : "before", r->hi);
        if (b->n > start + 2) { /* without the comma before the first member */
            memmove(b->p + start, b->p + start + 2, b->n - start - 2);
            b->n -= 2;
        }
        buf_add_char(b, '}');
    }
    if (c->n_ranges)
        buf_add_char(b, ']');
    for (size_t i = 0; i < c->n_exact; i++) {
        buf_add_str(b, i ? STR(", ") : STR(", \"exact\": ["));
        json_put_string(b, c->exact[i]);
    }
    if (c->n_exact)
        buf_add_char(b, ']');
}

static int flush(struct buf *b, size_t least, struct err *e)
{
    int r = buf_check(b, "a line of the dump", e);
    if (r < 0 || b->n < least)
        return r;
    if (b->n && fwrite(b->p, 1, b->n, stdout) != b->n)
        return err_errno(e, "cannot write the dump");
    buf_clear(b);
    return 0;
}

static int dump_claim(void *ctx, const struct db_claim *db_claim, struct err *e)
{
    static const char *const kinds[] = {
        [PACKAGE_SOURCE] = "source", [PACKAGE_BINARY] = "binary", [PACKAGE_LANGUAGE] = "language"};
    struct buf *b = ctx;
    const struct claim *c = &db_claim->claim;
    buf_add_str(b, STR("{\"id\": "));
    json_put_string(b, c->vuln_id);
    put(b, "source", db_claim->source);
    put(b, "platform", c->platform);
    put(b, "ecosystem", c->ecosystem);
    put(b, "package", c->package);
    put_word(b, "package_kind", kinds[c->package_kind]);
    put_word(b, "kind", c->kind == CLAIM_UNAFFECTED ? "unaffected" : "affected");
    put_word(b, "state", fix_state_name(c->state));
    put_word(b, "scheme", c->scheme);
    put_ranges(b, c);
    put(b, "fixed", c->fixed);
    if (c->severity != SEV_UNKNOWN)
        put_word(b, "severity", severity_name(c->severity));
    put(b, "severity_raw", c->severity_raw);
    put(b, "advisory", c->advisory);
    feeds_put_time(b, "fix_date", c->fix_date);
    put(b, "arch", c->arch);
    put(b, "module", c->module);
    if (c->module_none)
        buf_add_str(b, STR(", \"module_none\": true"));
    put(b, "channel", c->channel);
    put(b, "note", c->note);
    put(b, "symbols", c->symbols);
    buf_add_str(b, STR("}\n"));
    return flush(b, FLUSH, e);
}

static void put_aliases(struct buf *b, const struct vuln *v)
{
    static const char *const kinds[] = {
        [ALIAS_SAME] = "same", [ALIAS_UPSTREAM] = "upstream", [ALIAS_RELATED] = "related"};
    for (size_t i = 0; i < v->n_aliases; i++) {
        buf_add_str(b, i ? STR(", {\"id\": ") : STR(", \"aliases\": [{\"id\": "));
        json_put_string(b, v->aliases[i].id);
        put_word(b, "kind", kinds[v->aliases[i].kind]);
        buf_add_char(b, '}');
    }
    if (v->n_aliases)
        buf_add_char(b, ']');
}

static void put_scores(struct buf *b, const struct vuln *v)
{
    if (v->cvss_score10 >= 0)
        buf_addf(b, ", \"cvss_score\": %d.%d", v->cvss_score10 / 10, v->cvss_score10 % 10);
    put(b, "cvss_vector", v->cvss_vector);
    if (v->epss_score >= 0)
        buf_addf(b, ", \"epss\": %d.%06d", v->epss_score / 1000000, v->epss_score % 1000000);
    if (v->epss_percentile >= 0)
        buf_addf(b, ", \"epss_percentile\": %d.%06d", v->epss_percentile / 1000000,
                 v->epss_percentile % 1000000);
    if (v->kev_listed)
        buf_addf(b, ", \"kev\": true, \"kev_ransomware\": %s",
                 v->kev_ransomware ? "true" : "false");
    feeds_put_time(b, "kev_added", v->kev_added);
    feeds_put_time(b, "kev_due", v->kev_due);
}

static int dump_vuln(void *ctx, const struct db_vuln *db_vuln, struct err *e)
{
    static const char *const statuses[] = {[VULN_ACTIVE] = "active",
                                           [VULN_DISPUTED] = "disputed",
                                           [VULN_REJECTED] = "rejected",
                                           [VULN_WITHDRAWN] = "withdrawn"};
    struct buf *b = ctx;
    const struct vuln *v = &db_vuln->vuln;
    buf_add_str(b, STR("{\"id\": "));
    json_put_string(b, v->id);
    put(b, "source", db_vuln->source);
    put_word(b, "status", statuses[v->status]);
    feeds_put_time(b, "published", v->published);
    feeds_put_time(b, "modified", v->modified);
    feeds_put_time(b, "withdrawn", v->withdrawn);
    if (v->severity != SEV_UNKNOWN)
        put_word(b, "severity", severity_name(v->severity));
    put_scores(b, v);
    put_aliases(b, v);
    put(b, "summary", v->summary);
    put(b, "details", v->details);
    put(b, "url", v->url);
    buf_add_str(b, STR("}\n"));
    return flush(b, FLUSH, e);
}

static bool has_source(const struct vulndb *db, str name)
{
    size_t n;
    const struct vulndb_source *s = vulndb_sources(db, &n);
    for (size_t i = 0; i < n; i++)
        if (str_eq(s[i].name, name))
            return true;
    return false;
}

static int dump(const struct vulndb *db, str source)
{
    struct err e = {0};
    struct buf out;
    if (source.n && !has_source(db, source))
        return failf(EXIT_USAGE,
                     "the database has no source \"%.*s\"; `kellet feeds status` lists "
                     "what it has",
                     STR_ARG(source));
    buf_init(&out, LINE_MAX_BYTES);
    int r = vulns ? vulndb_each_vuln(db, source, dump_vuln, &out, &e)
                  : vulndb_each(db, source, dump_claim, &out, &e);
    if (r == 0)
        r = flush(&out, 0, &e);
    if (r == 0 && fflush(stdout) != 0)
        r = err_errno(&e, "cannot write the dump");
    buf_done(&out);
    return r < 0 ? fail(EXIT_CANNOT, &e) : EXIT_CLEAN;
}

static int dump_run(int argc, char **argv)
{
    struct vulndb *db;
    int left = options_parse(&command_feeds_dump, specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    if (left > 1)
        return failf(EXIT_USAGE, "feeds dump takes one source, or none for all");
    int code = feeds_open(data, &db);
    if (code)
        return code;
    code = dump(db, left ? str_z(argv[1]) : STR(""));
    vulndb_close(db);
    return code;
}

const struct command command_feeds_dump = {
    .name = "feeds dump",
    .arguments = "[SOURCE]",
    .summary = "Print what the database holds, as JSON lines",
    .details = "One line a claim (or, with --vulns, a vulnerability), in a fixed order: by source, "
               "platform or\necosystem, package, id. Members that are not set are left out.\n",
    .options = dump_options,
    .run = dump_run,
};
