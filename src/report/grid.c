#include "report/grid.h"

#include "base/text.h"

enum { GAP = 2, COLUMN_MIN = 10, CELL_MAX = 1 << 20 };

void style_put(const struct report_style *s, const char *color, str text, struct buf *out)
{
    bool colored = s->color && color && text.n;
    if (colored)
        buf_addf(out, "\x1b[%sm", color);
    buf_add_str(out, text);
    if (colored)
        buf_add_str(out, STR("\x1b[0m"));
}

str clean_copy(struct arena *a, str text)
{
    auto_buf b;
    buf_init(&b, CELL_MAX);
    text_clean(text, &b);
    return arena_dup(a, buf_ok(&b) ? buf_view(&b) : STR("(too long)"));
}

static void natural_widths(const struct grid *g, size_t widths[GRID_COLUMNS_MAX])
{
    for (size_t i = 0; i < g->rows * g->columns; i++) {
        size_t w = text_width(g->cells[i].text);
        if (w > widths[i % g->columns])
            widths[i % g->columns] = w;
    }
}

/* Takes columns off the widest until the rows fit; below COLUMN_MIN they are let run over. */
static void fit_widths(const struct grid *g, unsigned limit, size_t widths[GRID_COLUMNS_MAX])
{
    size_t total = GAP * (g->columns - 1);
    for (size_t c = 0; c < g->columns; c++)
        total += widths[c];
    while (total > limit) {
        size_t widest = 0, second = 0;
        for (size_t c = 1; c < g->flexible; c++)
            if (widths[c] > widths[widest])
                widest = c;
        if (widths[widest] <= COLUMN_MIN)
            return;
        for (size_t c = 0; c < g->flexible; c++)
            if (c != widest && widths[c] > second)
                second = widths[c];
        size_t floor = second < widths[widest] ? second : widths[widest] - 1;
        size_t cut = widths[widest] - (floor > COLUMN_MIN ? floor : COLUMN_MIN);
        if (cut > total - limit)
            cut = total - limit;
        widths[widest] -= cut;
        total -= cut;
    }
}

/* One line of a row; takes what it printed off the cells. True when something is left. */
static bool write_line(const struct grid *g, const struct report_style *s, struct grid_cell *left,
                       const size_t *widths, struct buf *out)
{
    bool more = false;
    size_t pending = 0; /* blanks are written only before text: lines have no blanks at their end */
    for (size_t c = 0; c < g->columns; c++) {
        str part = str_sub(left[c].text, 0, text_fit(left[c].text, widths[c]));
        if (part.n) {
            buf_addf(out, "%*s", (int)pending, "");
            style_put(s, left[c].color, part, out);
            pending = 0;
        }
        pending += widths[c] - text_width(part) + GAP;
        left[c].text = str_from(left[c].text, part.n);
        more |= left[c].text.n > 0;
    }
    buf_add_char(out, '\n');
    return more;
}

void grid_write(const struct grid *g, const struct report_style *s, struct buf *out)
{
    size_t widths[GRID_COLUMNS_MAX] = {0};
    natural_widths(g, widths);
    if (s->width)
        fit_widths(g, s->width, widths);
    for (size_t r = 0; r < g->rows; r++) {
        struct grid_cell left[GRID_COLUMNS_MAX];
        memcpy(left, g->cells + r * g->columns, g->columns * sizeof *left);
        while (write_line(g, s, left, widths, out))
            ;
    }
}
