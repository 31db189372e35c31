#include "policy/gates/gates.h"

static int always(struct firing *f, void *state, struct err *e)
{
    gate_fire(f, STR("always"), "Unconditional trigger match");
    return 0;
}

static const struct gate_trigger triggers[] = {
    {
        .name = "always",
        .description = "Fires in every evaluation: to try rules out, or to refuse all images of a "
                       "mapping.",
        .fire = always,
    },
    {NULL},
};

const struct gate gate_always = {
    .name = "always",
    .description = "Fires whenever it is asked.",
    .triggers = triggers,
};
