/* registry.h - packages of a language compared with what its registry has: npms.c, ruby_gems.c. */
#ifndef KELLET_POLICY_GATES_REGISTRY_H
#define KELLET_POLICY_GATES_REGISTRY_H

#include "policy/gates/gates.h"

struct language_registry {
    const char *type;    /* of packages, and the feed's name: "npm" */
    const char *label;   /* "NPM", "Gem" */
    const char *newer;   /* before "Package": "NPMNOTLATEST " */
    const char *bad;     /* "NPMBADVERSION" */
    const char *unknown; /* "NPMNOTOFFICIAL" */
    const char *name;    /* of the registry: "NPM" */
    const struct policy_upstream *(*upstream)(const struct policy_subject *s);
};

/* Without the feed all of them but registry_no_data() and registry_denied() say nothing. */
int registry_newer(struct firing *f, const struct language_registry *r, struct err *e);
int registry_unknown(struct firing *f, const struct language_registry *r, struct err *e);
int registry_bad_version(struct firing *f, const struct language_registry *r, struct err *e);
int registry_denied(struct firing *f, const struct language_registry *r);
int registry_no_data(struct firing *f, const struct language_registry *r);

enum { REGISTRY_NAME, REGISTRY_VERSION };
extern const struct gate_param registry_denied_params[];

#endif
