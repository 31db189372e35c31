/* policy.h - what the commands that judge have in common: a bundle, a scan, a verdict. */
#ifndef KELLET_CLI_POLICY_H
#define KELLET_CLI_POLICY_H

#include "cli/source.h"
#include "policy/evaluate.h"
#include "report/report.h"
#include "services/policy_engine/policy_scan.h"

extern const struct command command_policy_explain;
extern const struct command command_policy_lint;
extern const struct command command_policy_spec;
extern const struct command command_policy_test;

/* A whole file; "-" is standard input. 0, or an exit code after having printed why not. */
int policy_file_read(const char *path, struct buf *out);
/* The bundle in a file as JSON text (of YAML by its name). 0, or an exit code likewise. */
int policy_file_json(const char *path, struct buf *out);
/* Compiles the bundle in a file (JSON, or YAML by its name). */
int policy_file_compile(const char *path, struct policy_bundle **out);

struct judged {
    struct inventory *inv;
    struct policy_scan *scan;
    struct policy_verdict *verdict;
    struct analyzer_settings *settings;
    struct vulndb *db;
    struct findings *found; /* NULL: not asked for */
    unsigned needs;         /* enum policy_part: what the bundle looks at */
    int64_t now;            /* Unix seconds */
};
struct judge_args {
    struct source_args source;
    const char *tag, *dockerfile, *analyzer_config, *vex;
    bool hints;    /* count the packages of the image's /anchore_hints.json */
    bool findings; /* wanted even if the bundle does not look at them */
};
/* Scans a source and evaluates. *out must be ended by judged_done() in any case. */
int judge_source(const struct judge_args *a, const char *source, const struct policy_bundle *b,
                 struct judged *out);
void judged_done(struct judged *j);
struct report_input judged_input(const struct judged *j);
/* Could all be seen that the verdict rests on? */
bool judged_complete(const struct judged *j);
/* The verdict for people and, unless it is complete, what could not be seen; appended. */
void judged_table(const struct judged *j, bool color, unsigned width, struct buf *out);

static inline void policy_bundle_drop(struct policy_bundle **b)
{
    policy_bundle_free(*b);
}
#define auto_bundle struct policy_bundle *KE_CLEANUP(policy_bundle_drop)

#endif
