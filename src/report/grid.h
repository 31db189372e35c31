/* grid.h - a table of text: columns as wide as needed, or wrapped to fit a terminal. Cells hold
 * clean text (base/text.h). */
#ifndef KELLET_REPORT_GRID_H
#define KELLET_REPORT_GRID_H

#include "base/arena.h"
#include "report/report.h"

enum { GRID_COLUMNS_MAX = 8 };

struct grid_cell {
    str text;
    const char *color; /* "31;1": SGR parameters; NULL: none */
};
struct grid {
    size_t columns;
    size_t flexible; /* how many of the first columns may be wrapped; ids stay in one piece */
    const struct grid_cell *cells; /* rows * columns; the first row is the head */
    size_t rows;
};

void grid_write(const struct grid *g, const struct report_style *s, struct buf *out);
/* Appends text in colour when the style has colours. */
void style_put(const struct report_style *s, const char *color, str text, struct buf *out);
/* A clean copy in the arena; p is NULL when memory is out. */
str clean_copy(struct arena *a, str text);

#endif
