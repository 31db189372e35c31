#include "services/config_internal.h"

#include <stdlib.h>

yyjson_val *config_at(yyjson_val *root, str path)
{
    while (root && path.n) {
        str key = str_split(&path, '.');
        root = yyjson_obj_getn(root, key.p, key.n);
    }
    return root;
}

const char *config_get_text(struct config_loader *l, const char *path, const char *fallback)
{
    yyjson_val *v = config_at(l->text, str_z(path));
    if (yyjson_is_obj(v) || yyjson_is_arr(v))
        config_problem(l, true, path, "%s must be a single value", path);
    const char *s = yyjson_get_str(v);
    return s ? s : fallback;
}

bool config_get_bool(struct config_loader *l, const char *path, bool fallback)
{
    static const char *const yes[] = {"true", "yes", "on", "1", "y", "t"};
    static const char *const no[] = {"false", "no", "off", "0", "n", "f"};
    const char *s = config_get_text(l, path, NULL);
    if (!s || !*s || strcmp(s, "null") == 0)
        return fallback;
    for (size_t i = 0; i < KE_ARRAY_LEN(yes); i++) {
        if (str_eq_nocase(str_z(s), str_z(yes[i])))
            return true;
        if (str_eq_nocase(str_z(s), str_z(no[i])))
            return false;
    }
    config_problem(l, true, path, "%s must be true or false, not \"%s\"", path, s);
    return fallback;
}

int64_t config_get_int(struct config_loader *l, const char *path, int64_t fallback, int64_t min,
                       int64_t max)
{
    const char *s = config_get_text(l, path, NULL);
    if (!s || !*s || strcmp(s, "null") == 0)
        return fallback;
    char *end;
    long long n = strtoll(s, &end, 10);
    if (*end || n < min || n > max) {
        config_problem(l, true, path, "%s must be a whole number from %lld to %lld, not \"%s\"",
                       path, (long long)min, (long long)max, s);
        return fallback;
    }
    return n;
}
