/* report.h - one file per output format, all listed in all.c. Deterministic: sorted, no clock but
 * the data's. */
#ifndef KELLET_REPORT_REPORT_H
#define KELLET_REPORT_REPORT_H

#include "match/finding.h"

struct policy_verdict; /* policy/evaluate.h */

struct report_input {
    const struct inventory *inventory;
    const struct findings *findings; /* NULL for an SBOM */
    int64_t timestamp;               /* Unix seconds to print; 0: none */
    int64_t now;                     /* for the age of data in tables; 0: ages are not printed */
    size_t not_shown;                /* findings left out because they have no fix */
    const struct policy_verdict *verdict; /* of a policy; NULL: none was asked for */
    str tag;        /* with a verdict: the name by which the image was judged, */
    str tag_source; /* where that is from, in a word */
    str tag_reason; /* and for people: "the name that was asked for" */
};

struct report_style {
    bool color;     /* ANSI colours */
    unsigned width; /* columns; 0: as wide as needed */
};

struct report_format {
    const char *name; /* "table", "json", "cyclonedx" */
    const char *summary;
    bool findings, sbom; /* for which commands */
    int (*write)(const struct report_input *in, const struct report_style *s, struct buf *out,
                 struct err *e);
};
const struct report_format *report_format_find(str name);
extern const struct report_format *const report_formats[]; /* ended by NULL */

#endif
