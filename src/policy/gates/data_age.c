#include "policy/gates/gates.h"

static const int64_t day_us = 86400000000;

static const struct gate_param age_params[] = {
    {.name = "max_days",
     .type = PARAM_INT,
     .required = true,
     .example = "3",
     .description = "Fire when the data are older than this."},
    {NULL},
};

/* Fires when `since` is longer ago than the rule allows; 0: never. */
static int older(struct firing *f, int64_t since, const char *what)
{
    int64_t days = gate_params(f)->values[0].number, now = gate_subject(f)->now_us;
    if (!since) {
        gate_fire(f, GATE_NO_ID, "There are no %s", what);
        return 0;
    }
    int64_t limit;
    if (__builtin_mul_overflow(days, day_us, &limit) ||
        __builtin_add_overflow(limit, since, &limit))
        return 0;
    if (now > limit)
        gate_fire(f, GATE_NO_ID, "The %s are older than %lld days", what, (long long)days);
    else
        gate_until(f, limit + 1);
    return 0;
}

static int database(struct firing *f, void *state, struct err *e)
{
    return older(f, gate_subject(f)->feeds->built_us, "vulnerability data");
}

static int distribution(struct firing *f, void *state, struct err *e)
{
    return older(f, gate_subject(f)->feeds->synced_us,
                 "vulnerability data of the image's distribution");
}

static const struct gate_trigger triggers[] = {
    {.name = "database",
     .description = "Fires when the vulnerability database was made too long ago.",
     .params = age_params,
     .needs = PART_FEEDS,
     .flags = TRIGGER_OWN | TRIGGER_TIMED,
     .fire = database},
    {.name = "distribution",
     .description = "Fires when the data of the image's distribution were synchronised too long "
                    "ago, or never.",
     .params = age_params,
     .needs = PART_FEEDS,
     .flags = TRIGGER_OWN | TRIGGER_TIMED,
     .fire = distribution},
    {NULL},
};

const struct gate gate_data_age = {
    .name = "data_age",
    .description = "Looks at the age of the data that the verdict rests on.",
    .own = true,
    .triggers = triggers,
};
