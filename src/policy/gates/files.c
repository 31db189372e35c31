#include "policy/gates/gates.h"

#include <sys/stat.h>

static const char *const algorithms[] = {"sha256", NULL};

enum { REGEX_NAME };
static const struct gate_param content_params[] = {
    {.name = "regex_name",
     .type = PARAM_STRING,
     .example = ".*password.*",
     .description = "Name of the expression as the analyzer knows it."},
    {NULL},
};

enum { NAME_REGEX };
static const struct gate_param name_params[] = {
    {.name = "regex",
     .type = PARAM_STRING,
     .required = true,
     .example = ".*\\.pem",
     .description = "The expression to look for."},
    {NULL},
};

enum { ATTR_FILE, ATTR_ALGORITHM, ATTR_SUM, ATTR_SUM_OP, ATTR_MODE, ATTR_MODE_OP, ATTR_SKIP };
static const struct gate_param attribute_params[] = {
    {.name = "filename",
     .type = PARAM_STRING,
     .required = true,
     .example = "/etc/passwd",
     .description = "Path of the file."},
    {.name = "checksum_algorithm",
     .type = PARAM_ENUM,
     .choices = algorithms,
     .example = "sha256",
     .description = "Which checksum to compare."},
    {.name = "checksum",
     .type = PARAM_STRING,
     .example = "832cd0f75b227d13aac82b1f70b7f90191a4186c151f9db50851d209c45ede11",
     .description = "The checksum to compare with."},
    {.name = "checksum_match",
     .type = PARAM_ENUM,
     .choices = gate_equality,
     .example = "equals",
     .description = "Whether to fire on equal or on different checksums."},
    {.name = "mode",
     .type = PARAM_STRING,
     .example = "00644",
     .description = "Mode of the file, in octal digits."},
    {.name = "mode_op",
     .type = PARAM_ENUM,
     .choices = gate_equality,
     .example = "equals",
     .description = "How to compare modes."},
    {.name = "skip_missing",
     .type = PARAM_BOOL,
     .example = "true",
     .description = "Do not fire when the file is not there."},
    {NULL},
};

/* A match as messages and users name it: "NAME=regex", or the expression where it has no name. */
static bool names_match(const struct policy_match *m, str wanted)
{
    if (str_eq(m->regex, wanted) || (m->name.n && str_eq(m->name, wanted)))
        return true;
    return m->name.n && wanted.n == m->name.n + 1 + m->regex.n && str_starts(wanted, m->name) &&
           wanted.p[m->name.n] == '=' && str_ends(wanted, m->regex);
}

static int content_regex_match(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    const struct rule_value *v = gate_params(f)->values;
    for (size_t i = 0; i < image->n_content_search; i++) {
        const struct policy_match *m = &image->content_search[i];
        if (v[REGEX_NAME].set && v[REGEX_NAME].text.n && !names_match(m, v[REGEX_NAME].text))
            continue;
        gate_about(f, NULL, NULL, m->path);
        gate_fire(f, GATE_NO_ID,
                  "File content analyzer found regexp match in container: file=%.*s "
                  "regexp=%.*s%s%.*s",
                  GATE_ARG(m->path), GATE_ARG(m->name), m->name.n ? "=" : "", GATE_ARG(m->regex));
    }
    return 0;
}

static int name_prepare(const struct rule_params *p, struct arena *a, void **state, struct err *e)
{
    return gate_regex_prepare(p, NAME_REGEX, state, e);
}

static int name_match(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    str regex = gate_params(f)->values[NAME_REGEX].text;
    for (size_t i = 0; i < image->n_files; i++) {
        int rc = gate_match(f, state, image->files[i].path, e);
        if (rc < 0)
            return err_wrap(e, "file %.*s", STR_ARG(image->files[i].path));
        gate_about(f, NULL, NULL, image->files[i].path);
        if (rc)
            gate_fire(f, GATE_NO_ID,
                      "Application of regex matched file found in container: file=%.*s "
                      "regexp=%.*s",
                      GATE_ARG(image->files[i].path), GATE_ARG(regex));
    }
    return 0;
}

/* "644", "00644", "0o644": as Python's int(text, 8) reads it. */
static bool octal(str text, uint32_t *out)
{
    text = str_trim(text);
    if (str_starts(text, STR("0o")) || str_starts(text, STR("0O")))
        text = str_from(text, 2);
    uint32_t v = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '7' || v >> 24)
            return false;
        v = v << 3 | (uint32_t)(text.p[i] - '0');
    }
    *out = v;
    return text.n > 0;
}

static int attribute_prepare(const struct rule_params *p, struct arena *a, void **state,
                             struct err *e)
{
    const struct rule_value *mode = &p->values[ATTR_MODE];
    uint32_t v;
    *state = NULL;
    if (mode->set && mode->text.n && !octal(mode->text, &v))
        return err_set(e, ERR_USAGE, "\"%.*s\" is no mode in octal digits", STR_ARG(mode->text));
    return 0;
}

static const char *op_of(const struct rule_value *v)
{
    return gate_equality[v->set && v->choice > 0 ? v->choice : 0];
}

static int attribute_match(struct firing *f, void *state, struct err *e)
{
    const struct rule_value *v = gate_params(f)->values;
    str name = v[ATTR_FILE].text, sum = v[ATTR_SUM].text;
    const struct policy_file *file = gate_file(gate_subject(f)->image, name);
    gate_about(f, NULL, NULL, name);
    if (!file) {
        if (v[ATTR_SKIP].set && !v[ATTR_SKIP].flag)
            gate_fire(f, GATE_NO_ID, "filename=%.*s and skip_missing=False", GATE_ARG(name));
        return 0;
    }
    uint32_t wanted = 0, mode = file->mode & 07777;
    bool by_sum = sum.n > 0, by_mode = octal(v[ATTR_MODE].text, &wanted);
    if (by_sum && str_eq(file->sha256, sum) != (v[ATTR_SUM_OP].choice <= 0 || !v[ATTR_SUM_OP].set))
        return 0;
    if (by_mode && (mode == wanted) != (v[ATTR_MODE_OP].choice <= 0 || !v[ATTR_MODE_OP].set))
        return 0;
    if (!by_sum && !by_mode)
        return 0;
    auto_buf b;
    buf_init(&b, GATE_MESSAGE_MAX);
    buf_addf(&b, "filename=%.*s", GATE_ARG(name));
    if (by_sum)
        buf_addf(&b, " and checksum=%.*s op=%s specified_checksum=%.*s",
                 GATE_ARG(file->sha256.n ? file->sha256 : STR("None")), op_of(&v[ATTR_SUM_OP]),
                 GATE_ARG(sum));
    if (by_mode)
        buf_addf(&b, " and mode=0o%o op=%s specified_mode=0o%o", mode, op_of(&v[ATTR_MODE_OP]),
                 wanted);
    return gate_fire_buf(f, GATE_NO_ID, &b, e);
}

static int suid_or_guid_set(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    for (size_t i = 0; i < image->n_files; i++)
        if (image->files[i].mode & (S_ISUID | S_ISGID)) {
            gate_about(f, NULL, NULL, image->files[i].path);
            gate_fire(f, GATE_NO_ID, "SUID or SGID found set on file %.*s. Mode: 0o%o",
                      GATE_ARG(image->files[i].path), image->files[i].mode);
        }
    return 0;
}

static const struct gate_trigger triggers[] = {
    {.name = "content_regex_match",
     .description = "Fires for each file whose contents matched an expression of the analyzer.",
     .params = content_params,
     .needs = PART_SEARCHES,
     .fire = content_regex_match},
    {.name = "name_match",
     .description = "Fires for each file whose name matches an expression.",
     .params = name_params,
     .needs = PART_FILES,
     .prepare = name_prepare,
     .release = gate_regex_release,
     .fire = name_match},
    {.name = "attribute_match",
     .description = "Fires when the checksum or the mode of a file compares as described.",
     .params = attribute_params,
     .needs = PART_FILES,
     .prepare = attribute_prepare,
     .fire = attribute_match},
    {.name = "suid_or_guid_set",
     .description = "Fires for each file with the set-user-id or set-group-id bit.",
     .needs = PART_FILES,
     .fire = suid_or_guid_set},
    {NULL},
};

const struct gate gate_files = {
    .name = "files",
    .description = "Looks at the names, attributes and contents of files.",
    .triggers = triggers,
};
