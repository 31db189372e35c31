#include "watch/change.h"

#include "base/map.h"
#include "services/policy_engine/vuln_diff.h"

#include <stdlib.h>

enum { PAYLOAD_MAX = 64 << 20 };

static enum severity severity_of(yyjson_val *entry)
{
    return severity_from_word(json_str(entry, "Severity"));
}

/* ---- severities --------------------------------------------------------------------------------
 */

static void count_severities(yyjson_val *findings, size_t counts[SEV_CRITICAL + 1])
{
    size_t i, n;
    yyjson_val *entry;
    yyjson_arr_foreach(findings, i, n, entry) counts[severity_of(entry)]++;
}

void severities_words(yyjson_val *findings, struct buf *out)
{
    size_t counts[SEV_CRITICAL + 1] = {0}, start = out->n;
    count_severities(findings, counts);
    for (int s = SEV_CRITICAL; s >= 0; s--)
        if (counts[s])
            buf_addf(out, "%s%zu %s", out->n > start ? ", " : "", counts[s],
                     severity_name((enum severity)s));
    if (out->n == start)
        buf_add_str(out, STR("none"));
}

static void put_severities(yyjson_val *findings, struct buf *out)
{
    size_t counts[SEV_CRITICAL + 1] = {0};
    bool first = true;
    count_severities(findings, counts);
    buf_add_str(out, STR("\"severities\": {"));
    for (int s = SEV_CRITICAL; s >= 0; s--) {
        if (!counts[s])
            continue;
        buf_addf(out, "%s\"%s\": %zu", first ? "" : ", ", severity_name((enum severity)s),
                 counts[s]);
        first = false;
    }
    buf_add_char(out, '}');
}

/* ---- writing changes down ----------------------------------------------------------------------
 */

struct settling {
    struct db_tx *tx;
    const struct remembered *was;
    str image;
    struct err *e;
};

static int add(struct settling *s, const char *type, const struct buf *payload)
{
    int rc = buf_check(payload, "a change", s->e);
    const struct change c = {.reference = s->was->reference,
                             .image = s->image,
                             .type = str_z(type),
                             .payload = buf_view(payload)};
    return rc < 0 ? rc : change_add(s->tx, &c, s->e);
}

static void begin(struct buf *b, const char *kind)
{
    buf_init(b, PAYLOAD_MAX);
    buf_addf(b, "{\"change\": \"%s\"", kind);
}

static void put_member(struct buf *b, const char *name, str value)
{
    buf_addf(b, ", \"%s\": ", name);
    json_put_string(b, value);
}

static int tell_status(struct settling *s, const char *kind, const char *before, const char *now,
                       str reason)
{
    auto_buf b;
    begin(&b, kind);
    put_member(&b, "imageDigest", s->image);
    buf_addf(&b, ", \"last_eval\": {\"analysis_status\": \"%s\"}", before);
    buf_addf(&b, ", \"curr_eval\": {\"analysis_status\": \"%s\"}", now);
    put_member(&b, "reason", reason);
    buf_add_str(&b, STR(", \"annotations\": {}}"));
    return add(s, "analysis_update", &b);
}

static int tell_moved(struct settling *s)
{
    auto_buf b;
    begin(&b, "tag-moved");
    buf_add_str(&b, STR(", \"last_eval\": ["));
    json_put_string(&b, s->was->image);
    buf_add_str(&b, STR("], \"curr_eval\": ["));
    json_put_string(&b, s->image);
    buf_add_str(&b, STR("], \"annotations\": {}}"));
    return add(s, "tag_update", &b);
}

static int tell_verdict(struct settling *s, const struct seen *is)
{
    auto_buf b;
    begin(&b, "verdict");
    const str actions[] = {s->was->verdict, is->verdict}, images[] = {s->was->image, is->image};
    static const char *const names[] = {"last_eval", "curr_eval"};
    for (int i = 0; i < 2; i++) {
        buf_addf(&b, ", \"%s\": {\"final_action\": ", names[i]);
        json_put_string(&b, actions[i]);
        buf_addf(&b, ", \"status\": \"%s\", \"image_digest\": ",
                 str_eq(actions[i], STR("stop")) ? "fail" : "pass");
        json_put_string(&b, images[i]);
        buf_add_char(&b, '}');
    }
    buf_add_str(&b, STR(", \"annotations\": {}}"));
    return add(s, "policy_eval", &b);
}

static int tell_fresh(struct settling *s, const struct seen *is, yyjson_val *findings)
{
    auto_buf b;
    begin(&b, "tag-new");
    put_member(&b, "imageDigest", is->image);
    if (is->verdict.n)
        put_member(&b, "final_action", is->verdict);
    buf_add_str(&b, STR(", "));
    put_severities(findings, &b);
    buf_add_char(&b, '}');
    return add(s, "repo_update", &b);
}

static int tell_findings(struct settling *s, yyjson_val *before, yyjson_val *now)
{
    auto_buf b;
    struct vuln_diff n;
    begin(&b, "findings");
    put_member(&b, "imageDigest", s->image);
    buf_add_str(&b, STR(", \"diff_vulnerability_result\": "));
    int rc = vuln_diff_was(before, now, &b, &n, s->e);
    if (rc < 0 || (!n.added && !n.removed && !n.updated))
        return rc;
    buf_add_str(&b, STR(", \"annotations\": {}}"));
    return add(s, "vuln_update", &b);
}

/* ---- settling ----------------------------------------------------------------------------------
 */

/* Is there something in `now` ("a, b") that is not in `before`? */
static bool lacks_more(str before, str now)
{
    while (now.n) {
        str one = str_trim(str_split(&now, ',')), rest = before;
        bool found = false;
        while (rest.n && !found)
            found = str_eq(str_trim(str_split(&rest, ',')), one);
        if (!found)
            return true;
    }
    return false;
}

static int settle_first(struct settling *s, const struct seen *is, bool fresh, yyjson_val *now)
{
    int rc = fresh ? tell_fresh(s, is, now) : 0;
    if (rc >= 0 && is->gaps.n)
        rc = tell_status(s, "incomplete", "not_analyzed", "analyzed", is->gaps);
    return rc;
}

static int settle_next(struct settling *s, const struct seen *is, yyjson_val *before,
                       yyjson_val *now)
{
    const struct remembered *was = s->was;
    bool moved = !str_eq(was->image, is->image);
    int rc = moved ? tell_moved(s) : 0;
    if (rc >= 0)
        rc = tell_findings(s, before, now);
    if (rc >= 0 && was->verdict.n && is->verdict.n && !str_eq(was->verdict, is->verdict))
        rc = tell_verdict(s, is);
    if (rc >= 0 &&
        (moved ? is->gaps.n && !str_eq(was->gaps, is->gaps) : is->gaps.n && !was->gaps.n))
        rc = tell_status(s, "incomplete", "analyzed", "analyzed", is->gaps);
    else if (rc >= 0 && !is->gaps.n && was->gaps.n)
        rc = tell_status(s, "complete", "analyzed", "analyzed", STR(""));
    return rc;
}

/* The same image, but the data no longer speak of something in it: what was known stays. */
static int settle_held(struct settling *s, const struct seen *is, struct remembered *row)
{
    row->findings = s->was->findings;
    row->uncovered = s->was->uncovered;
    row->verdict = s->was->verdict;
    if (s->was->gaps.n)
        return 0;
    return tell_status(s, "incomplete", "analyzed", "analyzed", is->gaps);
}

int change_settle(struct db_tx *tx, struct arena *a, const struct remembered *was,
                  const struct seen *is, bool fresh, struct err *e)
{
    auto_json *before = NULL, *now = NULL;
    struct settling s = {tx, was, is->image, e};
    struct remembered row = {
        .reference = was->reference,
        .platform = was->platform,
        .digest = is->digest,
        .image = is->image,
        .findings = is->findings,
        .generation = is->generation,
        .uncovered = is->uncovered,
        .policy = is->policy,
        .verdict = is->verdict,
        .valid_until_us = is->valid_until_us,
        .trouble = was->trouble,
        .why = was->why,
        .gaps = is->gaps,
    };
    int rc = json_parse(is->findings, "findings", &now, e);
    if (rc >= 0 && was->findings.n)
        rc = json_parse(was->findings, "remembered findings", &before, e);
    if (rc < 0)
        return rc;
    if (!was->image.n)
        rc = settle_first(&s, is, fresh, yyjson_doc_get_root(now));
    else if (str_eq(was->image, is->image) && lacks_more(was->uncovered, is->uncovered))
        rc = settle_held(&s, is, &row);
    else
        rc = settle_next(&s, is, before ? yyjson_doc_get_root(before) : NULL,
                         yyjson_doc_get_root(now));
    return rc < 0 ? rc : remembered_put(tx, &row, e);
}

int change_trouble(struct db_tx *tx, struct arena *a, const struct remembered *was, str kind,
                   str why, struct err *e)
{
    struct settling s = {tx, was, was->image, e};
    struct remembered row = *was;
    bool gone = str_eq(kind, STR("gone")), was_gone = str_eq(was->trouble, STR("gone"));
    const char *before = was_gone ? "gone" : was->trouble.n ? "analysis_failed" : "analyzed";
    int rc = 0;
    if (str_eq(kind, was->trouble))
        return 0;
    row.trouble = kind;
    row.why = why;
    if (!kind.n)
        rc = tell_status(&s, was_gone ? "image-back" : "checked-again", before, "analyzed", why);
    else if (gone)
        rc = tell_status(&s, "image-gone", before, "gone", why);
    else
        rc = tell_status(&s, "not-checked", before, "analysis_failed", why);
    return rc < 0 ? rc : remembered_put(tx, &row, e);
}

/* ---- items -------------------------------------------------------------------------------------
 */

struct picking {
    struct arena a;
    struct map removed; /* CVE and package -> entry */
    struct items *out;
    enum severity min;
};

static str pair_key(struct picking *p, yyjson_val *entry)
{
    str cve = json_str(entry, "CVE_ID"), package = json_str(entry, "Package_Name");
    str type = json_str(entry, "Package_Type");
    return arena_printf(&p->a, "%.*s %.*s %.*s", STR_ARG(cve), STR_ARG(type), STR_ARG(package));
}

static bool member_differs(yyjson_val *was, yyjson_val *now, const char *name)
{
    return json_get(was, name) && !str_eq(json_str(was, name), json_str(now, name));
}

/* was NULL: there was none. */
static void pick(struct picking *p, const char *what, yyjson_val *entry, yyjson_val *was)
{
    enum severity now = severity_of(entry), before = now;
    if (member_differs(was, entry, "Severity"))
        before = severity_of(was);
    if (now < p->min && before < p->min)
        return;
    p->out->list[p->out->n++] = (struct item){
        .what = what,
        .entry = entry,
        .was = was,
        .severity = now,
        .worse = strcmp(what, "finding-new") == 0 || (was && now > before),
    };
}

static int pick_findings(struct picking *p, yyjson_val *diff, struct err *e)
{
    yyjson_val *added = json_get(diff, "added"), *removed = json_get(diff, "removed");
    yyjson_val *updated = json_get(diff, "updated"), *entry, *other;
    size_t i, n;
    yyjson_arr_foreach(removed, i, n, entry)
    {
        str key = pair_key(p, entry);
        if (!key.p || !map_put(&p->removed, key, entry))
            return err_no_memory(e);
    }
    struct map paired;
    map_init(&paired);
    yyjson_arr_foreach(added, i, n, entry)
    {
        str key = pair_key(p, entry);
        other = map_get(&p->removed, key);
        if (!other)
            pick(p, "finding-new", entry, NULL);
        else if (member_differs(other, entry, "Severity") ||
                 member_differs(other, entry, "Fix_Available"))
            pick(p, "finding-changed", entry, other);
        if (!key.p || !map_put(&paired, key, entry)) {
            map_done(&paired);
            return err_no_memory(e);
        }
    }
    yyjson_arr_foreach(removed, i, n, entry) if (!map_get(&paired, pair_key(p, entry)))
        pick(p, "finding-gone", entry, NULL);
    yyjson_arr_foreach(updated, i, n, entry)
    {
        yyjson_val *was = json_get(entry, "was");
        if (json_get(was, "Severity") || json_get(was, "Fix_Available"))
            pick(p, "finding-changed", entry, was);
    }
    map_done(&paired);
    return 0;
}

static int rank(str action)
{
    return str_eq(action, STR("stop")) ? 2 : str_eq(action, STR("warn"));
}

static void pick_other(struct picking *p, yyjson_val *payload, str kind)
{
    static const char *const kinds[] = {"tag-moved",     "verdict",    "tag-new",
                                        "image-gone",    "image-back", "not-checked",
                                        "checked-again", "incomplete", "complete"};
    yyjson_val *was = json_get(payload, "last_eval"), *is = json_get(payload, "curr_eval");
    for (size_t i = 0; i < KE_ARRAY_LEN(kinds); i++)
        if (str_eq(str_z(kinds[i]), kind))
            p->out->list[p->out->n++] = (struct item){
                .what = kinds[i],
                .worse = rank(json_str(is, "final_action")) > rank(json_str(was, "final_action")) ||
                         str_eq(json_str(payload, "final_action"), STR("stop")),
            };
}

int change_items(const struct change *c, enum severity min, struct items *out, struct err *e)
{
    *out = (struct items){0};
    int rc = json_parse(c->payload, "a change", &out->doc, e);
    if (rc < 0)
        return rc;
    yyjson_val *payload = out->payload = yyjson_doc_get_root(out->doc);
    yyjson_val *diff = json_get(payload, "diff_vulnerability_result");
    size_t most = 1;
    static const char *const lists[] = {"added", "removed", "updated"};
    for (int i = 0; i < 3; i++)
        most += yyjson_arr_size(json_get(diff, lists[i]));
    out->list = calloc(most, sizeof *out->list);
    if (!out->list)
        rc = err_no_memory(e);
    struct picking p = {.out = out, .min = min};
    arena_init(&p.a, 256 << 20);
    map_init(&p.removed);
    if (rc >= 0 && diff)
        rc = pick_findings(&p, diff, e);
    else if (rc >= 0)
        pick_other(&p, payload, json_str(payload, "change"));
    map_done(&p.removed);
    arena_done(&p.a);
    if (rc < 0)
        items_done(out);
    return rc < 0 ? rc : 0;
}

void items_done(struct items *i)
{
    free(i->list);
    yyjson_doc_free(i->doc);
    *i = (struct items){0};
}
