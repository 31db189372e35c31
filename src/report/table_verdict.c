#include "report/table_verdict.h"

#include "base/text.h"
#include "report/grid.h"

static const char *action_color(enum policy_action a)
{
    return a == ACTION_STOP ? "1;31" : a == ACTION_WARN ? "33" : "32";
}

static void put_rows(const struct policy_verdict *v, const struct report_style *style,
                     struct buf *out)
{
    enum { COLUMNS = 5 };
    struct arena a;
    arena_init(&a, 1 << 30);
    struct grid_cell *cells = arena_calloc(&a, (v->n_rows + 1) * COLUMNS, sizeof *cells);
    static const char *const head[COLUMNS] = {"ACTION", "GATE", "TRIGGER", "CHECK", "ID"};
    for (size_t i = 0; cells && i < COLUMNS; i++)
        cells[i].text = str_z(head[i]);
    for (size_t i = 0; cells && i < v->n_rows; i++) {
        const struct policy_row *r = &v->rows[i];
        struct grid_cell *c = cells + (i + 1) * COLUMNS;
        c[0].text = r->allowed ? STR("allowed") : str_z(policy_action_names[r->action]);
        c[0].color = r->allowed ? "2" : action_color(r->action);
        c[1].text = str_z(r->gate);
        c[2].text = str_z(r->trigger);
        c[3].text = clean_copy(&a, r->message);
        c[4].text = clean_copy(&a, r->trigger_id);
    }
    const struct grid g = {
        .columns = COLUMNS, .flexible = 4, .cells = cells, .rows = v->n_rows + 1};
    if (cells && v->n_rows)
        grid_write(&g, style, out);
    arena_done(&a);
}

void put_tag_reason(const struct report_input *in, struct buf *out)
{
    const struct policy_verdict *v = in->verdict;
    str mapping = json_str(v->mapping, "name");
    buf_add_str(out, in->tag_reason);
    if (mapping.n) {
        buf_add_str(out, STR("; mapping: "));
        text_clean(mapping, out);
    } else if (!v->mapping && !v->problems.n) {
        buf_add_str(out, STR("; no mapping of the bundle fits it"));
    }
}

void put_verdict(const struct policy_verdict *v, bool complete, const struct report_style *s,
                 struct buf *out)
{
    put_rows(v, s, out);
    for (size_t i = 0; i < v->problems.n; i++) {
        buf_addf(out, "%s: %s: ", v->problems.list[i].severity, v->problems.list[i].type);
        text_clean(v->problems.list[i].details, out);
        buf_add_char(out, '\n');
    }
    if (v->n_rows || v->problems.n)
        buf_add_char(out, '\n');
    bool passes = policy_passes(v);
    style_put(s, passes && !complete ? "1;33" : action_color(v->final_action),
              passes ? STR("pass") : STR("fail"), out);
    buf_addf(out, " (%s, %s, %zu rows)%s\n", policy_action_names[v->final_action], v->reason,
             v->n_rows, complete ? "" : ", but not everything could be seen: see below");
}
