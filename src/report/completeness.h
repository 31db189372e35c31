/* completeness.h - what a result could not see, in one place: for every report format and for the
 * exit code. An empty list of findings means something only together with this. */
#ifndef KELLET_REPORT_COMPLETENESS_H
#define KELLET_REPORT_COMPLETENESS_H

#include "report/report.h"

struct type_count {
    const char *type;
    size_t n;
};
enum { TYPES_MAX = 32 };

struct completeness {
    bool complete;     /* everything recognised was read, looked up, and data existed for it */
    bool data_missing; /* packages were found that no data cover (or there are no data at all) */
    bool no_packages;  /* nothing was recognised */
    bool no_distro_packages; /* a distribution is named, but none of its packages was found */
    size_t gaps;             /* unmatched packages that ought to have been looked up */
    struct type_count types[TYPES_MAX]; /* packages found, by type, in the inventory's order */
    size_t n_types;
};

/* in->findings NULL (an SBOM): only what concerns reading. */
struct completeness completeness_of(const struct report_input *in);

#endif
