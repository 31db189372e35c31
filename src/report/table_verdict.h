/* table_verdict.h - a policy's verdict for people. */
#ifndef KELLET_REPORT_TABLE_VERDICT_H
#define KELLET_REPORT_TABLE_VERDICT_H

#include "policy/evaluate.h"
#include "report/report.h"

/* Why the image was judged by that name, and what mapping that led to; no newline. */
void put_tag_reason(const struct report_input *in, struct buf *out);
/* Rows, problems and the final line. `complete` false: something that the verdict rests on could
 * not be seen, so that a pass is not shown as one. */
void put_verdict(const struct policy_verdict *v, bool complete, const struct report_style *s,
                 struct buf *out);

#endif
