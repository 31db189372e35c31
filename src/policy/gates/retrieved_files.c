#include "policy/gates/gates.h"

static const char *const checks[] = {"match", "no_match", NULL};
enum { REGEX_MATCH, REGEX_NO_MATCH };
static const char *const units[] = {"words", "lines", "file", NULL};
enum { UNIT_WORDS, UNIT_LINES, UNIT_FILE };

static const struct gate_param path_params[] = {
    {.name = "path",
     .type = PARAM_STRING,
     .required = true,
     .example = "/etc/httpd.conf",
     .description = "Path of the file."},
    {NULL},
};

enum { CONTENT_PATH, CONTENT_CHECK, CONTENT_REGEX, CONTENT_UNIT };
static const struct gate_param content_params[] = {
    {.name = "path",
     .type = PARAM_STRING,
     .required = true,
     .example = "/etc/httpd.conf",
     .description = "Path of the file."},
    {.name = "check",
     .type = PARAM_ENUM,
     .required = true,
     .choices = checks,
     .example = "match",
     .description = "How to compare."},
    {.name = "regex",
     .type = PARAM_STRING,
     .required = true,
     .example = ".*SSlEnabled.*",
     .description = "The expression to look for."},
    {.name = "unit",
     .type = PARAM_ENUM,
     .choices = units,
     .example = "lines",
     .own = true,
     .description = "What the expression is compared with: each word between white space (as "
                    "without this parameter), each line, or the whole file."},
    {NULL},
};

static int content_not_available(struct firing *f, void *state, struct err *e)
{
    str path = gate_params(f)->values[0].text;
    gate_about(f, NULL, NULL, path);
    if (!gate_retrieved(gate_subject(f)->image, path))
        gate_fire(f, GATE_NO_ID, "Cannot locate file in the image analysis");
    return 0;
}

static int content_prepare(const struct rule_params *p, struct arena *a, void **state,
                           struct err *e)
{
    return gate_regex_prepare(p, CONTENT_REGEX, state, e);
}

static int any_word(struct firing *f, const struct regex *r, str text, struct err *e)
{
    for (size_t at = 0; at < text.n;) {
        size_t end = at;
        while (end < text.n && !ke_isspace(text.p[end]))
            end++;
        int rc = end > at ? gate_match(f, r, str_sub(text, at, end), e) : 0;
        if (rc)
            return rc;
        at = end + 1;
    }
    return 0;
}

static int any_line(struct firing *f, const struct regex *r, str text, struct err *e)
{
    str line;
    while (str_line(&text, &line)) {
        int rc = gate_match(f, r, line, e);
        if (rc)
            return rc;
    }
    return 0;
}

static int content_regex(struct firing *f, void *state, struct err *e)
{
    const struct rule_params *p = gate_params(f);
    const struct rule_value *v = p->values;
    const struct policy_retrieved *file =
        gate_retrieved(gate_subject(f)->image, v[CONTENT_PATH].text);
    if (!file)
        return 0;
    int unit = v[CONTENT_UNIT].set ? v[CONTENT_UNIT].choice : UNIT_WORDS;
    int rc = unit == UNIT_LINES  ? any_line(f, state, file->content, e)
             : unit == UNIT_FILE ? regex_match(state, file->content, e)
                                 : any_word(f, state, file->content, e);
    if (rc < 0)
        return err_wrap(e, "file %.*s", STR_ARG(file->path));
    if ((rc > 0) != (v[CONTENT_CHECK].choice == REGEX_MATCH))
        return 0;
    str id =
        arena_printf(gate_arena(f), "%.*s+file://%.*s", GATE_ARG(p->rule_id), GATE_ARG(file->path));
    if (!id.p)
        return err_no_memory(e);
    gate_about(f, NULL, NULL, file->path);
    gate_fire(f, id, "Content regex '%.*s' check '%s' found in retrieved file '%.*s'",
              GATE_ARG(v[CONTENT_REGEX].text), checks[v[CONTENT_CHECK].choice],
              GATE_ARG(file->path));
    return 0;
}

static const struct gate_trigger triggers[] = {
    {.name = "content_not_available",
     .description = "Fires when the analysis did not keep this file.",
     .params = path_params,
     .needs = PART_RETRIEVED,
     .fire = content_not_available},
    {.name = "content_regex",
     .description = "Fires when a kept file has, or does not have, a word that matches.",
     .params = content_params,
     .needs = PART_RETRIEVED,
     .prepare = content_prepare,
     .release = gate_regex_release,
     .fire = content_regex},
    {NULL},
};

const struct gate gate_retrieved_files = {
    .name = "retrieved_files",
    .description = "Looks at files that the analysis kept.",
    .triggers = triggers,
};
