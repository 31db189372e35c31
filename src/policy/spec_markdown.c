/* spec_markdown.c - the gates as docs/policy-gates.md has them. */
#include "policy/gate.h"

static const char *const type_words[] = {
    [PARAM_STRING] = "text",
    [PARAM_BOOL] = "`true` or `false`",
    [PARAM_INT] = "whole number",
    [PARAM_FLOAT] = "number",
    [PARAM_ENUM] = NULL,
    [PARAM_LIST] = "list",
    [PARAM_NUMBERS] = "list of numbers",
    [PARAM_LINKED] = "depends on `attribute`",
};

static void put_param(const struct gate_param *p, struct buf *out)
{
    buf_addf(out, "| `%s`%s%s |", p->name, p->required ? " (required)" : "",
             p->own ? " *own*" : "");
    if (type_words[p->type])
        buf_addf(out, " %s", type_words[p->type]);
    for (size_t i = 0; p->choices && p->choices[i]; i++)
        buf_addf(out, " `%s`", p->choices[i]);
    if (p->alias)
        buf_addf(out, "; also called `%s`", p->alias);
    buf_add_str(out, STR(" | "));
    if (p->example)
        buf_addf(out, "`%s`", p->example);
    buf_addf(out, " | %s |\n", p->description ? p->description : "");
}

static void put_trigger(const struct gate_trigger *t, struct buf *out)
{
    buf_addf(out, "\n**%s**%s: %s%s\n", t->name, t->flags & TRIGGER_OWN ? " *(own)*" : "",
             t->description ? t->description : "",
             t->flags & TRIGGER_TIMED ? " Depends on the clock." : "");
    if (!t->params || !t->params[0].name)
        return;
    buf_add_str(out,
                STR("\n| parameter | value | for example | what it does |\n|---|---|---|---|\n"));
    for (const struct gate_param *p = t->params; p->name; p++)
        put_param(p, out);
}

static void put_ended(struct buf *out)
{
    buf_add_str(out, STR("\n## Gates that have ended\n\nNew bundles may not use them; in old ones "
                         "their rules do nothing and are reported in\n`evaluation_problems`.\n\n"
                         "| gate | replaced by |\n|---|---|\n"));
    for (size_t i = 0; all_gates[i]; i++)
        if (all_gates[i]->state == GATE_EOL)
            buf_addf(out, "| %s | %s |\n", all_gates[i]->name,
                     all_gates[i]->superceded_by ? all_gates[i]->superceded_by : "-");
}

void gate_spec_markdown(struct buf *out)
{
    buf_add_str(
        out, STR("# Gates of policies\n\nWhat rules may say. Written by `kellet policy spec "
                 "-o markdown` from the tables in `src/policy/gates`;\nwhat bundles are and how "
                 "they are judged is in [policy.md](policy.md). *own*: not in Anchore Engine.\n"));
    for (size_t i = 0; all_gates[i]; i++) {
        const struct gate *g = all_gates[i];
        if (g->state == GATE_EOL)
            continue;
        buf_addf(out, "\n## %s%s\n\n%s\n", g->name, g->own ? " *(own)*" : "",
                 g->description ? g->description : "");
        for (const struct gate_trigger *t = g->triggers; t->name; t++)
            put_trigger(t, out);
    }
    put_ended(out);
}
