#include "policy/evaluate.h"

#include "base/buf.h"
#include "base/map.h"
#include "codec/digest.h"
#include "codec/schema.h"
#include "policy/bundle_internal.h"
#include "policy/params.h"
#include "policy/problems.h"
#include "policy/report_allowlist.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Rules that took too many steps before the rest is not tried. */
enum { EXPLOSIONS_MAX = 64, REPR_MAX = 16 << 10 };
static const int64_t minute_us = 60000000;

struct verdict { /* the public part first */
    struct policy_verdict v;
    size_t rows_room;
};

struct firing {
    const struct policy_bundle *b;
    const struct policy_subject *s;
    struct verdict *out;
    const struct compiled_mapping *mapping;
    const struct compiled_policy *policy;
    const struct compiled_rule *rule;
    struct allow_query query;
    struct map once;   /* of the rule: id -> index of its row + 1 (TRIGGER_ONCE) */
    bool *used;        /* of allowlist items, by their index; NULL: nobody asks */
    unsigned failures; /* of allowlist expressions */
    unsigned explosions;
    struct spending spending;
    size_t rules_run;
    int rule_failed; /* while adding rows */
    int failed;      /* ends the evaluation */
    struct err rule_err;
    struct err *e;
};

/* ---- what gates call --------------------------------------------------------------------------
 */
const struct policy_subject *gate_subject(const struct firing *f)
{
    return f->s;
}

const struct rule_params *gate_params(const struct firing *f)
{
    return &f->rule->params;
}

struct arena *gate_arena(struct firing *f)
{
    return &f->out->v.arena;
}

int gate_match(struct firing *f, const struct regex *r, str subject, struct err *e)
{
    if (spending_over(&f->spending))
        return err_set(e, ERR_LIMIT, "the evaluation took too much time");
    return regex_match(r, subject, e);
}

void gate_until(struct firing *f, int64_t us)
{
    if (us > f->s->now_us && us < f->out->v.valid_until_us)
        f->out->v.valid_until_us = us;
}

void gate_about(struct firing *f, const struct policy_finding *finding,
                const struct policy_package *package, str path)
{
    f->query.finding = finding;
    f->query.package = package;
    f->query.path = path;
}

static void rule_fails(struct firing *f, int code, const char *text)
{
    if (!f->rule_failed)
        f->rule_failed = err_set(&f->rule_err, code, "%s", text);
}

/* The row's place; NULL: the rule has failed. */
static struct policy_row *new_row(struct firing *f)
{
    struct verdict *v = f->out;
    if (v->v.n_rows >= VERDICT_ROWS_MAX) {
        rule_fails(f, ERR_LIMIT, "the verdict has too many rows");
        return NULL;
    }
    if (v->v.n_rows == v->rows_room) {
        size_t room = v->rows_room ? v->rows_room * 2 : 64;
        struct policy_row *rows = realloc(v->v.rows, room * sizeof *rows);
        if (!rows) {
            f->failed = err_no_memory(f->e);
            return NULL;
        }
        v->v.rows = rows;
        v->rows_room = room;
    }
    return &v->v.rows[v->v.n_rows];
}

static str hashed_id(struct firing *f, str message)
{
    char hex[MD5_TEXT];
    str parts[] = {str_z(f->rule->gate->name), str_z(f->rule->trigger->name), message};
    if (md5_hex(parts, KE_ARRAY_LEN(parts), hex))
        return arena_dup(gate_arena(f), str_z(hex));
    rule_fails(f, ERR_UNSUPPORTED, "the crypto library offers no MD5");
    return (str){0};
}

static void allow(struct firing *f, struct policy_row *row)
{
    f->query.trigger_id = row->trigger_id;
    for (size_t i = 0; i < f->mapping->n_lists; i++) {
        const struct compiled_list *l = f->mapping->lists[i];
        const struct allow_item *item = allowlist_find(l->list, &f->query);
        if (!item)
            continue;
        row->allowed = true;
        row->action = ACTION_GO;
        row->allowlist_name = json_text(l->name);
        row->allowlist_id = l->id;
        row->allowlist_rule_id = json_str(item->json, "id");
        row->allowlist_item = item->json;
        if (item->expires_us != INT64_MAX)
            gate_until(f, item->expires_us);
        if (f->used)
            f->used[item->index] = true;
        return;
    }
}

/* The new row stands at the end. True: it is kept there; otherwise the one of its id before it. */
static bool keep_row(struct firing *f, struct policy_row *row)
{
    if (!(f->rule->trigger->flags & TRIGGER_ONCE))
        return true;
    void **slot = map_slot(&f->once, row->trigger_id);
    if (!slot) {
        f->failed = err_no_memory(f->e);
        return false;
    }
    if (!*slot) {
        *slot = (void *)(uintptr_t)(f->out->v.n_rows + 1);
        return true;
    }
    struct policy_row *before = &f->out->v.rows[(uintptr_t)*slot - 1];
    if (before->allowed && !row->allowed)
        *before = *row;
    return false;
}

void gate_fire_str(struct firing *f, str id, str message)
{
    struct policy_row *row = f->failed || f->rule_failed ? NULL : new_row(f);
    if (!row)
        return;
    if (!id.p)
        id = hashed_id(f, message);
    if (!id.p) {
        if (!f->rule_failed)
            rule_fails(f, ERR_LIMIT, "the verdict is too large");
        return;
    }
    *row = (struct policy_row){
        .trigger_id = id,
        .message = message,
        .gate = f->rule->gate->name,
        .trigger = f->rule->trigger->name,
        .action = f->rule->action,
        .policy_id = f->policy->id,
        .rule_id = f->rule->id,
    };
    allow(f, row);
    f->out->v.n_rows += keep_row(f, row);
    if (row->action < f->out->v.policy_action)
        f->out->v.policy_action = row->action;
}

void gate_fire(struct firing *f, str id, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : arena_alloc(gate_arena(f), (size_t)n + 1);
    if (!p) {
        rule_fails(f, ERR_LIMIT, "the verdict is too large");
        return;
    }
    if ((size_t)n < sizeof text) {
        memcpy(p, text, (size_t)n + 1);
    } else {
        va_start(ap, fmt);
        vsnprintf(p, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    gate_fire_str(f, id, (str){p, (size_t)n});
}

/* ---- rules -------------------------------------------------------------------------------------
 */
static const struct {
    unsigned part;
    const char *name;
} part_names[] = {
    {PART_FILES, "its files"},
    {PART_PACKAGES, "its packages"},
    {PART_DOCKERFILE, "its Dockerfile"},
    {PART_SEARCHES, "the contents searched for"},
    {PART_RETRIEVED, "its retrieved files"},
    {PART_MALWARE, "its malware scans"},
    {PART_MANIFESTS, "the package databases' lists of files"},
    {PART_FINDINGS, "its vulnerabilities"},
    {PART_HISTORY, "the images before it"},
    {PART_FEEDS, "the state of the vulnerability data"},
    {PART_PROBLEMS, "what its analysis could not see"},
};

static bool has_part(const struct policy_subject *s, unsigned part)
{
    switch (part) {
    case PART_FINDINGS:
        return s->findings && s->image;
    case PART_FEEDS:
        return s->feeds && s->image;
    case PART_HISTORY:
        return s->lineage && s->image;
    default:
        return s->image && s->image->have & part;
    }
}

static const char *missing_part(const struct policy_subject *s, unsigned needs)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(part_names); i++)
        if (needs & part_names[i].part && !has_part(s, part_names[i].part))
            return part_names[i].name;
    return s->image ? NULL : "the image";
}

/* The parameters as Python writes a dict, for messages. */
static void put_params(const struct compiled_rule *r, struct buf *b)
{
    yyjson_val name = {0}, text = {0};
    for (size_t i = 0, n = params_count(r->trigger), put = 0; i < n; i++) {
        const struct rule_value *v = &r->params.values[i];
        const char *key = r->trigger->params[i].name;
        if (!v->set)
            continue;
        unsafe_yyjson_set_strn(&name, key, strlen(key));
        unsafe_yyjson_set_strn(&text, v->text.p, v->text.n);
        buf_add_str(b, put++ ? STR(", ") : STR(""));
        schema_repr(&name, b);
        buf_add_str(b, STR(": "));
        schema_repr(&text, b);
    }
}

static void report_failure(struct firing *f, int code)
{
    const struct compiled_rule *r = f->rule;
    auto_buf params;
    buf_init(&params, REPR_MAX);
    put_params(r, &params);
    if (code == ERR_LIMIT)
        f->explosions++;
    if (!f->b->options.fail_open && r->action < f->out->v.policy_action)
        f->out->v.policy_action = r->action;
    if (!problems_addf(&f->out->v.problems, "error", "TriggerEvaluationError",
                       "Trigger evaluation failed for gate %s and trigger %s, with parameters: "
                       "({%.*s}) due to: %s (rule_id=%.*s)",
                       r->gate->name, r->trigger->name, STR_ARG(buf_view(&params)),
                       f->rule_err.text, STR_ARG(r->params.rule_id)))
        f->failed = err_no_memory(f->e);
}

/* 0, or the reason in f->rule_err. */
static int try_rule(struct firing *f)
{
    const struct compiled_rule *r = f->rule;
    const char *missing = missing_part(f->s, r->trigger->needs);
    if (r->broken)
        return err_set(&f->rule_err, ERR_USAGE, "%s", r->broken);
    if (missing)
        return err_set(&f->rule_err, ERR_NOT_FOUND, "%s: not known", missing);
    if (spending_over_now(&f->spending))
        return err_set(&f->rule_err, ERR_LIMIT, "the rules before it took too much time");
    if (f->explosions >= EXPLOSIONS_MAX || f->rules_run > BUNDLE_RULES_MAX)
        return err_set(&f->rule_err, ERR_LIMIT, "the rules before it took too many steps");
    int rc = r->trigger->fire(f, r->state, &f->rule_err);
    return rc < 0 ? rc : f->rule_failed;
}

static void run_policy(struct firing *f)
{
    if (!problems_append(&f->out->v.problems, &f->policy->notes))
        f->failed = err_no_memory(f->e);
    for (size_t i = 0; i < f->policy->n && !f->failed; i++) {
        f->rule = &f->policy->rules[i];
        f->rule_failed = 0;
        f->rule_err = (struct err){0};
        f->rules_run++;
        if (f->rule->trigger->flags & TRIGGER_ONCE) {
            map_done(&f->once);
            map_init(&f->once);
        }
        gate_about(f, NULL, NULL, (str){0});
        f->query.gate = f->rule->gate->name;
        int rc = try_rule(f);
        if (rc < 0 && !f->failed)
            report_failure(f, rc);
    }
}

/* ---- the bundle -------------------------------------------------------------------------------
 */
static void add_problem(struct firing *f, const char *severity, const char *what,
                        const struct err *why)
{
    if (!problems_addf(&f->out->v.problems, severity, "PolicyError", "%s: %s", what, why->text))
        f->failed = err_no_memory(f->e);
}

/* The first that matches; *unsure: one that can't be compared comes before it. */
static const struct selector *select_image(struct firing *f, const struct selectors *list,
                                           const struct tag_parts *tag, const char *what,
                                           bool *unsure)
{
    *unsure = false;
    for (size_t i = 0; i < list->n; i++) {
        struct err why = {0};
        int rc = selector_match(&list->items[i], tag, f->s->image, &why);
        if (rc == 1)
            return &list->items[i];
        if (rc < 0 && !*unsure) {
            *unsure = true;
            add_problem(f, "error", what, &why);
        }
    }
    return NULL;
}

/* Without an earlier mapping that can't be compared: what stands below it is not what was meant. */
static const struct compiled_mapping *select_mapping(struct firing *f, const struct tag_parts *tag)
{
    for (size_t i = 0; i < f->b->n_mappings; i++) {
        struct err why = {0};
        int rc = selector_match(&f->b->mappings[i].select, tag, f->s->image, &why);
        if (rc < 0) {
            add_problem(f, "error", "a mapping", &why);
            f->out->v.policy_action = ACTION_STOP;
            return NULL;
        }
        if (rc == 1)
            return &f->b->mappings[i];
    }
    if (f->b->options.unmatched_stops) {
        f->out->v.policy_action = ACTION_STOP;
        if (!problems_addf(&f->out->v.problems, "error", "PolicyError",
                           "no mapping of the bundle matches %.*s", STR_ARG(f->s->tag)))
            f->failed = err_no_memory(f->e);
    }
    return NULL;
}

/* All that is wrong with what the mapping uses; with any of it nothing is evaluated. */
static bool mapping_is_good(struct firing *f, const struct compiled_mapping *m)
{
    struct policy_problems *to = &f->out->v.problems;
    bool ok = problems_append(to, &m->errors);
    size_t total = m->errors.total;
    for (size_t i = 0; i < m->n_policies; i++) {
        ok = ok && problems_append(to, &m->policies[i]->errors);
        total += m->policies[i]->errors.total;
    }
    for (size_t i = 0; i < m->n_lists; i++) {
        ok = ok && problems_append(to, &m->lists[i]->errors);
        total += m->lists[i]->errors.total;
    }
    if (!ok)
        f->failed = err_no_memory(f->e);
    return total == 0;
}

static void run_mapping(struct firing *f, const struct compiled_mapping *m)
{
    struct policy_verdict *v = &f->out->v;
    f->mapping = m;
    v->mapping = m->select.json;
    if (!mapping_is_good(f, m)) {
        v->policy_action = ACTION_STOP;
        return;
    }
    if (f->b->options.report_allowlist && !(f->used = calloc(f->b->n_items + 1, sizeof *f->used))) {
        f->failed = err_no_memory(f->e);
        return;
    }
    for (size_t i = 0; i < m->n_policies && !f->failed; i++) {
        f->policy = m->policies[i];
        run_policy(f);
    }
    if (f->spending.over && !f->failed &&
        !problems_addf(&v->problems, "error", "PolicyError",
                       "the evaluation took too much time: what was left was not tried"))
        f->failed = err_no_memory(f->e);
    if (f->used && !f->failed && !report_allowlist(f->b, m, f->used, f->s->now_us, v))
        f->failed = err_no_memory(f->e);
    if (f->failures && !f->failed &&
        !problems_addf(&v->problems, "error", "PolicyError",
                       "%u comparisons with expressions of allowlists took too many steps",
                       f->failures))
        f->failed = err_no_memory(f->e);
}

static void decide(struct firing *f, const struct selector *allowed, const struct selector *denied,
                   bool denied_unsure)
{
    struct policy_verdict *v = &f->out->v;
    v->allowed_image = allowed ? allowed->json : NULL;
    v->denied_image = denied ? denied->json : NULL;
    v->reason = denied ? "blacklisted" : allowed ? "whitelisted" : "policy_evaluation";
    v->final_action = denied ? ACTION_STOP : allowed ? ACTION_GO : v->policy_action;
    if (denied_unsure && !denied && !f->b->options.fail_open) {
        v->reason = "policy_evaluation";
        v->final_action = ACTION_STOP;
    }
}

static void evaluate(struct firing *f)
{
    struct tag_parts tag = tag_parse(f->s->tag);
    struct policy_verdict *v = &f->out->v;
    bool allowed_unsure = false, denied_unsure = false;
    const struct selector *allowed = NULL, *denied = NULL;
    if (f->b->errors.total) {
        v->policy_action = ACTION_STOP;
        if (!problems_append(&v->problems, &f->b->errors))
            f->failed = err_no_memory(f->e);
    } else {
        const struct compiled_mapping *m = select_mapping(f, &tag);
        if (m && !f->failed)
            run_mapping(f, m);
        allowed = select_image(f, &f->b->allowed, &tag, "an allowed image", &allowed_unsure);
        denied = select_image(f, &f->b->denied, &tag, "a denied image", &denied_unsure);
    }
    decide(f, allowed, denied, denied_unsure);
}

int policy_evaluate(const struct policy_bundle *b, const struct policy_subject *s,
                    struct policy_verdict **out, struct err *e)
{
    struct verdict *v = calloc(1, sizeof *v);
    if (!v)
        return err_no_memory(e);
    arena_init(&v->v.arena, VERDICT_BYTES_MAX);
    problems_init(&v->v.problems, &v->v.arena);
    v->v.policy_action = ACTION_GO;
    v->v.valid_until_us = INT64_MAX;
    struct firing f = {.b = b, .s = s, .out = v, .e = e};
    f.query.now_us = s->now_us;
    f.query.failures = &f.failures;
    f.query.spending = &f.spending;
    spending_start(&f.spending, s->processor_us ? s->processor_us : minute_us);
    map_init(&f.once);
    evaluate(&f);
    map_done(&f.once);
    free(f.used);
    if (f.failed) {
        policy_verdict_free(&v->v);
        return f.failed;
    }
    *out = &v->v;
    return 0;
}

void policy_verdict_free(struct policy_verdict *v)
{
    if (!v)
        return;
    free(v->rows);
    arena_done(&v->arena);
    free(v);
}
