/* gates.h - the gates, one a file, and what their files share (shared.c). */
#ifndef KELLET_POLICY_GATES_GATES_H
#define KELLET_POLICY_GATES_GATES_H

#include "base/buf.h"
#include "policy/gate.h"

extern const struct gate gate_always, gate_dockerfile, gate_files, gate_ruby_gems, gate_metadata,
    gate_licenses, gate_malware, gate_npms, gate_packages, gate_passwd_file, gate_retrieved_files,
    gate_secret_scans, gate_vulnerabilities;
/* our own */
extern const struct gate gate_ancestry, gate_completeness, gate_data_age, gate_distro,
    gate_signatures, gate_tag_drift;
/* ended ones (ended.c) */
extern const struct gate gate_suiddiff, gate_imagecheck, gate_pkgdiff, gate_anchoresec,
    gate_pkgcheck, gate_dockerfilecheck, gate_filecheck, gate_fileparse_passwd, gate_gemcheck,
    gate_metadatacheck, gate_licblacklist, gate_npmcheck, gate_pkgblacklist, gate_secretcheck;

/* "%.*s" of a slice, whole: messages are a contract and STR_ARG() cuts. */
#define GATE_ARG(s) (int)((s).n > (1 << 30) ? (1 << 30) : (s).n), ((s).p ? (s).p : "")
#define GATE_NO_ID  ((str){0})

enum { GATE_MESSAGE_MAX = 64 << 20 };
/* Fires with the buffer's text; ERR_LIMIT when it did not hold it. */
int gate_fire_buf(struct firing *f, str id, const struct buf *b, struct err *e);

/* Words of parameters, ended by NULL. */
extern const char *const gate_list_kinds[]; /* LIST_ALLOWED, LIST_DENIED */
enum { LIST_ALLOWED, LIST_DENIED };
extern const char *const gate_equality[]; /* "equals", "not_equals" */

bool gate_text_listed(const struct rule_value *list, str x);
bool gate_number_listed(const struct rule_value *list, int64_t x);
/* "*" stands for any characters, all others for themselves. */
bool gate_glob(str pattern, str s, bool any_case);
/* Splits at commas and trims, as lists of parameters are; how many, or ERR_NO_MEMORY. */
int gate_split_list(struct arena *a, str text, const str **out, struct err *e);

/* Comparisons that gates have in common. */
enum gate_check {
    CHECK_EQ,
    CHECK_NE,
    CHECK_GT,
    CHECK_LT,
    CHECK_GE,
    CHECK_LE,
    CHECK_EXISTS,
    CHECK_NOT_EXISTS,
    CHECK_LIKE,
    CHECK_NOT_LIKE,
    CHECK_IN,
    CHECK_NOT_IN,
};
extern const char *const gate_checks[]; /* all of them, in this order */
/* Compares x with a rule's value; like and not_like by the expression. exists holds, not_exists
 * does not; the others need a value. 1, 0 or a negative code. */
int gate_check_text(enum gate_check check, str x, str value, const struct regex *like,
                    struct err *e);
/* prepare for triggers with such a comparison: *state is the expression, or NULL when the check is
 * another. `check` and `value`: indexes of parameters. */
int gate_check_prepare(enum gate_check check, const struct rule_value *value, void **state,
                       struct err *e);

/* A file that was kept, or any file, by its path; NULL: there is none. */
const struct policy_retrieved *gate_retrieved(const struct policy_image *image, str path);
const struct policy_file *gate_file(const struct policy_image *image, str path);

#endif
