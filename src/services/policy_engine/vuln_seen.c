#include "services/policy_engine/vuln_seen.h"

#include "base/arena.h"
#include "base/map.h"

enum { KEYS_MAX = 512 << 20 };

/* path p NULL: of any place. Reports of older engines have one place for a package. */
static str key_text(struct arena *a, str vuln, str name, str version, str type, str path)
{
    return arena_printf(a, "%.*s|%.*s|%.*s|%.*s%s%.*s", STR_ARG(vuln), STR_ARG(name),
                        STR_ARG(version), STR_ARG(type), path.p ? "|" : "", STR_ARG(path));
}

static int index_old(yyjson_val *rows, struct arena *a, struct map *out, struct err *e)
{
    size_t i, n;
    yyjson_val *row;
    yyjson_arr_foreach(rows, i, n, row)
    {
        str paths[] = {json_str(row, "package_path"), {0}};
        for (size_t k = 0; k < KE_ARRAY_LEN(paths); k++) {
            str key =
                key_text(a, json_str(row, "vuln"), json_str(row, "package_name"),
                         json_str(row, "package_version"), json_str(row, "package_type"), paths[k]);
            if (!key.p || !map_put(out, key, row))
                return err_no_memory(e);
        }
    }
    return 0;
}

static str member(yyjson_mut_val *row, const char *key)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(row, key);
    return yyjson_mut_is_str(v) ? (str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)} : STR("");
}

static int64_t time_or(yyjson_val *row, const char *key, int64_t now)
{
    int64_t t = yyjson_get_sint(json_get(row, key));
    return t > 0 ? t : now;
}

static int note_rows(const struct map *old, struct arena *a, int64_t now, yyjson_mut_doc *doc,
                     yyjson_mut_val *rows, struct err *e)
{
    size_t i, n;
    yyjson_mut_val *row;
    yyjson_mut_arr_foreach(rows, i, n, row)
    {
        str fix = member(row, "fix"), paths[] = {member(row, "package_path"), {0}};
        yyjson_val *before = NULL;
        for (size_t k = 0; !before && k < KE_ARRAY_LEN(paths); k++) {
            str key =
                key_text(a, member(row, "vuln"), member(row, "package_name"),
                         member(row, "package_version"), member(row, "package_type"), paths[k]);
            if (!key.p)
                return err_no_memory(e);
            before = map_get(old, key);
        }
        bool same_fix = str_eq(json_str(before, "fix"), fix);
        yyjson_mut_obj_add_sint(doc, row, "detected_at", time_or(before, "detected_at", now));
        if (!str_eq(fix, STR("None")))
            yyjson_mut_obj_add_sint(doc, row, "fix_observed_at",
                                    time_or(same_fix ? before : NULL, "fix_observed_at", now));
    }
    return 0;
}

int vuln_seen_note(str old_rows, int64_t now_us, yyjson_mut_doc *doc, yyjson_mut_val *rows,
                   struct err *e)
{
    auto_json *old = NULL;
    struct arena a;
    struct map by_key;
    arena_init(&a, KEYS_MAX);
    map_init(&by_key);
    if (old_rows.n && json_parse(old_rows, "the report before", &old, NULL) < 0)
        old = NULL;
    int rc = index_old(yyjson_doc_get_root(old), &a, &by_key, e);
    if (rc == 0)
        rc = note_rows(&by_key, &a, now_us, doc, rows, e);
    map_done(&by_key);
    arena_done(&a);
    return rc;
}
