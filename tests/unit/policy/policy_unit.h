/* policy_unit.h - bundles and subjects for the policy room's tests. */
#ifndef KELLET_TESTS_POLICY_UNIT_H
#define KELLET_TESTS_POLICY_UNIT_H

#include "unit.h"

#include "base/buf.h"
#include "policy/evaluate.h"

/* JSON with ' for ". */
static inline str quoted(struct buf *b, const char *text)
{
    buf_clear(b);
    for (; *text; text++)
        buf_add_char(b, *text == '\'' ? '"' : *text);
    return (str){buf_z(b), b->n};
}

#define MAPPING(more)                                                                              \
    "{'id':'m','name':'d','registry':'*','repository':'*','image':{'type':'tag','value':'*'},"     \
    "'policy_ids':['p'],'whitelist_ids':['w']" more "}"
#define POLICY(rules) "{'id':'p','version':'1_0','rules':[" rules "]}"
#define ALWAYS(action)                                                                             \
    "{'id':'r','gate':'always','trigger':'always','action':'" action "','params':[]}"
#define LIST(items) "{'id':'w','name':'W','version':'1_0','items':[" items "]}"
#define BUNDLE(rules, items, more)                                                                 \
    "{'id':'b','version':'1_0','mappings':[" MAPPING("") "],'policies':[" POLICY(                  \
        rules) "],'whitelists':[" LIST(items) "]" more "}"

/* "trigger_id|message|action|allowed by" of each row, then "severity type details" of each problem,
 * separated by newlines. */
static inline str verdict_text(const struct policy_verdict *v, struct buf *b)
{
    buf_clear(b);
    for (size_t i = 0; i < v->n_rows; i++) {
        const struct policy_row *r = &v->rows[i];
        buf_addf(b, "%.*s|%.*s|%s|%.*s\n", STR_ARG(r->trigger_id), STR_ARG(r->message),
                 policy_action_names[r->action],
                 STR_ARG(r->allowed ? r->allowlist_rule_id : STR("-")));
    }
    for (size_t i = 0; i < v->problems.n; i++)
        buf_addf(b, "%s %s %.*s\n", v->problems.list[i].severity, v->problems.list[i].type,
                 STR_ARG(v->problems.list[i].details));
    return (str){buf_z(b), b->n};
}

#endif
