/* cvss.h - what the CVSS versions share: reading a vector against a table of metrics.
 *
 * Sources: first.org's specification documents of CVSS v2, v3.0, v3.1 and v4.0. */
#ifndef KELLET_VULNDB_CVSS_H
#define KELLET_VULNDB_CVSS_H

#include "base/str.h"

enum { CVSS_MAX_METRICS = 32 };

struct cvss_metric {
    const char *name;
    const char *values; /* blank-separated, in the order the enumerations of the .c file give */
    bool must;          /* the vector is malformed without it */
};

/* Reads "AV:N/AC:L/..." into the index of each metric's value, -1 where it is absent. False on an
 * unknown metric or value, one given twice, or a mandatory one missing. */
bool cvss_read(str vector, const struct cvss_metric *metrics, size_t n, int8_t *out);

/* Score times ten of the metrics of a v4.0 vector (after "CVSS:4.0/"), threat and environmental
 * metrics included, as that version defines one score; -1 when malformed. */
int cvss4_score10(str metrics);

#endif
