/* explain.h - `kellet explain SOURCE CVE`, and `kellet scan SOURCE --explain CVE`. */
#ifndef KELLET_CLI_EXPLAIN_H
#define KELLET_CLI_EXPLAIN_H

#include "cli/source.h"

/* Prints the reason tree; returns the exit code: 1 affected, 0 not, 3 and 4 when it was not found
 * but not everything could be seen. */
int explain_source(const struct source_args *a, const char *source, const char *id);

#endif
