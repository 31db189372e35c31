#include "base/auto.h"
#include "policy/gates/gates.h"

static const struct gate_param base_digest_params[] = {
    {.name = "base_digest",
     .type = PARAM_LIST,
     .required = true,
     .example = "sha256:7c288032ecf3319045d9fa538c3b0cc868a320d01d03bce15b99c2c336319994",
     .description = "Digests of the images to build on, separated by commas."},
    {NULL},
};
static const struct gate_param base_tag_params[] = {
    {.name = "base_tag",
     .type = PARAM_LIST,
     .required = true,
     .example = "docker.io/library/debian:12*",
     .description = "Tags of the images to build on, separated by commas; * stands for any "
                    "characters."},
    {NULL},
};
static const struct gate_param ancestor_digest_params[] = {
    {.name = "ancestor_digest",
     .type = PARAM_LIST,
     .required = true,
     .example = "sha256:7c288032ecf3319045d9fa538c3b0cc868a320d01d03bce15b99c2c336319994",
     .description = "Digests of images not to build on, separated by commas."},
    {NULL},
};
static const struct gate_param ancestor_tag_params[] = {
    {.name = "ancestor_tag",
     .type = PARAM_LIST,
     .required = true,
     .example = "docker.io/library/debian:10*",
     .description = "Tags of images not to build on, separated by commas; * stands for any "
                    "characters."},
    {NULL},
};

static bool listed(const struct rule_value *list, str x, bool globs)
{
    for (size_t i = 0; i < list->n; i++)
        if (globs ? gate_glob(list->list[i], x, false) : str_eq(list->list[i], x))
            return true;
    return false;
}

/* "a:1, a:2"; the digest when it has none. */
static str tags_of(struct arena *a, const struct policy_ancestor *x)
{
    auto_buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < x->n_tags; i++)
        buf_addf(&b, "%s%.*s", i ? ", " : "", GATE_ARG(x->tags[i]));
    return arena_dup(a, b.n ? buf_view(&b) : x->digest);
}

/* The base image is the nearest ancestor; whether one is known at all counts too. */
static int allowed(struct firing *f, bool by_tag, struct err *e)
{
    const struct policy_lineage *l = gate_subject(f)->lineage;
    const struct rule_value *list = &gate_params(f)->values[0];
    if (!l->n_ancestors) {
        gate_fire(f, GATE_NO_ID,
                  "The image is built on no image that was analyzed, so its base "
                  "image is none of the allowed ones");
        return 0;
    }
    const struct policy_ancestor *base = &l->ancestors[0];
    bool fits = !by_tag && listed(list, base->digest, false);
    for (size_t i = 0; by_tag && i < base->n_tags; i++)
        fits = fits || listed(list, base->tags[i], true);
    str name = by_tag ? tags_of(gate_arena(f), base) : base->digest;
    if (!name.p)
        return err_no_memory(e);
    if (!fits)
        gate_fire(f, GATE_NO_ID, "The base image %.*s is none of the allowed ones", GATE_ARG(name));
    return 0;
}

static int denied(struct firing *f, bool by_tag)
{
    const struct policy_lineage *l = gate_subject(f)->lineage;
    const struct rule_value *list = &gate_params(f)->values[0];
    for (size_t i = 0; i < l->n_ancestors; i++) {
        const struct policy_ancestor *x = &l->ancestors[i];
        for (size_t k = 0; k < (by_tag ? x->n_tags : 1); k++) {
            str name = by_tag ? x->tags[k] : x->digest;
            if (listed(list, name, by_tag))
                gate_fire(f, GATE_NO_ID, "The image is built on %.*s, which is denied",
                          GATE_ARG(name));
        }
    }
    return 0;
}

static int base_digest(struct firing *f, void *state, struct err *e)
{
    return allowed(f, false, e);
}
static int base_tag(struct firing *f, void *state, struct err *e)
{
    return allowed(f, true, e);
}
static int ancestor_digest(struct firing *f, void *state, struct err *e)
{
    return denied(f, false);
}
static int ancestor_tag(struct firing *f, void *state, struct err *e)
{
    return denied(f, true);
}

static int none_analyzed(struct firing *f, void *state, struct err *e)
{
    if (!gate_subject(f)->lineage->n_ancestors)
        gate_fire(f, GATE_NO_ID, "The image is built on no image that was analyzed");
    return 0;
}

static const struct gate_trigger triggers[] = {
    {.name = "allowed_base_image_digest",
     .description = "Fires when the image is not built on one of these.",
     .params = base_digest_params,
     .needs = PART_HISTORY,
     .flags = TRIGGER_OWN,
     .fire = base_digest},
    {.name = "allowed_base_image_tag",
     .description =
         "Fires when the image is not built on one with such a tag, among all that it has or had.",
     .params = base_tag_params,
     .needs = PART_HISTORY,
     .flags = TRIGGER_OWN,
     .fire = base_tag},
    {.name = "denylist_ancestor_image_digest",
     .description = "Fires when the image is built, in any step, on one of these.",
     .params = ancestor_digest_params,
     .needs = PART_HISTORY,
     .flags = TRIGGER_OWN,
     .fire = ancestor_digest},
    {.name = "denylist_ancestor_image_tag",
     .description = "Fires when the image is built, in any step, on one with such a tag.",
     .params = ancestor_tag_params,
     .needs = PART_HISTORY,
     .flags = TRIGGER_OWN,
     .fire = ancestor_tag},
    {.name = "no_ancestors_analyzed",
     .description = "Fires when no image that this one is built on was analyzed.",
     .needs = PART_HISTORY,
     .flags = TRIGGER_OWN,
     .fire = none_analyzed},
    {NULL},
};

const struct gate gate_ancestry = {
    .name = "ancestry",
    .description = "Looks at the images that this one is built on: analyzed images whose layers "
                   "are this one's first layers.",
    .own = true,
    .triggers = triggers,
};
