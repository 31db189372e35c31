/* gate.h - gates and their triggers: the tables that the specification, validation, evaluation,
 * help and documents all come from.
 *
 * A gate is one file in gates/ with one const table at its end and one line in gates/all.c.
 * Messages are a contract: the id of most rows is the md5 of gate, trigger and message, and users'
 * allowlists hold these ids (spec: docs/policy.md). */
#ifndef KELLET_POLICY_GATE_H
#define KELLET_POLICY_GATE_H

#include "codec/json.h"
#include "codec/regex.h"
#include "policy/facts.h"

enum param_type {
    PARAM_STRING,
    PARAM_BOOL, /* "true", "false" */
    PARAM_INT,  /* digits */
    PARAM_FLOAT,
    PARAM_ENUM,    /* one of `choices`, case counts */
    PARAM_LIST,    /* strings separated by "," */
    PARAM_NUMBERS, /* numbers separated by "," */
    PARAM_LINKED,  /* metadata.attribute's value: depends on the parameter "attribute" */
};

struct gate_param {
    const char *name, *alias; /* alias: an old name that is taken too; NULL none */
    enum param_type type;
    bool required;
    const char *const *choices; /* PARAM_ENUM, ended by NULL */
    const char *example;        /* NULL: none */
    const char *description;    /* one sentence, our own words */
    bool own;       /* not in the original: left out of its specification unless asked for */
    unsigned needs; /* PARAM_BOOL that is true: parts that are looked at beside the trigger's */
};

/* One rule of a policy, compiled: the values by the index of their parameter in the trigger's
 * table. */
struct rule_value {
    bool set;               /* given and not null */
    str text;               /* as written */
    bool flag;              /* PARAM_BOOL */
    int64_t number;         /* PARAM_INT */
    double real;            /* PARAM_FLOAT */
    int choice;             /* PARAM_ENUM: index in choices; -1 */
    const str *list;        /* PARAM_LIST: trimmed */
    const int64_t *numbers; /* PARAM_NUMBERS */
    size_t n;               /* of list or numbers */
};
enum { RULE_PARAMS_MAX = 32 };
struct rule_params {
    const struct rule_value *values; /* as many as the trigger has parameters */
    str rule_id;                     /* "None" when the rule has none */
};

/* Being evaluated. */
struct firing;
/* Adds a row. id: p NULL for the md5 of gate, trigger and message. Rows beyond the verdict's
 * maximum make the rule fail. */
void gate_fire(struct firing *f, str id, const char *fmt, ...) KE_PRINTF(3, 4);
void gate_fire_str(struct firing *f, str id, str message);
const struct policy_subject *gate_subject(const struct firing *f);
const struct rule_params *gate_params(const struct firing *f);
/* regex_match(), within the time that the evaluation may take: ERR_LIMIT too when that is over. */
int gate_match(struct firing *f, const struct regex *r, str subject, struct err *e);
struct arena *gate_arena(struct firing *f); /* scratch: lives as long as the verdict */
/* What the next rows are about, so that allowlist items that name a vulnerability, package,
 * version, purl or path can be compared: each may be NULL (path: p NULL). Holds until the next call
 * or the end of the rule. */
void gate_about(struct firing *f, const struct policy_finding *finding,
                const struct policy_package *package, str path);
/* The verdict is good until this time (microseconds): for triggers that depend on the clock. Each
 * trigger that compares with now_us must tell the earliest moment after now at which it would say
 * otherwise. */
void gate_until(struct firing *f, int64_t us);

enum trigger_flags {
    TRIGGER_OWN = 1,   /* not in the original: left out of its specification unless asked for */
    TRIGGER_TIMED = 2, /* depends on the clock (gate_until) */
    TRIGGER_ONCE = 4   /* of rows with one id one is kept, an allowed one only when all are */
};
struct gate_trigger {
    const char *name, *description;
    const struct gate_param
        *params;    /* ended by name NULL; NULL: none. In the specification's order */
    unsigned needs; /* mask of enum policy_part */
    unsigned flags;
    /* MAY: compiles what is costly (regular expressions), once for each rule of a bundle. *state is
     * given to fire and ended by release. An error makes the rule fail at every evaluation; `lint`
     * shows it. */
    int (*prepare)(const struct rule_params *p, struct arena *a, void **state, struct err *e);
    void (*release)(void *state);
    /* MUST: adds rows. A negative code: the rule failed (it becomes a problem entry, never the end
     * of the evaluation). Runs on many threads with one state. */
    int (*fire)(struct firing *f, void *state, struct err *e);
};

enum gate_state { GATE_ACTIVE, GATE_DEPRECATED, GATE_EOL };
struct gate {
    const char *name, *description;
    enum gate_state state;
    const char *superceded_by;           /* NULL: none (the original's spelling) */
    bool own;                            /* not in the original */
    const struct gate_trigger *triggers; /* ended by name NULL */
};

/* In the order of registration, which messages list; ended by NULL. Own gates come last. */
extern const struct gate *const all_gates[];
const struct gate *gate_find(str name); /* any case; NULL */
/* Any case; "allowlist" and "denylist" in a name stand for "whitelist" and "blacklist". NULL. */
const struct gate_trigger *trigger_find(const struct gate *g, str name);
/* Is it the same name, in the old spelling (`known`) or in the new one? */
bool gate_name_eq(str known, str given);

/* ---- helpers that gates share (gate_help.c) -----------------------------------------------------
 */
/* Python's repr of a list of strings: ['a', 'b']. */
str gate_list_repr(struct arena *a, const str *list, size_t n);
/* Python's repr of a float: 9.8, 7.0, -1.0. */
str gate_real(struct arena *a, double v);
/* "2020-01-31" of microseconds. */
str gate_date(struct arena *a, int64_t us);
/* prepare/release for triggers with one expression: parameter `index`, anchored as Python's
 * match(). */
int gate_regex_prepare(const struct rule_params *p, size_t index, void **state, struct err *e);
void gate_regex_release(void *state);

/* The gates as GET /system/policy_spec gives them, appended to the array; `own`: with our own gates
 * and triggers. */
int gate_spec_write(yyjson_mut_doc *d, yyjson_mut_val *out, bool own, struct err *e);
/* docs/policy-gates.md: all of them in words. */
void gate_spec_markdown(struct buf *out);

#endif
