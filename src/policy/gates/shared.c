#include "policy/gates/gates.h"

#include <stdlib.h>

const char *const gate_list_kinds[] = {"whitelist", "blacklist", NULL};
const char *const gate_equality[] = {"equals", "not_equals", NULL};
const char *const gate_checks[] = {"=",          "!=",   ">",        "<",  ">=",     "<=", "exists",
                                   "not_exists", "like", "not_like", "in", "not_in", NULL};

int gate_fire_buf(struct firing *f, str id, const struct buf *b, struct err *e)
{
    int rc = buf_check(b, "a row of a policy", e);
    if (rc < 0)
        return rc;
    str text = arena_dup(gate_arena(f), buf_view(b));
    if (!text.p)
        return err_no_memory(e);
    gate_fire_str(f, id, text);
    return 0;
}

bool gate_text_listed(const struct rule_value *list, str x)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->list[i], x))
            return true;
    return false;
}

bool gate_number_listed(const struct rule_value *list, int64_t x)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->numbers[i] == x)
            return true;
    return false;
}

int gate_split_list(struct arena *a, str text, const str **out, struct err *e)
{
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == ',';
    str *list = arena_calloc(a, n, sizeof *list);
    if (!list)
        return err_no_memory(e);
    text = str_trim(text);
    for (size_t i = 0; i < n; i++)
        list[i] = str_trim(str_split(&text, ','));
    *out = list;
    return (int)n;
}

static bool in_text(str x, str value)
{
    bool found = false;
    for (bool more = true; more && !found;) {
        more = str_contains(value, STR(","));
        found = str_eq(str_trim(str_split(&value, ',')), x);
    }
    return found;
}

int gate_check_text(enum gate_check check, str x, str value, const struct regex *like,
                    struct err *e)
{
    int rc;
    switch (check) {
    case CHECK_EQ:
        return str_eq(x, value);
    case CHECK_NE:
        return !str_eq(x, value);
    case CHECK_GT:
        return str_cmp(x, value) > 0;
    case CHECK_LT:
        return str_cmp(x, value) < 0;
    case CHECK_GE:
        return str_cmp(x, value) >= 0;
    case CHECK_LE:
        return str_cmp(x, value) <= 0;
    case CHECK_EXISTS:
        return 1;
    case CHECK_NOT_EXISTS:
        return 0;
    case CHECK_LIKE:
        return like ? regex_match(like, x, e) : 0;
    case CHECK_NOT_LIKE:
        rc = like ? regex_match(like, x, e) : 1;
        return rc < 0 ? rc : !rc;
    case CHECK_IN:
        return in_text(x, value);
    case CHECK_NOT_IN:
        return !in_text(x, value);
    }
    return 0;
}

int gate_check_prepare(enum gate_check check, const struct rule_value *value, void **state,
                       struct err *e)
{
    *state = NULL;
    if ((check != CHECK_LIKE && check != CHECK_NOT_LIKE) || !value->set)
        return 0;
    struct regex *r;
    int rc = regex_compile(value->text, REGEX_UTF | REGEX_ANCHORED, &r, e);
    if (!rc)
        *state = r;
    return rc;
}

bool gate_glob(str pattern, str s, bool any_case)
{
    size_t p = 0, i = 0, star = SIZE_MAX, mark = 0;
    while (i < s.n) {
        char c = p < pattern.n ? pattern.p[p] : '\0';
        if (p < pattern.n && c == '*') {
            star = p++;
            mark = i;
        } else if (p < pattern.n &&
                   (any_case ? ke_tolower(c) == ke_tolower(s.p[i]) : c == s.p[i])) {
            p++;
            i++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            i = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static int by_path(const void *key, const void *item)
{
    return str_cmp(*(const str *)key, ((const struct policy_file *)item)->path);
}

const struct policy_file *gate_file(const struct policy_image *image, str path)
{
    return image->n_files
               ? bsearch(&path, image->files, image->n_files, sizeof *image->files, by_path)
               : NULL;
}

const struct policy_retrieved *gate_retrieved(const struct policy_image *image, str path)
{
    for (size_t i = 0; i < image->n_retrieved; i++)
        if (str_eq(image->retrieved[i].path, path))
            return &image->retrieved[i];
    return NULL;
}
