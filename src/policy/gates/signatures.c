#include "policy/gates/gates.h"

static const struct gate_param unsigned_params[] = {
    {.name = "identities",
     .type = PARAM_LIST,
     .example = "https://ci.example.org/*",
     .description = "Signers of whom one is enough, separated by commas; * stands for any "
                    "characters. Any when absent."},
    {NULL},
};

/* "unsigned" is a word of C. */
static int not_signed(struct firing *f, void *state, struct err *e)
{
    const struct policy_signatures *s = gate_subject(f)->signatures;
    const struct rule_value *wanted = &gate_params(f)->values[0];
    if (!s)
        return err_set(e, ERR_UNSUPPORTED, "nobody verified the image's signatures");
    bool found = false;
    for (size_t i = 0; i < s->n && !found; i++) {
        found = !wanted->set;
        for (size_t k = 0; k < wanted->n && !found; k++)
            found = gate_glob(wanted->list[k], s->items[i].identity, false);
    }
    if (!found && !s->n)
        gate_fire(f, GATE_NO_ID, "The image has no verified signature");
    else if (!found)
        gate_fire(f, GATE_NO_ID, "The image is signed by none of: %.*s", GATE_ARG(wanted->text));
    return 0;
}

static const struct gate_trigger triggers[] = {
    {.name = "unsigned",
     .description = "Fires when no signature of the image was verified, or none of these signers. "
                    "The rule fails where nobody verifies signatures.",
     .params = unsigned_params,
     .flags = TRIGGER_OWN,
     .fire = not_signed},
    {NULL},
};

const struct gate gate_signatures = {
    .name = "signatures",
    .description = "Looks at the image's signatures.",
    .own = true,
    .triggers = triggers,
};
