#include "policy/gates/gates.h"

static const char *const match_types[] = {"notfound", "found", NULL};
enum { MATCH_NOT_FOUND, MATCH_FOUND };

enum { SECRET_NAME, SECRET_FILES, SECRET_TYPE };
static const struct gate_param secret_params[] = {
    {.name = "content_regex_name",
     .type = PARAM_STRING,
     .example = "AWS_ACCESS_KEY",
     .description = "Name of the expression as the analyzer knows it; all when absent."},
    {.name = "filename_regex",
     .type = PARAM_STRING,
     .example = "/etc/.*",
     .description = "Look only at files whose names match."},
    {.name = "match_type",
     .type = PARAM_ENUM,
     .choices = match_types,
     .example = "found",
     .description = "Whether to fire for findings or for their absence."},
    {NULL},
};

static int secret_prepare(const struct rule_params *p, struct arena *a, void **state, struct err *e)
{
    *state = NULL;
    return p->values[SECRET_FILES].set && p->values[SECRET_FILES].text.n
               ? gate_regex_prepare(p, SECRET_FILES, state, e)
               : 0;
}

/* By name, by expression, or one of several names: the original looks for the name inside the
 * parameter, and so takes lists. */
static bool names_match(const struct policy_match *m, str wanted)
{
    if (!wanted.n || str_eq(m->regex, wanted))
        return true;
    while (wanted.n)
        if (m->name.n && str_eq(m->name, str_trim(str_split(&wanted, ','))))
            return true;
        else if (!m->name.n)
            return false;
    return false;
}

static int content_regex_checks(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    const struct rule_value *v = gate_params(f)->values;
    bool found = !v[SECRET_TYPE].set || v[SECRET_TYPE].choice != MATCH_NOT_FOUND, any = false;
    str name = v[SECRET_NAME].text, files = v[SECRET_FILES].text;
    for (size_t i = 0; i < image->n_secret_search; i++) {
        const struct policy_match *m = &image->secret_search[i];
        int rc = names_match(m, name) ? state ? gate_match(f, state, m->path, e) : 1 : 0;
        if (rc < 0)
            return err_wrap(e, "file %.*s", STR_ARG(m->path));
        any = any || rc;
        gate_about(f, NULL, NULL, m->path);
        if (rc && found)
            gate_fire(f, GATE_NO_ID,
                      "Secret content search analyzer found regexp match in container: file=%.*s "
                      "regexp=%.*s%s%.*s",
                      GATE_ARG(m->path), GATE_ARG(m->name), m->name.n ? "=" : "",
                      GATE_ARG(m->regex));
    }
    gate_about(f, NULL, NULL, (str){0});
    if (!found && !any)
        gate_fire(f, GATE_NO_ID,
                  "Secret content search analyzer did not find regexp match in container: "
                  "filename_regex=%.*s content_regex_name=%.*s",
                  GATE_ARG(files.n ? files : STR("*")), GATE_ARG(name.n ? name : STR("all")));
    return 0;
}

static const struct gate_trigger triggers[] = {
    {.name = "content_regex_checks",
     .description = "Fires for files in which the analysis found secrets, or found none.",
     .params = secret_params,
     .needs = PART_SEARCHES,
     .prepare = secret_prepare,
     .release = gate_regex_release,
     .fire = content_regex_checks},
    {NULL},
};

const struct gate gate_secret_scans = {
    .name = "secret_scans",
    .description = "Looks at secrets that the analysis found in files.",
    .triggers = triggers,
};
