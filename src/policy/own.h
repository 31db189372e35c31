/* own.h - the members of bundles that are kellet's own: what they may be (docs/policy.md). */
#ifndef KELLET_POLICY_OWN_H
#define KELLET_POLICY_OWN_H

#include "policy/validate.h"

struct bundle_options {
    bool fail_open;        /* "on_rule_failure": "open" */
    bool unmatched_stops;  /* "unmatched": "stop" */
    bool report_allowlist; /* "report_allowlist": true */
    int64_t expiring_us;   /* "expiring_days": how long before its end an item is reported */
};
/* What is none of the words is a problem: who wrote it meant something. Members that only ask for a
 * report are problems when the bundle is validated, and have their defaults in evaluations. */
bool check_options(struct checker *c, yyjson_val *bundle, struct bundle_options *out);

/* An item that an evaluation could not use as it is meant: it would allow too little or, when what
 * narrows it is no text, too much (that is a problem in evaluations too). */
bool check_item_members(struct checker *c, yyjson_val *item);

/* Members that nobody reads and that look like one that somebody does: a problem ("warn") each. */
bool lint_members(yyjson_val *bundle, struct policy_problems *out);

#endif
