#include "feeds/anchore.h"
#include "policy/gates/packages.h"

enum { RANGES_MAX = 64 };

enum { MATCH_NAME, MATCH_VERSIONS, MATCH_PURL, MATCH_TYPE, MATCH_PATH };
const struct gate_param package_match_params[] = {
    {.name = "name",
     .type = PARAM_STRING,
     .example = "log4j-*",
     .description = "Name of the package; * stands for any characters."},
    {.name = "versions",
     .type = PARAM_STRING,
     .example = ">=2.0,<2.17.1 || =2.18.0",
     .description = "Ranges of versions, compared as packages of its type are."},
    {.name = "purl",
     .type = PARAM_STRING,
     .example = "pkg:maven/org.apache.logging.log4j/*",
     .description = "Package URL of the package; * stands for any characters."},
    {.name = "package_type",
     .type = PARAM_STRING,
     .example = "java",
     .description = "Type of the package."},
    {.name = "path",
     .type = PARAM_STRING,
     .example = "/opt/*",
     .description = "Where the package was found; * stands for any characters."},
    {NULL},
};

int package_match_prepare(const struct rule_params *p, struct arena *a, void **state, struct err *e)
{
    struct version_range ranges[RANGES_MAX];
    const struct rule_value *v = p->values;
    *state = NULL;
    if (!v[MATCH_NAME].set && !v[MATCH_PURL].set && !v[MATCH_TYPE].set && !v[MATCH_PATH].set)
        return err_set(e, ERR_USAGE,
                       "one of the parameters name, purl, package_type and path is needed");
    if (v[MATCH_VERSIONS].set && anchore_ranges(v[MATCH_VERSIONS].text, ranges, RANGES_MAX) < 1)
        return err_set(e, ERR_USAGE, "\"%.*s\" is no range of versions",
                       STR_ARG(v[MATCH_VERSIONS].text));
    return 0;
}

/* 1: inside; 0: outside; or a negative code. */
static int in_range(const struct policy_package *p, const struct version_range *r, struct err *e)
{
    int order, rc;
    if (r->lo.n) {
        if ((rc = package_version_compare(p, r->lo, &order, e)) < 0)
            return rc;
        if (order < 0 || (order == 0 && r->lo_excluded))
            return 0;
    }
    if (r->hi.n) {
        if ((rc = package_version_compare(p, r->hi, &order, e)) < 0)
            return rc;
        if (order > 0 || (order == 0 && !r->hi_included))
            return 0;
    }
    return 1;
}

static int in_ranges(const struct policy_package *p, str text, struct err *e)
{
    struct version_range ranges[RANGES_MAX];
    int n = anchore_ranges(text, ranges, RANGES_MAX), rc = 0;
    for (int i = 0; i < n && !rc; i++)
        rc = in_range(p, &ranges[i], e);
    return rc;
}

static bool meets(const struct rule_value *v, str x)
{
    return !v->set || gate_glob(v->text, x, false);
}

/* With and without its qualifiers. */
static bool meets_purl(const struct rule_value *v, str purl)
{
    ptrdiff_t cut = str_index(purl, '?');
    return meets(v, purl) || (cut >= 0 && meets(v, str_sub(purl, 0, (size_t)cut)));
}

int package_match(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    const struct rule_value *v = gate_params(f)->values;
    int failed = 0; /* a version that has no order: the others are judged all the same */
    for (size_t i = 0; i < image->n_packages; i++) {
        const struct policy_package *p = &image->packages[i];
        if (!meets(&v[MATCH_NAME], p->name) || !meets_purl(&v[MATCH_PURL], p->purl) ||
            !meets(&v[MATCH_PATH], p->location) ||
            (v[MATCH_TYPE].set && !str_eq_nocase(v[MATCH_TYPE].text, p->type)))
            continue;
        struct err why = {0};
        int rc = v[MATCH_VERSIONS].set ? in_ranges(p, v[MATCH_VERSIONS].text, &why) : 1;
        if (rc < 0 && !failed) {
            failed = rc;
            *e = why;
        }
        gate_about(f, NULL, p, p->location);
        if (rc > 0)
            gate_fire(f, GATE_NO_ID, "Package %.*s %.*s (%.*s) at %.*s is one that the rule names",
                      GATE_ARG(p->name), GATE_ARG(p->full_version), GATE_ARG(p->type),
                      GATE_ARG(p->location));
    }
    return failed;
}
