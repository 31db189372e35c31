#include "policy/gates/licences_own.h"

#include "policy/spdx.h"

enum { EXPRESSION_LICENCES };
const struct gate_param licence_allow_params[] = {
    {.name = "licenses",
     .type = PARAM_LIST,
     .required = true,
     .example = "MIT,Apache-2.0,BSD-*",
     .description = "SPDX identifiers, separated by commas; * stands for any characters."},
    {NULL},
};
const struct gate_param licence_deny_params[] = {
    {.name = "licenses",
     .type = PARAM_LIST,
     .required = true,
     .example = "AGPL-*,GPL-3.0-or-later",
     .description = "SPDX identifiers, separated by commas; * stands for any characters."},
    {NULL},
};
enum { MISSING_TYPES };
const struct gate_param licence_missing_params[] = {
    {.name = "package_types",
     .type = PARAM_LIST,
     .example = "npm,python",
     .description = "Look only at packages of these types, separated by commas."},
    {NULL},
};

static bool names_licence(str entry, const struct spdx *x)
{
    ptrdiff_t with = str_find(entry, STR(" WITH "));
    if (with >= 0)
        return spdx_same_licence(str_trim(str_sub(entry, 0, (size_t)with)), x->licence) &&
               str_eq_nocase(str_trim(str_from(entry, (size_t)with + 6)), x->exception);
    char name[SPDX_NAME_MAX];
    if (!str_contains(entry, STR("*")))
        return spdx_same_licence(entry, x->licence);
    return gate_glob(entry, x->licence, true) ||
           gate_glob(entry, spdx_present_name(x->licence, name), true);
}

static bool listed(void *ctx, const struct spdx *x)
{
    const struct rule_value *list = ctx;
    for (size_t i = 0; i < list->n; i++)
        if (names_licence(list->list[i], x))
            return true;
    return false;
}

static bool not_listed(void *ctx, const struct spdx *x)
{
    return !listed(ctx, x);
}

/* Fires for each package whose licences cannot be fulfilled with those that `may` accepts. */
static int unfulfilled(struct firing *f, bool (*may)(void *, const struct spdx *),
                       const char *words, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    struct rule_value list = gate_params(f)->values[EXPRESSION_LICENCES];
    for (size_t i = 0; i < image->n_packages; i++) {
        const struct policy_package *p = &image->packages[i];
        const struct spdx *x;
        str licence = p->expression.n ? p->expression : p->licence;
        int rc = spdx_stated(licence, gate_arena(f), &x, e);
        if (rc < 0)
            return rc;
        gate_about(f, NULL, p, p->location);
        if (x && !spdx_fulfilled(x, may, &list))
            gate_fire(f, GATE_NO_ID, "Package %.*s (%.*s) has a licence that is %s: %.*s",
                      GATE_ARG(p->name), GATE_ARG(p->type), words, GATE_ARG(str_trim(licence)));
    }
    return 0;
}

int licence_not_allowed(struct firing *f, void *state, struct err *e)
{
    return unfulfilled(f, listed, "not allowed", e);
}

int licence_denied(struct firing *f, void *state, struct err *e)
{
    return unfulfilled(f, not_listed, "denied", e);
}

int licence_missing(struct firing *f, void *state, struct err *e)
{
    static const str unknown[] = {STR_INIT("Unknown"), STR_INIT("NONE"), STR_INIT("NOASSERTION"),
                                  STR_INIT("N/A")};
    const struct policy_image *image = gate_subject(f)->image;
    const struct rule_value *types = &gate_params(f)->values[MISSING_TYPES];
    for (size_t i = 0; i < image->n_packages; i++) {
        const struct policy_package *p = &image->packages[i];
        str licence = str_trim(p->licence);
        bool missing = !licence.n, wanted = !types->set;
        for (size_t k = 0; k < KE_ARRAY_LEN(unknown); k++)
            missing = missing || str_eq_nocase(licence, unknown[k]);
        for (size_t k = 0; types->set && k < types->n; k++)
            wanted = wanted || str_eq_nocase(types->list[k], p->type);
        gate_about(f, NULL, p, p->location);
        if (missing && wanted)
            gate_fire(f, GATE_NO_ID, "No licence is known of package %.*s (%.*s)",
                      GATE_ARG(p->name), GATE_ARG(p->type));
    }
    return 0;
}
