/* json.c - kellet's own JSON report; docs/report-json.md describes it, docs/report.schema.json
 * checks it. Version 1 grows by new members only. */
#include "base/auto.h"
#include "packages/licence.h"
#include "policy/evaluate.h"
#include "report/completeness.h"
#include "report/formats.h"
#include "report/words.h"
#include "report/writer.h"

static void put_layers(struct writer *w, const struct inventory *inv)
{
    writer_open(w, "layers", '[');
    for (size_t i = 0; i < inv->n_layers; i++) {
        const struct layer_ref *l = &inv->layers[i];
        writer_open(w, NULL, '{');
        writer_str(w, "diff_id", l->diff_id);
        writer_str_some(w, "digest", l->digest);
        writer_str_some(w, "media_type", l->media_type);
        if (l->size)
            writer_int(w, "size", (int64_t)l->size);
        writer_close(w, '}');
    }
    writer_close(w, ']');
}

static void put_image(struct writer *w, const struct inventory *inv)
{
    writer_open(w, "image", '{');
    writer_str(w, "source", inv->source);
    writer_str(w, "kind", inv->source_kind);
    writer_str_some(w, "reference", inv->reference);
    writer_str_some(w, "manifest_digest", inv->manifest_digest);
    writer_str_some(w, "config_digest", inv->config_digest);
    writer_str_some(w, "os", inv->os);
    writer_str_some(w, "architecture", inv->architecture);
    writer_str_some(w, "variant", inv->variant);
    writer_str_some(w, "created", inv->created);
    writer_strs(w, "tags", inv->repo_tags, inv->n_repo_tags);
    put_layers(w, inv);
    writer_close(w, '}');
}

static void put_distro(struct writer *w, const struct inventory *inv)
{
    const struct release_info *r = &inv->release;
    if (!r->id.n) {
        writer_null(w, "distro");
        return;
    }
    writer_open(w, "distro", '{');
    writer_str(w, "id", r->id);
    writer_str_some(w, "id_like", r->id_like);
    writer_str(w, "version", r->version_id);
    writer_str_some(w, "codename", r->codename);
    writer_str_some(w, "name", r->pretty_name.n ? r->pretty_name : r->name);
    writer_str_some(w, "path", r->path);
    writer_close(w, '}');
}

static void put_evidence(struct writer *w, const struct inventory *inv,
                         const struct inv_package *ip)
{
    writer_open(w, "evidence", '[');
    for (size_t i = 0; i < ip->n_evidence; i++) {
        const struct evidence *ev = &ip->evidence[i];
        writer_open(w, NULL, '{');
        writer_str(w, "path", ev->path);
        if (ev->layer < inv->n_layers)
            writer_str_some(w, "layer", inv->layers[ev->layer].diff_id);
        writer_close(w, '}');
    }
    writer_close(w, ']');
}

static void put_identity(struct writer *w, const struct inv_package *ip)
{
    writer_str(w, "name", ip->p.name);
    writer_str(w, "version", ip->p.version);
    writer_str(w, "type", str_z(ip->p.type->name));
    writer_str(w, "purl", ip->purl);
}

static void put_licence(struct writer *w, const struct package *p)
{
    auto_buf scratch;
    writer_str_some(w, "licence", licence_expression(p->licence, &scratch));
}

static void put_packages(struct writer *w, const struct inventory *inv)
{
    writer_open(w, "packages", '[');
    for (size_t i = 0; i < inv->n_packages; i++) {
        const struct inv_package *ip = &inv->packages[i];
        writer_open(w, NULL, '{');
        put_identity(w, ip);
        writer_str_some(w, "architecture", ip->p.arch);
        writer_str_some(w, "group", ip->p.group);
        writer_str_some(w, "source_name", ip->p.source_name);
        writer_str_some(w, "source_version", ip->p.source_version);
        writer_str_some(w, "module", ip->p.module);
        put_licence(w, &ip->p);
        writer_str_some(w, "vendor", ip->p.vendor);
        writer_str_some(w, "owner", ip->owner);
        put_evidence(w, inv, ip);
        writer_close(w, '}');
    }
    writer_close(w, ']');
}

static void put_finding(struct writer *w, const struct inventory *inv, const struct finding *f)
{
    const struct inv_package *ip = &inv->packages[f->package];
    writer_open(w, NULL, '{');
    writer_str(w, "id", f->id);
    writer_strs(w, "aliases", f->aliases, f->n_aliases);
    writer_str(w, "severity", str_z(severity_name(f->severity)));
    writer_str_some(w, "severity_source", f->severity_source);
    if (f->cvss_vector.n) {
        char score[16];
        snprintf(score, sizeof score, "%d.%d", f->cvss_score10 / 10, f->cvss_score10 % 10);
        writer_open(w, "cvss", '{');
        writer_str(w, "vector", f->cvss_vector);
        if (f->cvss_score10 >= 0)
            writer_number(w, "score", score);
        writer_close(w, '}');
    }
    writer_bool(w, "known_exploited", f->kev);
    if (f->epss_score >= 0) {
        char score[32];
        snprintf(score, sizeof score, "%d.%06d", f->epss_score / 1000000, f->epss_score % 1000000);
        writer_number(w, "epss", score);
    }
    writer_open(w, "package", '{');
    put_identity(w, ip);
    writer_close(w, '}');
    writer_open(w, "fix", '{');
    writer_str(w, "state", str_z(fix_state_name(f->fix_state)));
    writer_strs(w, "versions", f->fix_versions, f->n_fix_versions);
    writer_close(w, '}');
    writer_str(w, "source", f->source);
    writer_str(w, "platform", f->platform);
    writer_str(w, "claimed_package", f->claimed_package);
    writer_str_some(w, "advisory", f->advisory);
    writer_str_some(w, "summary", f->summary);
    writer_str_some(w, "url", f->url);
    put_evidence(w, inv, ip);
    writer_str(w, "reason", f->reason);
    writer_close(w, '}');
}

static void put_suppressed(struct writer *w, const struct inventory *inv, const struct findings *f)
{
    writer_open(w, "suppressed", '[');
    for (size_t i = 0; i < f->n_suppressed; i++) {
        const struct suppression *s = &f->suppressed[i];
        writer_open(w, NULL, '{');
        writer_str(w, "id", s->id);
        writer_str(w, "kind", str_z(suppression_name(s->kind)));
        writer_open(w, "package", '{');
        put_identity(w, &inv->packages[s->package]);
        writer_close(w, '}');
        writer_str(w, "source", s->source);
        writer_str(w, "reason", s->reason);
        writer_close(w, '}');
    }
    writer_close(w, ']');
}

static void put_row(struct writer *w, const struct policy_row *r)
{
    writer_open(w, NULL, '{');
    writer_str(w, "action", str_z(policy_action_names[r->action]));
    writer_str(w, "gate", str_z(r->gate));
    writer_str(w, "trigger", str_z(r->trigger));
    writer_str(w, "trigger_id", r->trigger_id);
    writer_str(w, "message", r->message);
    writer_str_some(w, "policy_id", r->policy_id);
    writer_str_some(w, "rule_id", r->rule_id);
    writer_bool(w, "allowed", r->allowed);
    writer_str_some(w, "allowlist_id", r->allowlist_id);
    writer_str_some(w, "allowlist_rule_id", r->allowlist_rule_id);
    writer_close(w, '}');
}

static void put_verdict(struct writer *w, const struct report_input *in)
{
    const struct policy_verdict *v = in->verdict;
    writer_open(w, "verdict", '{');
    writer_str(w, "tag", in->tag);
    writer_str(w, "tag_source", in->tag_source);
    writer_str(w, "final_action", str_z(policy_action_names[v->final_action]));
    writer_str(w, "reason", str_z(v->reason));
    writer_open(w, "rows", '[');
    for (size_t i = 0; i < v->n_rows; i++)
        put_row(w, &v->rows[i]);
    writer_close(w, ']');
    writer_open(w, "problems", '[');
    for (size_t i = 0; i < v->problems.n; i++) {
        writer_open(w, NULL, '{');
        writer_str(w, "severity", str_z(v->problems.list[i].severity));
        writer_str(w, "type", str_z(v->problems.list[i].type));
        writer_str(w, "details", v->problems.list[i].details);
        writer_close(w, '}');
    }
    writer_close(w, ']');
    writer_close(w, '}');
}

static void put_problems(struct writer *w, const struct inventory *inv)
{
    writer_open(w, "problems", '[');
    for (size_t i = 0; i < inv->n_problems; i++) {
        const struct inv_problem *p = &inv->problems[i];
        writer_open(w, NULL, '{');
        writer_str(w, "path", p->path);
        writer_str(w, "what", p->what);
        writer_str(w, "detail", p->detail);
        if (p->layer >= 0 && (size_t)p->layer < inv->n_layers)
            writer_str_some(w, "layer", inv->layers[p->layer].diff_id);
        writer_close(w, '}');
    }
    writer_close(w, ']');
}

static void put_unmatched(struct writer *w, const struct inventory *inv, const struct findings *f)
{
    writer_open(w, "unmatched", '[');
    for (size_t i = 0; i < f->n_unmatched; i++) {
        writer_open(w, NULL, '{');
        put_identity(w, &inv->packages[f->unmatched[i].package]);
        writer_str(w, "why", f->unmatched[i].why);
        writer_bool(w, "gap", f->unmatched[i].gap);
        writer_close(w, '}');
    }
    writer_close(w, ']');
}

static void put_completeness(struct writer *w, const struct report_input *in)
{
    struct completeness c = completeness_of(in);
    writer_open(w, "completeness", '{');
    writer_bool(w, "complete", c.complete);
    writer_open(w, "packages", '{');
    for (size_t i = 0; i < c.n_types; i++)
        writer_int(w, c.types[i].type, (int64_t)c.types[i].n);
    writer_close(w, '}');
    writer_bool(w, "no_packages", c.no_packages);
    writer_bool(w, "no_distro_packages", c.no_distro_packages);
    put_problems(w, in->inventory);
    writer_strs(w, "unsupported", in->inventory->unsupported, in->inventory->n_unsupported);
    if (in->findings) {
        writer_strs(w, "uncovered", in->findings->uncovered, in->findings->n_uncovered);
        put_unmatched(w, in->inventory, in->findings);
    }
    writer_close(w, '}');
}

static void put_data(struct writer *w, const struct findings *f)
{
    writer_open(w, "data", '[');
    for (size_t i = 0; i < f->n_data; i++) {
        const struct data_source *d = &f->data[i];
        writer_open(w, NULL, '{');
        writer_str(w, "name", d->name);
        writer_str(w, "digest", d->digest);
        writer_str_some(w, "version", d->version);
        writer_time(w, "upstream_date", d->upstream_date);
        writer_time(w, "loaded", d->loaded);
        writer_int(w, "claims", (int64_t)d->claims);
        writer_close(w, '}');
    }
    writer_close(w, ']');
}

static int json_write(const struct report_input *in, const struct report_style *s, struct buf *out,
                      struct err *e)
{
    struct writer w;
    writer_init(&w, out);
    writer_open(&w, NULL, '{');
    writer_str(&w, "schema", STR("kellet-report/1"));
    writer_open(&w, "tool", '{');
    writer_str(&w, "name", STR("kellet"));
    writer_str(&w, "version", STR(KELLET_VERSION));
    writer_close(&w, '}');
    if (in->timestamp)
        writer_time(&w, "timestamp", in->timestamp);
    put_image(&w, in->inventory);
    put_distro(&w, in->inventory);
    if (in->findings) {
        writer_open(&w, "findings", '[');
        for (size_t i = 0; i < in->findings->n; i++)
            put_finding(&w, in->inventory, &in->findings->items[i]);
        writer_close(&w, ']');
        if (in->not_shown)
            writer_int(&w, "not_shown", (int64_t)in->not_shown);
        put_suppressed(&w, in->inventory, in->findings);
    }
    if (in->verdict)
        put_verdict(&w, in);
    put_completeness(&w, in);
    if (in->findings)
        put_data(&w, in->findings);
    put_packages(&w, in->inventory);
    writer_close(&w, '}');
    buf_add_char(out, '\n');
    return buf_check(out, "the JSON report", e);
}

const struct report_format report_json = {
    .name = "json",
    .summary = "everything, as documented in docs/report-json.md",
    .findings = true,
    .sbom = true,
    .write = json_write,
};
