/* words.h - the words that reports use for suppressions. */
#ifndef KELLET_REPORT_WORDS_H
#define KELLET_REPORT_WORDS_H

#include "match/finding.h"

/* "owned-by-distro-package", "not-affected", "kernel-headers". */
const char *suppression_name(enum suppression_kind k);

#endif
