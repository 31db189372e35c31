#include "services/kubernetes_webhook/settings.h"

#include "codec/regex.h"

enum { SETTINGS_MEMORY = 8 << 20, EXPRESSION_MAX = 4096 };

/* ---- values by name, whatever the case ---------------------------------------------------------
 */

static bool name_is(str a, const char *name)
{
    size_t i = 0;
    for (; *name; name++) {
        while (i < a.n && a.p[i] == '_')
            i++;
        if (i == a.n || ke_tolower(a.p[i++]) != ke_tolower(*name))
            return false;
    }
    return i == a.n;
}

static yyjson_val *member(yyjson_val *o, const char *name)
{
    size_t i, n;
    yyjson_val *key, *v;
    yyjson_obj_foreach(o, i, n, key, v)
    {
        if (name_is(json_text(key), name))
            return yyjson_is_null(v) ? NULL : v;
    }
    return NULL;
}

static int only(yyjson_val *o, const char *where, const char *const *names, struct err *e)
{
    size_t i, n;
    yyjson_val *key, *v;
    if (o && !yyjson_is_obj(o))
        return err_set(e, ERR_USAGE, "%s must be a mapping", where);
    yyjson_obj_foreach(o, i, n, key, v)
    {
        bool known = false;
        for (const char *const *p = names; *p; p++)
            known = known || name_is(json_text(key), *p);
        if (!known)
            return err_set(e, ERR_USAGE, "%s has no key \"%.*s\"", where, STR_ARG(json_text(key)));
    }
    return 0;
}

static int get_text(yyjson_val *o, const char *name, struct arena *a, str *out, struct err *e)
{
    yyjson_val *v = member(o, name);
    *out = (str){NULL, 0};
    if (!v)
        return 0;
    if (!yyjson_is_str(v))
        return err_set(e, ERR_USAGE, "%s must be text", name);
    *out = arena_dup(a, json_text(v));
    return out->p ? 0 : err_no_memory(e);
}

static int get_choice(yyjson_val *o, const char *name, const char *const *words, int fallback,
                      int *out, struct err *e)
{
    yyjson_val *v = member(o, name);
    *out = fallback;
    if (!v)
        return 0;
    for (int i = 0; words[i]; i++)
        if (str_eq_nocase(json_text(v), str_z(words[i]))) {
            *out = i;
            return 0;
        }
    return err_set(e, ERR_USAGE, "%s is \"%.*s\"; it can be %s, %s%s%s", name,
                   STR_ARG(json_text(v)), words[0], words[1], words[2] ? " or " : "",
                   words[2] ? words[2] : "");
}

/* Booleans are true and false, or text that says so: ${ANCHORE_...} in config.yaml gives text. */
static int get_flag(yyjson_val *o, const char *name, bool fallback, bool *out, struct err *e)
{
    yyjson_val *v = member(o, name);
    *out = fallback;
    if (!v)
        return 0;
    if (yyjson_is_bool(v)) {
        *out = yyjson_get_bool(v);
        return 0;
    }
    static const char *const words[] = {"false", "true", NULL};
    int i;
    int k = get_choice(o, name, words, 0, &i, e);
    *out = i;
    return k;
}

/* ---- selectors ---------------------------------------------------------------------------------
 */

static int get_regex(yyjson_val *o, const char *name, struct arena *a, str *text,
                     struct regex **out, struct err *e)
{
    int k = get_text(o, name, a, text, e);
    if (k < 0)
        return k;
    if (text->n > EXPRESSION_MAX)
        return err_set(e, ERR_USAGE, "%s is longer than %d bytes", name, EXPRESSION_MAX);
    if (!text->p)
        *text = STR(".*");
    k = regex_compile(*text, 0, out, e);
    return k < 0 ? err_wrap(e, "%s", name) : 0;
}

static int read_selector(yyjson_val *v, struct arena *a, struct admission_selector *s,
                         struct err *e)
{
    static const char *const keys[] = {"selector", "policyReference", "mode", NULL};
    static const char *const of_selector[] = {"resourceType", "selectorKeyRegex",
                                              "selectorValueRegex", NULL};
    static const char *const of_policy[] = {"username", "account", "policyBundleId", NULL};
    static const char *const types[] = {"image", "resource", "namespace", NULL};
    static const char *const modes[] = {"policy", "analysis", "breakglass", NULL};
    yyjson_val *selector = member(v, "selector"), *policy = member(v, "policyReference");
    str ignored;
    int type, mode, k;
    if (!yyjson_is_obj(v))
        return err_set(e, ERR_USAGE, "it must be a mapping");
    if ((k = only(v, "it", keys, e)) < 0 || (k = only(selector, "selector", of_selector, e)) < 0 ||
        (k = only(policy, "policyReference", of_policy, e)) < 0 ||
        (k = get_choice(selector, "resourceType", types, 0, &type, e)) < 0 ||
        (k = get_choice(v, "mode", modes, 0, &mode, e)) < 0 ||
        (k = get_regex(selector, "selectorKeyRegex", a, &s->key_text, &s->key, e)) < 0 ||
        (k = get_regex(selector, "selectorValueRegex", a, &ignored, &s->value, e)) < 0 ||
        (k = get_text(policy, "username", a, &s->user, e)) < 0 ||
        (k = get_text(policy, "account", a, &s->account, e)) < 0 ||
        (k = get_text(policy, "policyBundleId", a, &s->policy, e)) < 0)
        return k;
    s->type = (unsigned)type;
    s->mode = (enum admission_mode)mode;
    if (!s->user.n && !s->account.n)
        s->account = STR("admin");
    return 0;
}

static int read_selectors(yyjson_val *list, struct admission_settings *s, struct err *e)
{
    size_t n = list ? yyjson_arr_size(list) : 1;
    if (list && !yyjson_is_arr(list))
        return err_set(e, ERR_USAGE, "policySelectors must be a list");
    if (n > ADMISSION_SELECTORS_MAX)
        return err_set(e, ERR_USAGE, "policySelectors has more than %d entries",
                       ADMISSION_SELECTORS_MAX);
    s->selectors = arena_calloc(&s->arena, n + 1, sizeof *s->selectors);
    if (!s->selectors)
        return err_no_memory(e);
    yyjson_doc *empty = list ? NULL : yyjson_read("{}", 2, 0);
    int k = 0;
    for (size_t i = 0; i < n && k == 0; i++) {
        s->n = i + 1;
        k = read_selector(list ? yyjson_arr_get(list, i) : yyjson_doc_get_root(empty), &s->arena,
                          &s->selectors[i], e);
        if (k < 0)
            err_wrap(e, "policySelectors[%zu]", i);
    }
    yyjson_doc_free(empty);
    return k;
}

static int get_seconds(yyjson_val *section, const char *name, unsigned fallback, unsigned min,
                       unsigned max, unsigned *out_ms, struct err *e)
{
    yyjson_val *v = member(section, name);
    uint64_t seconds = fallback;
    bool good = true;
    if (yyjson_is_uint(v))
        seconds = yyjson_get_uint(v);
    else if (v)
        good = str_to_u64(json_text(v), &seconds);
    if (!good || seconds < min || seconds > max)
        return err_set(e, ERR_USAGE, "%s must be a number from %u to %u", name, min, max);
    *out_ms = (unsigned)seconds * 1000;
    return 0;
}

static int read_settings(yyjson_val *section, struct admission_settings *s, struct err *e)
{
    static const char *const keys[] = {"validator", "policySelectors", "default", "onError",
                                       "deadlineSeconds", "cacheSeconds", "digests", "configFile",
                                       /* the original's, of its way to the engine */
                                       "anchoreEndpoint", NULL};
    static const char *const of_validator[] = {"requestAnalysis", "enabled", NULL};
    static const char *const allow[] = {"deny", "allow", NULL};
    static const char *const digests[] = {"any", "require", NULL};
    yyjson_val *validator = member(section, "validator");
    int k, fallback, error, digest;
    if ((k = only(section, "the section", keys, e)) < 0 ||
        (k = only(validator, "validator", of_validator, e)) < 0 ||
        (k = get_flag(validator, "requestAnalysis", true, &s->request_analysis, e)) < 0 ||
        (k = get_choice(section, "default", allow, 1, &fallback, e)) < 0 ||
        (k = get_choice(section, "onError", allow, 0, &error, e)) < 0 ||
        (k = get_choice(section, "digests", digests, 0, &digest, e)) < 0 ||
        (k = get_text(section, "configFile", &s->arena, &s->config_file, e)) < 0 ||
        (k = get_seconds(section, "deadlineSeconds", 5, 1, 9, &s->deadline_ms, e)) < 0 ||
        (k = get_seconds(section, "cacheSeconds", 2, 0, 60, &s->cache_ms, e)) < 0)
        return k;
    s->default_allow = fallback;
    s->error_allow = error;
    s->digests = (enum admission_digests)digest;
    return read_selectors(member(section, "policySelectors"), s, e);
}

int admission_settings_new(yyjson_val *section, struct admission_settings **out, struct err *e)
{
    struct admission_settings *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(e);
    arena_init(&s->arena, SETTINGS_MEMORY);
    s->uses = 1;
    int k = read_settings(section, s, e);
    if (k < 0) {
        admission_settings_drop(s);
        return k;
    }
    *out = s;
    return 0;
}

struct admission_settings *admission_settings_hold(struct admission_settings *s)
{
    s->uses++;
    return s;
}

void admission_settings_drop(struct admission_settings *s)
{
    if (!s || --s->uses)
        return;
    for (size_t i = 0; i < s->n; i++) {
        regex_free(s->selectors[i].key);
        regex_free(s->selectors[i].value);
    }
    arena_done(&s->arena);
    free(s);
}

/* ---- choosing ----------------------------------------------------------------------------------
 */

static bool fits(const struct regex *r, str text)
{
    struct err why = {0};
    return regex_match(r, text, &why) == 1;
}

static bool fits_map(const struct admission_selector *s, yyjson_val *map)
{
    size_t i, n;
    yyjson_val *key, *v;
    yyjson_obj_foreach(map, i, n, key, v)
    {
        if (yyjson_is_str(v) && fits(s->key, json_text(key)) && fits(s->value, json_text(v)))
            return true;
    }
    return false;
}

static bool fits_name(const struct admission_selector *s, str name)
{
    return fits(s->key, STR("name")) && fits(s->value, name);
}

const struct admission_selector *admission_select(const struct admission_settings *s,
                                                  const struct review *r, str image)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct admission_selector *x = &s->selectors[i];
        bool good =
            x->type == SELECT_IMAGE ? fits(x->value, image)
            : x->type == SELECT_NAMESPACE
                ? fits_name(x, r->namespace) ||
                      (r->label.n && fits(x->key, r->label) && fits(x->value, r->label_value))
                : fits_name(x, r->name) || fits_map(x, r->labels) || fits_map(x, r->annotations);
        if (good)
            return x;
    }
    return NULL;
}
