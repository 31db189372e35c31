#include "policy/gates/registry.h"

/* What the registry knows of package i; *n = 0: nothing. */
static int look_up(struct firing *f, const struct language_registry *r, str name,
                   const str **versions, size_t *n, struct err *e)
{
    const struct policy_upstream *u = r->upstream(gate_subject(f));
    *n = 0;
    int rc = u->lookup(u->ctx, name, versions, n, e);
    if (rc == 0)
        *n = 0;
    return rc < 0 ? rc : 0;
}

static const struct policy_package *next_package(struct firing *f, const char *type, size_t *i)
{
    const struct policy_image *image = gate_subject(f)->image;
    while (*i < image->n_packages) {
        const struct policy_package *p = &image->packages[(*i)++];
        if (str_eq_nocase(p->type, str_z(type)))
            return p;
    }
    return NULL;
}

static bool listed(const str *versions, size_t n, str version)
{
    for (size_t i = 1; i < n; i++)
        if (str_eq(versions[i], version))
            return true;
    return false;
}

int registry_newer(struct firing *f, const struct language_registry *r, struct err *e)
{
    const struct policy_package *p;
    const str *versions;
    if (!r->upstream(gate_subject(f)))
        return 0;
    for (size_t i = 0, n; (p = next_package(f, r->type, &i));) {
        int rc = look_up(f, r, p->name, &versions, &n, e);
        if (rc < 0)
            return rc;
        gate_about(f, NULL, p, p->location);
        if (n && !str_eq(versions[0], p->full_version))
            gate_fire(f, GATE_NO_ID,
                      "%sPackage (%.*s) version (%.*s) installed but is not the latest version "
                      "(%.*s)",
                      r->newer, GATE_ARG(p->name), GATE_ARG(p->full_version),
                      GATE_ARG(versions[0]));
    }
    return 0;
}

int registry_unknown(struct firing *f, const struct language_registry *r, struct err *e)
{
    const struct policy_package *p;
    const str *versions;
    bool any_known = false;
    if (!r->upstream(gate_subject(f)))
        return 0;
    for (size_t i = 0, n; !any_known && (p = next_package(f, r->type, &i));) {
        int rc = look_up(f, r, p->name, &versions, &n, e);
        if (rc < 0)
            return rc;
        any_known = n > 0;
    }
    for (size_t i = 0, n; any_known && (p = next_package(f, r->type, &i));) {
        int rc = look_up(f, r, p->name, &versions, &n, e);
        if (rc < 0)
            return rc;
        gate_about(f, NULL, p, p->location);
        if (!n)
            gate_fire(f, GATE_NO_ID, "%s Package (%.*s) in container but not in official %s feed.",
                      r->unknown, GATE_ARG(p->name), r->name);
    }
    return 0;
}

int registry_bad_version(struct firing *f, const struct language_registry *r, struct err *e)
{
    const struct policy_package *p;
    const str *versions;
    if (!r->upstream(gate_subject(f)))
        return 0;
    for (size_t i = 0, n; (p = next_package(f, r->type, &i));) {
        int rc = look_up(f, r, p->name, &versions, &n, e);
        if (rc < 0)
            return rc;
        gate_about(f, NULL, p, p->location);
        if (!n || listed(versions, n, p->full_version))
            continue;
        str list = gate_list_repr(gate_arena(f), versions + 1, n - 1);
        if (!list.p)
            return err_no_memory(e);
        gate_fire(f, GATE_NO_ID,
                  "%s Package (%.*s) version (%.*s) installed but version is not in the official "
                  "feed for this package (%.*s)",
                  r->bad, GATE_ARG(p->name), GATE_ARG(p->full_version), GATE_ARG(list));
    }
    return 0;
}

int registry_denied(struct firing *f, const struct language_registry *r)
{
    const struct rule_value *v = gate_params(f)->values;
    const struct policy_package *p;
    str name = v[REGISTRY_NAME].text, version = v[REGISTRY_VERSION].text;
    for (size_t i = 0; (p = next_package(f, r->type, &i));) {
        if (!str_eq(p->name, name) || (version.n && !str_eq(p->full_version, version)))
            continue;
        gate_about(f, NULL, p, p->location);
        gate_fire(f, GATE_NO_ID, "%s Package is blacklisted: %.*s%s%.*s", r->label, GATE_ARG(name),
                  version.n ? "-" : "", GATE_ARG(version));
    }
    return 0;
}

int registry_no_data(struct firing *f, const struct language_registry *r)
{
    if (!r->upstream(gate_subject(f)))
        gate_fire(f, GATE_NO_ID,
                  "%s packages are present but the anchore %s feed is not available - will be "
                  "unable to perform checks that require feed data",
                  r->label, r->type);
    return 0;
}

const struct gate_param registry_denied_params[] = {
    {.name = "name",
     .type = PARAM_STRING,
     .required = true,
     .example = "time_diff",
     .description = "Name of the package."},
    {.name = "version",
     .type = PARAM_STRING,
     .example = "0.2.9",
     .description = "Version of the package."},
    {NULL},
};
