/* cyclonedx.c - CycloneDX 1.6 JSON (ECMA-424): components with their evidence, vulnerabilities
 * where there are findings. The serial number is made from the content: same content, same
 * document. */
#include "base/auto.h"
#include "base/map.h"
#include "codec/digest.h"
#include "packages/licence.h"
#include "report/formats.h"
#include "report/writer.h"

enum { REFS_MAX = 512 << 20 };

struct bom {
    const struct report_input *in;
    struct writer w;
    struct arena arena;
    str *refs; /* bom-ref of each package */
};

static void bom_done(struct bom *b)
{
    arena_done(&b->arena);
}

/* A bom-ref is the purl; "#2", "#3" tell further packages of the same purl apart. */
static int make_refs(struct bom *b, struct err *e)
{
    const struct inventory *inv = b->in->inventory;
    struct map seen KE_CLEANUP(map_done);
    map_init(&seen);
    b->refs = arena_calloc(&b->arena, inv->n_packages + 1, sizeof *b->refs);
    if (!b->refs)
        return err_no_memory(e);
    for (size_t i = 0; i < inv->n_packages; i++) {
        str purl = inv->packages[i].purl;
        void **count = map_slot(&seen, purl);
        if (!count)
            return err_no_memory(e);
        uintptr_t n = (uintptr_t)*count + 1;
        *count = (void *)n;
        b->refs[i] = n == 1 ? purl : arena_printf(&b->arena, "%.*s#%zu", STR_ARG(purl), (size_t)n);
    }
    return b->arena.full ? err_no_memory(e) : 0;
}

static void put_property(struct writer *w, const char *name, str value)
{
    if (!value.n)
        return;
    writer_open(w, NULL, '{');
    writer_str(w, "name", str_z(name));
    writer_str(w, "value", value);
    writer_close(w, '}');
}

static void put_metadata(struct bom *b)
{
    struct writer *w = &b->w;
    const struct inventory *inv = b->in->inventory;
    bool is_tree = str_eq(inv->source_kind, STR("dir")) || str_eq(inv->source_kind, STR("host"));
    writer_open(w, "metadata", '{');
    if (b->in->timestamp)
        writer_time(w, "timestamp", b->in->timestamp);
    writer_open(w, "tools", '{');
    writer_open(w, "components", '[');
    writer_open(w, NULL, '{');
    writer_str(w, "type", STR("application"));
    writer_str(w, "name", STR("kellet"));
    writer_str(w, "version", STR(KELLET_VERSION));
    writer_close(w, '}');
    writer_close(w, ']');
    writer_close(w, '}');
    writer_open(w, "component", '{');
    writer_str(w, "type", is_tree ? STR("application") : STR("container"));
    writer_str(w, "bom-ref", STR("kellet:source"));
    writer_str(w, "name", inv->source.n ? inv->source : STR("source"));
    writer_str_some(w, "version",
                    inv->manifest_digest.n ? inv->manifest_digest : inv->config_digest);
    writer_open(w, "properties", '[');
    put_property(w, "kellet:kind", inv->source_kind);
    put_property(w, "kellet:reference", inv->reference);
    put_property(w, "kellet:config_digest", inv->config_digest);
    put_property(w, "kellet:os", inv->os);
    put_property(w, "kellet:architecture", inv->architecture);
    for (size_t i = 0; i < inv->n_repo_tags; i++)
        put_property(w, "kellet:tag", inv->repo_tags[i]);
    for (size_t i = 0; i < inv->n_layers; i++)
        put_property(w, "kellet:layer", inv->layers[i].diff_id);
    for (size_t i = 0; i < inv->n_problems; i++)
        put_property(w, "kellet:problem",
                     inv->problems[i].path.n ? inv->problems[i].path : inv->problems[i].detail);
    for (size_t i = 0; i < inv->n_unsupported; i++)
        put_property(w, "kellet:unsupported", inv->unsupported[i]);
    writer_close(w, ']');
    writer_close(w, '}');
    writer_close(w, '}');
}

static void put_distro(struct bom *b)
{
    const struct release_info *r = &b->in->inventory->release;
    if (!r->id.n)
        return;
    writer_open(&b->w, NULL, '{');
    writer_str(&b->w, "type", STR("operating-system"));
    writer_str(&b->w, "bom-ref", STR("kellet:distro"));
    writer_str(&b->w, "name", r->id);
    writer_str_some(&b->w, "version", r->version_id.n ? r->version_id : r->codename);
    writer_str_some(&b->w, "description", r->pretty_name);
    writer_close(&b->w, '}');
}

static void put_licence(struct writer *w, const struct package *p)
{
    auto_buf scratch;
    str licence = licence_expression(p->licence, &scratch);
    if (!licence.n)
        return;
    writer_open(w, "licenses", '[');
    writer_open(w, NULL, '{');
    writer_open(w, "license", '{');
    writer_str(w, "name", licence);
    writer_close(w, '}');
    writer_close(w, '}');
    writer_close(w, ']');
}

static void put_component(struct bom *b, size_t i)
{
    struct writer *w = &b->w;
    const struct inventory *inv = b->in->inventory;
    const struct inv_package *ip = &inv->packages[i];
    writer_open(w, NULL, '{');
    writer_str(w, "type", STR("library"));
    writer_str(w, "bom-ref", b->refs[i]);
    writer_str_some(w, "publisher", ip->p.vendor);
    writer_str_some(w, "group", ip->p.group);
    writer_str(w, "name", ip->p.name);
    writer_str(w, "version", ip->p.version);
    put_licence(w, &ip->p);
    writer_str_some(w, "purl", ip->purl);
    writer_open(w, "evidence", '{');
    writer_open(w, "occurrences", '[');
    for (size_t k = 0; k < ip->n_evidence; k++) {
        writer_open(w, NULL, '{');
        writer_str(w, "location", ip->evidence[k].path);
        writer_close(w, '}');
    }
    writer_close(w, ']');
    writer_close(w, '}');
    writer_open(w, "properties", '[');
    put_property(w, "kellet:type", str_z(ip->p.type->name));
    put_property(w, "kellet:source_name", ip->p.source_name);
    put_property(w, "kellet:source_version", ip->p.source_version);
    put_property(w, "kellet:module", ip->p.module);
    put_property(w, "kellet:owner", ip->owner);
    for (size_t k = 0; k < ip->n_evidence; k++)
        if (ip->evidence[k].layer < inv->n_layers)
            put_property(w, "kellet:layer", inv->layers[ip->evidence[k].layer].diff_id);
    writer_close(w, ']');
    writer_close(w, '}');
}

static const char *bom_severity(enum severity s)
{
    static const char *const words[] = {
        [SEV_UNKNOWN] = "unknown", [SEV_NEGLIGIBLE] = "info", [SEV_LOW] = "low",
        [SEV_MEDIUM] = "medium",   [SEV_HIGH] = "high",       [SEV_CRITICAL] = "critical",
    };
    return (size_t)s < KE_ARRAY_LEN(words) ? words[s] : "unknown";
}

static str cvss_method(str vector)
{
    if (str_starts(vector, STR("CVSS:4")))
        return STR("CVSSv4");
    if (str_starts(vector, STR("CVSS:3.1")))
        return STR("CVSSv31");
    return str_starts(vector, STR("CVSS:3")) ? STR("CVSSv3") : STR("CVSSv2");
}

static void put_ratings(struct writer *w, const struct finding *f)
{
    writer_open(w, "ratings", '[');
    writer_open(w, NULL, '{');
    if (f->severity_source.n) {
        writer_open(w, "source", '{');
        writer_str(w, "name", f->severity_source);
        writer_close(w, '}');
    }
    writer_str(w, "severity", str_z(bom_severity(f->severity)));
    writer_close(w, '}');
    if (f->cvss_vector.n && f->cvss_score10 >= 0) {
        char score[16];
        snprintf(score, sizeof score, "%d.%d", f->cvss_score10 / 10, f->cvss_score10 % 10);
        writer_open(w, NULL, '{');
        writer_number(w, "score", score);
        writer_str(w, "method", cvss_method(f->cvss_vector));
        writer_str(w, "vector", f->cvss_vector);
        writer_close(w, '}');
    }
    writer_close(w, ']');
}

static void put_vulnerability(struct bom *b, const struct finding *f)
{
    struct writer *w = &b->w;
    writer_open(w, NULL, '{');
    writer_str(w, "id", f->id);
    writer_open(w, "source", '{');
    writer_str(w, "name", f->source);
    writer_str_some(w, "url", f->url);
    writer_close(w, '}');
    put_ratings(w, f);
    writer_str_some(w, "description", f->summary);
    if (f->n_fix_versions) {
        auto_buf fix;
        buf_init(&fix, 1 << 20);
        buf_add_str(&fix, STR("Upgrade to "));
        for (size_t i = 0; i < f->n_fix_versions; i++) {
            buf_add_str(&fix, i ? STR(" or ") : STR(""));
            buf_add_str(&fix, f->fix_versions[i]);
        }
        writer_str(w, "recommendation", buf_view(&fix));
    }
    writer_open(w, "affects", '[');
    writer_open(w, NULL, '{');
    writer_str(w, "ref", b->refs[f->package]);
    writer_close(w, '}');
    writer_close(w, ']');
    writer_open(w, "properties", '[');
    put_property(w, "kellet:fix_state", str_z(fix_state_name(f->fix_state)));
    put_property(w, "kellet:reason", f->reason);
    put_property(w, "kellet:known_exploited", f->kev ? STR("true") : STR(""));
    for (size_t i = 0; i < f->n_aliases; i++)
        put_property(w, "kellet:alias", f->aliases[i]);
    writer_close(w, ']');
    writer_close(w, '}');
}

static void put_body(struct bom *b)
{
    const struct findings *f = b->in->findings;
    put_metadata(b);
    writer_open(&b->w, "components", '[');
    put_distro(b);
    for (size_t i = 0; i < b->in->inventory->n_packages; i++)
        put_component(b, i);
    writer_close(&b->w, ']');
    if (!f)
        return;
    writer_open(&b->w, "vulnerabilities", '[');
    for (size_t i = 0; i < f->n; i++)
        put_vulnerability(b, &f->items[i]);
    writer_close(&b->w, ']');
}

/* A version 8 UUID (RFC 9562) of the body's SHA-256. */
static str serial_number(str body, char text[64])
{
    struct sha256 d = sha256_of(body.p, body.n);
    d.b[6] = (uint8_t)((d.b[6] & 0x0f) | 0x80);
    d.b[8] = (uint8_t)((d.b[8] & 0x3f) | 0x80);
    int at = snprintf(text, 64, "urn:uuid:");
    for (int i = 0; i < 16; i++)
        at += snprintf(text + at, 64 - (size_t)at, "%s%02x",
                       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", d.b[i]);
    return str_z(text);
}

static int cyclonedx_write(const struct report_input *in, const struct report_style *s,
                           struct buf *out, struct err *e)
{
    struct bom b KE_CLEANUP(bom_done) = {.in = in};
    arena_init(&b.arena, REFS_MAX);
    int rc = make_refs(&b, e);
    if (rc < 0)
        return rc;
    auto_buf body;
    buf_init(&body, out->max);
    b.w = (struct writer){.out = &body, .depth = 1, .first = false};
    put_body(&b);
    rc = buf_check(&body, "the CycloneDX document", e);
    if (rc < 0)
        return rc;
    char serial[64];
    struct writer w;
    writer_init(&w, out);
    writer_open(&w, NULL, '{');
    writer_str(&w, "$schema", STR("http://cyclonedx.org/schema/bom-1.6.schema.json"));
    writer_str(&w, "bomFormat", STR("CycloneDX"));
    writer_str(&w, "specVersion", STR("1.6"));
    writer_str(&w, "serialNumber", serial_number(buf_view(&body), serial));
    writer_int(&w, "version", 1);
    buf_add_str(out, buf_view(&body));
    writer_close(&w, '}');
    buf_add_char(out, '\n');
    return buf_check(out, "the CycloneDX document", e);
}

const struct report_format report_cyclonedx = {
    .name = "cyclonedx",
    .summary = "CycloneDX 1.6, JSON",
    .findings = true,
    .sbom = true,
    .write = cyclonedx_write,
};
