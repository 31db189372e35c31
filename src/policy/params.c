#include "policy/params.h"

#include "codec/schema.h"

#include <stdlib.h>

#define INTEGER "^\\s*[\\d]+\\s*$"

const struct param_kind param_kinds[] = {
    [PARAM_STRING] = {"type", NULL, "A text."},
    [PARAM_BOOL] = {"BooleanString", NULL, "true or false."},
    [PARAM_INT] = {"IntegerString", INTEGER, "A whole number."},
    [PARAM_FLOAT] = {"FloatString", "^\\s*-*(\\d)*(\\.\\d*)?\\s*$",
                     "A number, with or without decimals."},
    [PARAM_ENUM] = {"EnumString", NULL, "One of the listed words."},
    [PARAM_LIST] = {"CommaDelimitedStringList", "^\\s*(\\s*([^,]+)\\s*,)*\\s*([^,]+){1}\\s*$",
                    "Texts separated by commas."},
    [PARAM_NUMBERS] = {"CommaDelimitedStringOfNumbers", "^\\s*(\\s*(\\d+)\\s*,)*\\s*(\\d+){1}\\s*$",
                       "Numbers separated by commas."},
    [PARAM_LINKED] = {"LinkedValidator", NULL, "What is allowed depends on another parameter."},
};
enum { LINKED_COUNT, LINKED_TEXT, LINKED_SIZE };
const char *const param_linked_patterns[3] = {INTEGER, NULL, "^([0-9]+)([kmgt]b)?$"};

static const char *const booleans[] = {"true", "false", NULL};

const char *const *param_choices(const struct gate_param *p)
{
    return p->type == PARAM_BOOL ? booleans : p->type == PARAM_ENUM ? p->choices : NULL;
}

size_t params_count(const struct gate_trigger *t)
{
    size_t n = 0;
    while (t->params && n < RULE_PARAMS_MAX && t->params[n].name)
        n++;
    return n;
}

static ptrdiff_t param_index(const struct gate_trigger *t, size_t count, str name)
{
    for (size_t i = 0; i < count; i++) {
        const struct gate_param *p = &t->params[i];
        if (str_eq_nocase(str_z(p->name), name) ||
            (p->alias && str_eq_nocase(str_z(p->alias), name)))
            return (ptrdiff_t)i;
    }
    return -1;
}

bool params_given(const struct gate_trigger *t, yyjson_val *params, struct arena *a,
                  yyjson_val ***out, bool *strange)
{
    size_t count = params_count(t), i, n;
    yyjson_val *p;
    *strange = false;
    if (!(*out = arena_calloc(a, count + 1, sizeof **out)))
        return false;
    yyjson_arr_foreach(params, i, n, p)
    {
        ptrdiff_t at = param_index(t, count, json_str(p, "name"));
        yyjson_val *v = json_get(p, "value");
        if (at < 0)
            *strange = true;
        else
            (*out)[at] = yyjson_is_null(v) ? NULL : v;
    }
    return true;
}

/* ---- what a value may be -----------------------------------------------------------------------
 */
static size_t span(str s, bool digit)
{
    size_t n = 0;
    while (n < s.n && (digit ? ke_isdigit(s.p[n]) : s.p[n] == '-'))
        n++;
    return n;
}

static bool is_integer(str s)
{
    s = str_trim(s);
    return s.n && span(s, true) == s.n;
}

static bool is_decimal(str s)
{
    s = str_trim(s);
    s = str_from(s, span(s, false));
    s = str_from(s, span(s, true));
    return !s.n || (s.p[0] == '.' && span(str_from(s, 1), true) == s.n - 1);
}

static bool is_list(str s, bool numbers)
{
    for (bool more = true; more;) {
        more = str_index(s, ',') >= 0;
        str item = str_split(&s, ',');
        if (numbers ? !is_integer(item) : !item.n)
            return false;
    }
    return true;
}

/* A number of bytes; the pattern's end also stands before a newline at the end. */
static bool is_size(str s)
{
    if (str_ends(s, STR("\n")))
        s = str_sub(s, 0, s.n - 1);
    size_t n = span(s, true);
    str unit = str_from(s, n);
    return n &&
           (!unit.n || (unit.n == 2 && unit.p[1] == 'b' && unit.p[0] && strchr("kmgt", unit.p[0])));
}

static int choice_of(const struct gate_param *p, str text)
{
    const char *const *words = param_choices(p);
    for (int i = 0; words && words[i]; i++)
        if (str_eq(str_z(words[i]), text))
            return i;
    for (int i = 0; words && words[i]; i++)
        if (str_starts(text, STR("allow")) || str_starts(text, STR("deny")))
            if (gate_name_eq(str_z(words[i]), text))
                return i;
    return -1;
}

/* As text; p NULL: it is no string. For PARAM_BOOL as Python's str().lower() gives it. */
static str value_text(const struct gate_param *p, yyjson_val *v, char small[8])
{
    if (p->type == PARAM_BOOL && yyjson_is_bool(v))
        return yyjson_get_bool(v) ? STR("true") : STR("false");
    str s = json_text(v);
    if (p->type != PARAM_BOOL || s.n >= 8)
        return yyjson_is_str(v) ? s : (str){0};
    for (size_t i = 0; i < s.n; i++)
        small[i] = ke_tolower(s.p[i]);
    return (str){small, s.n};
}

static void put_quoted(struct buf *b, const char *pattern)
{
    buf_add_char(b, '\'');
    for (; *pattern; pattern++) {
        if (*pattern == '\\')
            buf_add_char(b, '\\');
        buf_add_char(b, *pattern);
    }
    buf_add_char(b, '\'');
}

static void put_words(struct buf *b, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        buf_addf(b, "%s'%s'", i ? ", " : "[", words[i]);
    buf_add_char(b, ']');
}

static void put_schema(struct buf *b, const char *const *words, const char *pattern)
{
    buf_add_str(b, STR("JSON Schema validation failed. Schema={'type': 'string'"));
    if (words) {
        buf_add_str(b, STR(", 'enum': "));
        put_words(b, words);
    }
    if (pattern) {
        buf_add_str(b, STR(", 'pattern': "));
        put_quoted(b, pattern);
    }
    buf_add_str(b, STR("}, Detail="));
}

static int refuse(struct buf *b, yyjson_val *v, const char *const *words, const char *pattern)
{
    put_schema(b, words, pattern);
    schema_repr(v, b);
    if (!yyjson_is_str(v) && !words) {
        buf_add_str(b, STR(" is not of type 'string'"));
    } else if (words) {
        buf_add_str(b, STR(" is not one of "));
        put_words(b, words);
    } else {
        buf_add_str(b, STR(" does not match "));
        put_quoted(b, pattern);
    }
    return 0;
}

/* What a value of metadata.attribute may be depends on the attribute; the original asks for one
 * even where it will not look at it. */
static int check_linked(const struct gate_trigger *t, yyjson_val **given, yyjson_val *v,
                        struct buf *why)
{
    ptrdiff_t at = param_index(t, params_count(t), STR("attribute"));
    str attribute = at < 0 ? (str){0} : json_text(given[at]), text = json_text(v);
    int kind = str_eq(attribute, STR("size"))          ? LINKED_SIZE
               : str_eq(attribute, STR("layer_count")) ? LINKED_COUNT
                                                       : LINKED_TEXT;
    if (at < 0 || choice_of(&t->params[at], attribute) < 0)
        return 1;
    if (yyjson_is_str(v) &&
        (kind == LINKED_TEXT || (kind == LINKED_SIZE ? is_size(text) : is_integer(text))))
        return 1;
    return refuse(why, v, NULL, param_linked_patterns[kind]);
}

int param_check(const struct gate_trigger *t, size_t i, yyjson_val **given, struct buf *why)
{
    const struct gate_param *p = &t->params[i];
    yyjson_val *v = given[i];
    char small[8];
    str text = value_text(p, v, small);
    bool good = text.p != NULL;
    if (p->type == PARAM_LINKED)
        return check_linked(t, given, v, why);
    if (!v)
        return 1;
    if (p->type == PARAM_BOOL || p->type == PARAM_ENUM)
        good = good && choice_of(p, text) >= 0;
    else if (p->type == PARAM_INT)
        good = good && is_integer(text);
    else if (p->type == PARAM_FLOAT)
        good = good && is_decimal(text);
    else if (p->type == PARAM_LIST || p->type == PARAM_NUMBERS)
        good = good && is_list(text, p->type == PARAM_NUMBERS);
    if (good)
        return 1;
    buf_add_str(why, STR("Parameter validation failed: "));
    return refuse(why, v, param_choices(p), param_kinds[p->type].pattern);
}

/* ---- conversion --------------------------------------------------------------------------------
 */
/* Digits only; what is too large becomes the largest. */
static int64_t number_of(str s)
{
    int64_t v = 0;
    s = str_trim(s);
    for (size_t i = 0; i < s.n; i++)
        if (ke_mul_overflow(v, (int64_t)10, &v) || ke_add_overflow(v, (int64_t)(s.p[i] - '0'), &v))
            return INT64_MAX;
    return v;
}

static int real_of(str s, double *out, struct err *e)
{
    str t = str_trim(s), digits = str_from(t, span(t, false) == 1);
    bool any = span(digits, true) || (digits.n > 1 && digits.p[0] == '.');
    if (!any || span(digits, false))
        return err_set(e, ERR_USAGE, "could not convert string to float: '%.*s'", STR_ARG(s));
    *out = strtod(t.p, NULL); /* yyjson ends strings by NUL */
    return 0;
}

static int list_of(const struct gate_param *p, str s, struct arena *a, struct rule_value *out,
                   struct err *e)
{
    size_t n = 1;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == ',';
    str *list = p->type == PARAM_LIST ? arena_calloc(a, n, sizeof *list) : NULL;
    int64_t *numbers = p->type == PARAM_NUMBERS ? arena_calloc(a, n, sizeof *numbers) : NULL;
    if (!list && !numbers)
        return err_no_memory(e);
    for (size_t i = 0; i < n; i++) {
        str item = str_split(&s, ',');
        if (list)
            list[i] = str_trim(item);
        else
            numbers[i] = number_of(item);
    }
    out->list = list;
    out->numbers = numbers;
    out->n = n;
    return 0;
}

int param_convert(const struct gate_param *p, yyjson_val *v, struct arena *a,
                  struct rule_value *out, struct err *e)
{
    char small[8];
    str text = value_text(p, v, small);
    *out = (struct rule_value){.set = v != NULL, .choice = -1};
    if (!v)
        return 0;
    if (!(out->text = arena_dup(a, text)).p)
        return err_no_memory(e);
    switch (p->type) {
    case PARAM_BOOL:
        out->flag = str_eq(text, STR("true"));
        return 0;
    case PARAM_INT:
        out->number = number_of(text);
        return 0;
    case PARAM_FLOAT:
        return real_of(out->text, &out->real, e);
    case PARAM_ENUM:
        out->choice = choice_of(p, text);
        return 0;
    case PARAM_LIST:
    case PARAM_NUMBERS:
        return list_of(p, out->text, a, out, e);
    default:
        return 0;
    }
}
