/* output.h - -o FORMAT[=FILE]: which reports go where. */
#ifndef KELLET_CLI_OUTPUT_H
#define KELLET_CLI_OUTPUT_H

#include "cli/command.h"
#include "report/report.h"

struct output {
    const struct report_format *format;
    const char *path; /* NULL: standard output */
};
enum { OUTPUTS_MAX = 64 };
struct outputs {
    struct output items[OUTPUTS_MAX];
    size_t n;
};

/* Reads the values of -o; none: a table on standard output. sbom: for the command sbom. 0, or
 * EXIT_USAGE after having printed why. */
int outputs_parse(const struct option_list *list, bool sbom, struct outputs *out);
/* Writes all of them; those with a file atomically. 0, or EXIT_CANNOT after having printed why. */
int outputs_write(const struct outputs *o, const struct report_input *in);
/* For --timestamp: $SOURCE_DATE_EPOCH where it is set, else now. */
int64_t output_timestamp(void);

#endif
