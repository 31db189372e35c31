#include "policy/end_of_life.h"
#include "policy/gates/gates.h"
#include "version/version.h"

static const char *const orders[] = {"=", "!=", "<", ">", "<=", ">=", NULL};

enum { DENY_DISTRO, DENY_VERSION, DENY_CHECK };
static const struct gate_param deny_params[] = {
    {.name = "distro",
     .type = PARAM_LIST,
     .required = true,
     .example = "debian",
     .description = "Names of distributions as os-release has them, separated by commas; * stands "
                    "for any characters."},
    {.name = "version",
     .type = PARAM_STRING,
     .example = "11",
     .description = "The version to compare with; any when absent."},
    {.name = "check",
     .type = PARAM_ENUM,
     .choices = orders,
     .example = "<",
     .description = "How to compare the version, number by number; = when absent."},
    {NULL},
};
enum { ALLOW_DISTROS };
static const struct gate_param allow_params[] = {
    {.name = "distros",
     .type = PARAM_LIST,
     .required = true,
     .example = "debian:12,alpine:3.2*",
     .description = "Distributions, each with its version after a colon or without, separated by "
                    "commas; * stands for any characters."},
    {NULL},
};
enum { EOL_DAYS, EOL_UNKNOWN };
static const struct gate_param eol_params[] = {
    {.name = "days_before",
     .type = PARAM_INT,
     .example = "90",
     .description = "Fire so many days before the end already."},
    {.name = "unknown",
     .type = PARAM_BOOL,
     .example = "true",
     .description = "Fire also when it is not known how long the release is supported."},
    {NULL},
};

static bool listed(const struct rule_value *list, str x)
{
    for (size_t i = 0; i < list->n; i++)
        if (gate_glob(list->list[i], x, true))
            return true;
    return false;
}

static bool in_order(int check, int order)
{
    switch (check) {
    case 1:
        return order != 0;
    case 2:
        return order < 0;
    case 3:
        return order > 0;
    case 4:
        return order <= 0;
    case 5:
        return order >= 0;
    default:
        return order == 0;
    }
}

static int deny(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    const struct rule_value *v = gate_params(f)->values;
    str version = str_trim(v[DENY_VERSION].text);
    if (!image->distro.n || !listed(&v[DENY_DISTRO], image->distro))
        return 0;
    if (!version.n) {
        gate_fire(f, GATE_NO_ID, "The image's distribution %.*s is denied",
                  GATE_ARG(image->distro));
        return 0;
    }
    if (!image->distro_version.n)
        return err_set(e, ERR_NOT_FOUND, "the version of the image's distribution is not known");
    int check = v[DENY_CHECK].set ? v[DENY_CHECK].choice : 0;
    int order = version_scheme(STR("rpmvercmp"))->compare(image->distro_version, version);
    if (in_order(check, order))
        gate_fire(f, GATE_NO_ID, "The image's distribution %.*s %.*s is denied: %s %.*s",
                  GATE_ARG(image->distro), GATE_ARG(image->distro_version), orders[check],
                  GATE_ARG(version));
    return 0;
}

static int not_allowed(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    const struct rule_value *list = &gate_params(f)->values[ALLOW_DISTROS];
    str full = arena_printf(gate_arena(f), "%.*s:%.*s", GATE_ARG(image->distro),
                            GATE_ARG(image->distro_version));
    if (!full.p)
        return err_no_memory(e);
    if (!image->distro.n)
        gate_fire(f, GATE_NO_ID,
                  "The image's distribution is not known, so none of the allowed "
                  "ones");
    else if (!listed(list, image->distro) && !listed(list, full))
        gate_fire(f, GATE_NO_ID, "The image's distribution %.*s is none of the allowed ones",
                  GATE_ARG(full));
    return 0;
}

static int eol_known(struct firing *f, int64_t end, struct err *e)
{
    const struct policy_subject *s = gate_subject(f);
    const struct rule_value *v = gate_params(f)->values;
    int64_t early, start;
    if (__builtin_mul_overflow(v[EOL_DAYS].set ? v[EOL_DAYS].number : 0, (int64_t)86400000000,
                               &early) ||
        __builtin_sub_overflow(end, early, &start))
        start = INT64_MIN;
    if (s->now_us < start) {
        gate_until(f, start);
        return 0;
    }
    str day = gate_date(gate_arena(f), end - 1);
    if (!day.p)
        return err_no_memory(e);
    gate_fire(f, GATE_NO_ID, "The image's distribution %.*s %.*s has no support after %.*s",
              GATE_ARG(s->image->distro), GATE_ARG(s->image->distro_version), GATE_ARG(day));
    return 0;
}

static int eol(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    int64_t end;
    switch (end_of_life(image->distro, image->distro_version, &end)) {
    case SUPPORT_UNTIL:
        return eol_known(f, end, e);
    case SUPPORT_UNKNOWN:
        if (gate_params(f)->values[EOL_UNKNOWN].flag)
            gate_fire(f, GATE_NO_ID,
                      "Until when the image's distribution (%.*s %.*s) is supported is not known",
                      GATE_ARG(image->distro.n ? image->distro : STR("unknown")),
                      GATE_ARG(image->distro_version));
        return 0;
    case SUPPORT_ROLLING:
        return 0;
    }
    return 0;
}

static const struct gate_trigger triggers[] = {
    {.name = "deny",
     .description = "Fires for these distributions, in any version or in some.",
     .params = deny_params,
     .flags = TRIGGER_OWN,
     .fire = deny},
    {.name = "not_allowed",
     .description = "Fires for all distributions but these.",
     .params = allow_params,
     .flags = TRIGGER_OWN,
     .fire = not_allowed},
    {.name = "eol",
     .description = "Fires when the distribution no longer supports the release, or soon will not.",
     .params = eol_params,
     .flags = TRIGGER_OWN | TRIGGER_TIMED,
     .fire = eol},
    {NULL},
};

const struct gate gate_distro = {
    .name = "distro",
    .description = "Looks at the image's distribution.",
    .own = true,
    .triggers = triggers,
};
