/* judge.h - one rule judged on a subject, through a bundle as users write it. */
#ifndef KELLET_TESTS_POLICY_JUDGE_H
#define KELLET_TESTS_POLICY_JUDGE_H

#include "unit.h"

#include "policy/evaluate.h"

struct judged {
    struct policy_bundle *bundle;
    struct policy_verdict *verdict;
    size_t n;    /* rows */
    str problem; /* details of the first one; empty: none */
};
/* `rule`: the members after "action" of a rule: "\"gate\": ..., \"params\": [...]". */
void judge(const struct policy_subject *s, const char *rule, struct judged *out);
void judged_done(struct judged *j);
/* "NAME=VALUE|NAME=VALUE" -> a rule as judge() takes it. Static buffer. */
const char *rule_text(const char *gate, const char *trigger, const char *params);

/* What a rule says: its messages, one a line; "!text": it fails, and the problem holds the text. */
struct gate_case {
    const char *gate, *trigger, *params, *want;
};
void run_cases(const struct policy_subject *s, const struct gate_case *cases, size_t n);
#define RUN(subject, cases) run_cases(subject, cases, sizeof(cases) / sizeof *(cases))

#endif
