/* table_tail.h - the parts of the table that say what the findings rest on. */
#ifndef KELLET_REPORT_TABLE_TAIL_H
#define KELLET_REPORT_TABLE_TAIL_H

#include "report/report.h"

/* In place of counts when there are no findings: what was looked at, and what was not. */
void put_nothing_found(const struct report_input *in, struct buf *out);
/* "Complete: ...", or "Incomplete:" and what could not be read or looked up. */
void put_completeness(const struct report_input *in, const struct report_style *s, struct buf *out);
/* Suppressed matches, completeness, data with their ages. */
void put_tail(const struct report_input *in, const struct report_style *s, struct buf *out);

#endif
