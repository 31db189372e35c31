/* sample.h - an inventory with findings, made up, for the reports' tests. */
#ifndef KELLET_TESTS_REPORT_SAMPLE_H
#define KELLET_TESTS_REPORT_SAMPLE_H

#include "report/report.h"

struct sample {
    struct inventory inv;
    struct findings findings;
};

/* Everything that reports show, once: problems, suppressions, gaps, two layers, several types. */
void sample_make(struct sample *s);
/* All is well: one package, no findings, nothing missed. */
void sample_make_clean(struct sample *s);
/* n findings in as many packages. Free with sample_done. */
void sample_make_large(struct sample *s, size_t n);
void sample_done(struct sample *s);

#endif
