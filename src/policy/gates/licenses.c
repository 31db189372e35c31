#include "policy/gates/licences_own.h"

enum { LICENSES };
static const struct gate_param list_params[] = {
    {.name = "licenses",
     .type = PARAM_LIST,
     .required = true,
     .example = "GPLv2+,GPL-3+,BSD-2-clause",
     .description = "Licences, separated by commas."},
    {NULL},
};
static const struct gate_param part_params[] = {
    {.name = "licenses",
     .type = PARAM_LIST,
     .required = true,
     .example = "LGPL,BSD",
     .description = "Licences, separated by commas."},
    {NULL},
};

static void add_licence(struct buf *b, size_t head, str package, str licence)
{
    buf_addf(b, "%s%.*s(%.*s)", b->n > head ? ", " : "", GATE_ARG(package), GATE_ARG(licence));
}

static bool part_of(str wanted, str licence)
{
    return str_contains(licence, wanted);
}

/* One row that names every package and licence: a licence that is listed twice is named twice where
 * parts are compared, as the original does. */
static int list_licences(struct firing *f, const char *label, bool (*same)(str, str), bool once,
                         struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    const struct rule_value *wanted = &gate_params(f)->values[LICENSES];
    auto_buf b;
    buf_init(&b, GATE_MESSAGE_MAX);
    buf_addf(&b, "%s Packages are installed that have blacklisted licenses: ", label);
    size_t head = b.n;
    for (size_t i = 0; i < image->n_packages; i++) {
        str rest = image->packages[i].licence;
        for (size_t at = 0; at < rest.n;) {
            size_t end = at;
            while (end < rest.n && !ke_isspace(rest.p[end]))
                end++;
            str licence = str_sub(rest, at, end);
            at = end + 1;
            bool more = licence.n > 0;
            for (size_t k = 0; more && k < wanted->n; k++)
                if (same(wanted->list[k], licence)) {
                    add_licence(&b, head, image->packages[i].name, licence);
                    more = !once;
                }
        }
    }
    return b.n > head || !buf_ok(&b) ? gate_fire_buf(f, GATE_NO_ID, &b, e) : 0;
}

static int exact_match(struct firing *f, void *state, struct err *e)
{
    return list_licences(f, "LICFULLMATCH", str_eq, true, e);
}

static int partial_match(struct firing *f, void *state, struct err *e)
{
    return list_licences(f, "LICSUBMATCH", part_of, false, e);
}

static const struct gate_trigger triggers[] = {
    {.name = "blacklist_exact_match",
     .description = "Fires for packages with one of these licences, by the whole name.",
     .params = list_params,
     .needs = PART_PACKAGES,
     .fire = exact_match},
    {.name = "blacklist_partial_match",
     .description = "Fires for packages whose licence contains one of these texts.",
     .params = part_params,
     .needs = PART_PACKAGES,
     .fire = partial_match},
    {.name = "allowed_expressions",
     .description = "Fires for packages whose licences, as SPDX expressions, cannot be fulfilled "
                    "with those of the list.",
     .params = licence_allow_params,
     .needs = PART_PACKAGES,
     .flags = TRIGGER_OWN,
     .fire = licence_not_allowed},
    {.name = "denied_expressions",
     .description = "Fires for packages whose licences, as SPDX expressions, cannot be fulfilled "
                    "without those of the list.",
     .params = licence_deny_params,
     .needs = PART_PACKAGES,
     .flags = TRIGGER_OWN,
     .fire = licence_denied},
    {.name = "missing",
     .description = "Fires for packages of which no licence is known.",
     .params = licence_missing_params,
     .needs = PART_PACKAGES,
     .flags = TRIGGER_OWN,
     .fire = licence_missing},
    {NULL},
};

const struct gate gate_licenses = {
    .name = "licenses",
    .description = "Looks at the licences of packages.",
    .triggers = triggers,
};
