/* coverage.h - what the commands that look for vulnerabilities share: what they say, and exit with,
 * when nothing bad was found but not everything could be seen. */
#ifndef KELLET_CLI_COVERAGE_H
#define KELLET_CLI_COVERAGE_H

#include "cli/command.h"
#include "report/report.h"

struct coverage_args {
    const char *max_age; /* days, as text; NULL: data may be of any age */
    bool allow_incomplete;
};

/* Rows of an option table for a static struct coverage_args. */
#define COVERAGE_OPTIONS(c)                                                                        \
    {"max-data-age", 0,   OPT_TEXT, "DAYS", "exit with 4 when data are older (default: no limit)", \
     &(c).max_age,   NULL},                                                                        \
    {                                                                                              \
        "allow-incomplete", 0, OPT_FLAG, NULL,                                                     \
            "exit with 0 instead of 3 or 4; the report still tells", &(c).allow_incomplete, NULL   \
    }

/* 0, or EXIT_USAGE after having printed why. */
int coverage_check(const struct coverage_args *a);
/* EXIT_CLEAN; EXIT_STALE: no data for what was found, or too old ones; EXIT_INCOMPLETE. Prints why
 * where the report does not say it by itself. in->findings NULL: only what concerns reading. */
int coverage_exit_code(const struct coverage_args *a, const struct report_input *in);

#endif
