#include "policy/gates/gates.h"

enum { UNREAD_EXCEPT };
static const struct gate_param unread_params[] = {
    {.name = "path_exclude",
     .type = PARAM_STRING,
     .example = "/usr/share/.*",
     .description = "Leave out files whose paths match this expression."},
    {NULL},
};
enum { EXCEPT_NAMES };
static const struct gate_param except_params[] = {
    {.name = "except",
     .type = PARAM_LIST,
     .example = "conan,CRAN",
     .description = "Leave out these, separated by commas."},
    {NULL},
};

static const struct gate_param uncovered_params[] = {
    {.name = "except",
     .type = PARAM_LIST,
     .example = "alpine:3.18,CRAN",
     .description = "Leave out these, separated by commas."},
    {NULL},
};

static int unread_prepare(const struct rule_params *p, struct arena *a, void **state, struct err *e)
{
    *state = NULL;
    return p->values[UNREAD_EXCEPT].set ? gate_regex_prepare(p, UNREAD_EXCEPT, state, e) : 0;
}

static int unread(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    for (size_t i = 0; i < image->n_gaps; i++) {
        const struct policy_gap *g = &image->gaps[i];
        int rc = state && g->path.n ? gate_match(f, state, g->path, e) : 0;
        if (rc < 0)
            return rc;
        gate_about(f, NULL, NULL, g->path);
        if (!rc)
            gate_fire(f, GATE_NO_ID, "The analysis could not read all: %.*s%s%.*s%s%.*s",
                      GATE_ARG(g->what), g->path.n ? ": " : "", GATE_ARG(g->path),
                      g->detail.n ? ": " : "", GATE_ARG(g->detail));
    }
    return 0;
}

static bool excepted(struct firing *f, str name)
{
    const struct rule_value *v = &gate_params(f)->values[EXCEPT_NAMES];
    for (size_t i = 0; i < v->n; i++)
        if (str_eq_nocase(v->list[i], name))
            return true;
    return false;
}

static int unsupported(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    for (size_t i = 0; i < image->n_unsupported; i++)
        if (!excepted(f, image->unsupported[i]))
            gate_fire(f, GATE_NO_ID, "The image has packages of %.*s, which nothing reads",
                      GATE_ARG(image->unsupported[i]));
    return 0;
}

static int uncovered(struct firing *f, void *state, struct err *e)
{
    const struct policy_findings *found = gate_subject(f)->findings;
    for (size_t i = 0; i < found->n_uncovered; i++) {
        str name = found->uncovered[i]; /* or "deb packages of an unknown distribution" */
        if (!excepted(f, name))
            gate_fire(f, GATE_NO_ID,
                      "The image has %s%.*s, for which there are no vulnerability data",
                      str_contains(name, STR(" packages o")) ? "" : "packages of ", GATE_ARG(name));
    }
    return 0;
}

static int no_packages(struct firing *f, void *state, struct err *e)
{
    if (!gate_subject(f)->image->n_packages)
        gate_fire(f, GATE_NO_ID, "The analysis found no packages in the image");
    return 0;
}

static const struct gate_trigger triggers[] = {
    {.name = "unread",
     .description = "Fires for whatever the analysis met and could not read.",
     .params = unread_params,
     .needs = PART_PROBLEMS,
     .flags = TRIGGER_OWN,
     .prepare = unread_prepare,
     .release = gate_regex_release,
     .fire = unread},
    {.name = "unsupported_ecosystem",
     .description = "Fires for ecosystems whose packages are there and that nothing reads.",
     .params = except_params,
     .needs = PART_PROBLEMS,
     .flags = TRIGGER_OWN,
     .fire = unsupported},
    {.name = "uncovered_data",
     .description = "Fires for distributions and ecosystems that have packages in the image and "
                    "no vulnerability data, by the names of the report (alpine:3.18, npm).",
     .params = uncovered_params,
     .needs = PART_FINDINGS,
     .flags = TRIGGER_OWN,
     .fire = uncovered},
    {.name = "no_packages",
     .description = "Fires when the analysis found no package at all.",
     .needs = PART_PACKAGES,
     .flags = TRIGGER_OWN,
     .fire = no_packages},
    {NULL},
};

const struct gate gate_completeness = {
    .name = "completeness",
    .description = "Looks at what was not seen: that nothing was found there says nothing.",
    .own = true,
    .triggers = triggers,
};
