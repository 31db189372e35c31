#include "policy/gates/gates.h"

enum attribute { ATTR_SIZE, ATTR_ARCH, ATTR_OS, ATTR_DISTRO, ATTR_VERSION, ATTR_LIKE, ATTR_LAYERS };
static const char *const attributes[] = {"size",           "architecture", "os_type",     "distro",
                                         "distro_version", "like_distro",  "layer_count", NULL};

enum { META_ATTRIBUTE, META_CHECK, META_VALUE };
static const struct gate_param attribute_params[] = {
    {.name = "attribute",
     .type = PARAM_ENUM,
     .required = true,
     .choices = attributes,
     .example = "size",
     .description = "The attribute to compare."},
    {.name = "check",
     .type = PARAM_ENUM,
     .required = true,
     .choices = gate_checks,
     .example = ">",
     .description = "How to compare."},
    {.name = "value",
     .type = PARAM_LINKED,
     .example = "1073741824",
     .description = "What to compare with."},
    {NULL},
};

enum { LABEL_NAME, LABEL_CHECK, LABEL_VALUE };
static const struct gate_param label_params[] = {
    {.name = "name",
     .type = PARAM_STRING,
     .required = true,
     .example = "org.opencontainers.image.vendor",
     .description = "Name of the label or annotation."},
    {.name = "check",
     .type = PARAM_ENUM,
     .required = true,
     .choices = gate_checks,
     .example = "not_exists",
     .description = "How to compare."},
    {.name = "value",
     .type = PARAM_STRING,
     .example = "Example",
     .description = "What to compare with."},
    {NULL},
};

static int check_prepare(const struct rule_params *p, struct arena *a, void **state, struct err *e)
{
    int check = p->values[META_CHECK].choice;
    *state = NULL;
    return check < 0 ? 0
                     : gate_check_prepare((enum gate_check)check, &p->values[META_VALUE], state, e);
}

static bool is_number(enum attribute a)
{
    return a == ATTR_SIZE || a == ATTR_LAYERS;
}

static int64_t number_of(const struct policy_image *image, enum attribute a)
{
    return a == ATTR_SIZE ? image->size : image->n_layers;
}

static str text_of(const struct policy_image *image, enum attribute a)
{
    switch (a) {
    case ATTR_ARCH:
        return image->architecture;
    case ATTR_OS:
        return image->os;
    case ATTR_DISTRO:
        return image->distro;
    case ATTR_VERSION:
        return image->distro_version;
    case ATTR_LIKE:
        return image->distro_like;
    default:
        return (str){0};
    }
}

/* "10", "1kb", "2gb": units of 1024, in any case. */
static bool size_of(str text, int64_t *out)
{
    static const char units[] = "kmgt";
    uint64_t v;
    unsigned shift = 0;
    text = str_trim(text);
    if (text.n > 2 && ke_tolower(text.p[text.n - 1]) == 'b') {
        const char *u = strchr(units, ke_tolower(text.p[text.n - 2]));
        if (!u || !*u)
            return false;
        shift = 10 * (unsigned)(u - units + 1);
        text = str_sub(text, 0, text.n - 2);
    }
    if (!str_to_u64(text, &v) || v > (uint64_t)INT64_MAX >> shift)
        return false;
    *out = (int64_t)(v << shift);
    return true;
}

static int number_operand(enum attribute a, str text, int64_t *out, struct err *e)
{
    uint64_t v;
    if (a == ATTR_SIZE
            ? size_of(text, out)
            : str_to_u64(str_trim(text), &v) && v <= INT64_MAX && (*out = (int64_t)v, true))
        return 0;
    return err_set(e, ERR_USAGE, "\"%.*s\" is no number to compare the attribute %s with",
                   STR_ARG(text), attributes[a]);
}

static int check_number(enum attribute a, enum gate_check check, int64_t x, str value,
                        const struct regex *like, struct err *e)
{
    char text[24];
    int64_t y;
    int rc;
    bool found = false;
    switch (check) {
    case CHECK_EXISTS:
    case CHECK_NOT_EXISTS:
        return check == CHECK_EXISTS;
    case CHECK_LIKE:
    case CHECK_NOT_LIKE:
        snprintf(text, sizeof text, "%lld", (long long)x);
        return gate_check_text(check, str_z(text), value, like, e);
    case CHECK_IN:
    case CHECK_NOT_IN:
        while (value.n) {
            if ((rc = number_operand(a, str_split(&value, ','), &y, e)) < 0)
                return rc;
            found = found || x == y;
        }
        return found == (check == CHECK_IN);
    default:
        if ((rc = number_operand(a, value, &y, e)) < 0)
            return rc;
        return check == CHECK_EQ   ? x == y
               : check == CHECK_NE ? x != y
               : check == CHECK_GT ? x > y
               : check == CHECK_LT ? x < y
               : check == CHECK_GE ? x >= y
                                   : x <= y;
    }
}

static void attribute_row(struct firing *f, enum attribute a, str value, str found)
{
    const struct rule_value *v = gate_params(f)->values;
    int64_t n;
    char number[24];
    int check = v[META_CHECK].choice;
    bool like = check == CHECK_LIKE || check == CHECK_NOT_LIKE;
    if (!value.p)
        value = STR("None");
    else if (is_number(a) && !like && number_operand(a, value, &n, NULL) == 0) {
        snprintf(number, sizeof number, "%lld", (long long)n);
        value = str_z(number);
    }
    gate_fire(f, GATE_NO_ID,
              "Attribute check for attribute: '%s' check: '%s' check_value: '%.*s' matched image "
              "value: '%.*s'",
              attributes[a], gate_checks[v[META_CHECK].choice], GATE_ARG(value), GATE_ARG(found));
}

static int attribute(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    const struct rule_value *v = gate_params(f)->values;
    enum attribute a = (enum attribute)v[META_ATTRIBUTE].choice;
    enum gate_check check = (enum gate_check)v[META_CHECK].choice;
    str value = v[META_VALUE].set ? v[META_VALUE].text : (str){0};
    bool asks = check == CHECK_EXISTS || check == CHECK_NOT_EXISTS;
    bool known = is_number(a) ? number_of(image, a) >= 0 : text_of(image, a).n > 0;
    if (!known) {
        if (check == CHECK_NOT_EXISTS)
            attribute_row(f, a, value, STR("None"));
        return asks || !value.n
                   ? 0
                   : err_set(e, ERR_NOT_FOUND, "the image's %s is not known", attributes[a]);
    }
    if (!asks && !value.n)
        return 0;
    char number[24];
    str found = text_of(image, a);
    if (is_number(a)) {
        snprintf(number, sizeof number, "%lld", (long long)number_of(image, a));
        found = str_z(number);
    }
    int rc = is_number(a) ? check_number(a, check, number_of(image, a), value, state, e)
                          : gate_check_text(check, found, value, state, e);
    if (rc > 0)
        attribute_row(f, a, value, found);
    return rc < 0 ? rc : 0;
}

/* A label or an annotation; found p NULL: there is none of that name. */
static int named_value(struct firing *f, const char *what, str found, const struct regex *like,
                       struct err *e)
{
    const struct rule_value *v = gate_params(f)->values;
    enum gate_check check = (enum gate_check)v[LABEL_CHECK].choice;
    str value = v[LABEL_VALUE].text;
    bool asks = check == CHECK_EXISTS || check == CHECK_NOT_EXISTS;
    int rc;
    if (!asks && !v[LABEL_VALUE].set)
        return 0;
    if (found.p)
        rc = gate_check_text(check, found, value, like, e);
    else /* what is not there differs from every value */
        rc = check == CHECK_NOT_EXISTS || check == CHECK_NE || check == CHECK_NOT_LIKE ||
             check == CHECK_NOT_IN;
    if (rc > 0)
        gate_fire(f, GATE_NO_ID, "The image's %s '%.*s' %s '%.*s': %s%.*s%s", what,
                  GATE_ARG(v[LABEL_NAME].text), gate_checks[check], GATE_ARG(value),
                  found.p ? "'" : "", GATE_ARG(found.p ? found : STR("there is none")),
                  found.p ? "'" : "");
    return rc < 0 ? rc : 0;
}

static int label(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    str found = {0};
    for (size_t i = 0; i < image->n_labels && !found.p; i++)
        if (str_eq(image->labels[i].name, gate_params(f)->values[LABEL_NAME].text))
            found = image->labels[i].value.p ? image->labels[i].value : STR("");
    return named_value(f, "label", found, state, e);
}

static int annotation(struct firing *f, void *state, struct err *e)
{
    const struct policy_subject *s = gate_subject(f);
    str found = {0};
    for (size_t i = 0; i < s->n_annotations && !found.p; i++)
        if (str_eq(s->annotations[i].name, gate_params(f)->values[LABEL_NAME].text))
            found = s->annotations[i].value.p ? s->annotations[i].value : STR("");
    return named_value(f, "annotation", found, state, e);
}

static const struct gate_trigger triggers[] = {
    {.name = "attribute",
     .description = "Fires when an attribute of the image compares as described.",
     .params = attribute_params,
     .prepare = check_prepare,
     .release = gate_regex_release,
     .fire = attribute},
    {.name = "label",
     .description = "Fires when a label of the image's configuration compares as described.",
     .params = label_params,
     .flags = TRIGGER_OWN,
     .prepare = check_prepare,
     .release = gate_regex_release,
     .fire = label},
    {.name = "annotation",
     .description = "Fires when an annotation of the image's record compares as described.",
     .params = label_params,
     .flags = TRIGGER_OWN,
     .prepare = check_prepare,
     .release = gate_regex_release,
     .fire = annotation},
    {NULL},
};

const struct gate gate_metadata = {
    .name = "metadata",
    .description = "Compares facts of the image.",
    .triggers = triggers,
};
