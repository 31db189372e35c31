/* import_files.c - the files of the original's report and what was found in them; see
 * import_analysis.h. */
#include "base/auto.h"
#include "base/vec.h"
#include "net/base64.h"
#include "services/import_analysis_parts.h"

#include <stdlib.h>

enum { RETRIEVED_MAX = 256 << 20, MATCHES_MAX = 10000 };

struct files {
    struct import_source *s;
    struct analyzer_settings *settings;
    struct map index; /* path -> struct image_file */
    VEC(struct fact_rule) rules;
    VEC(str) retrieved;
};

static const struct {
    const char *word;
    enum fact_file_type type;
} types[] = {{"file", FACT_FILE}, {"dir", FACT_DIR}, {"slink", FACT_SYMLINK}, {"dev", FACT_DEVICE}};

static enum fact_file_type type_of(str word)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(types); i++)
        if (str_eq(word, str_z(types[i].word)))
            return types[i].type;
    return FACT_OTHER;
}

static uint64_t number(yyjson_val *o, const char *key)
{
    yyjson_val *v = json_get(o, key);
    return yyjson_is_uint(v) ? yyjson_get_uint(v) : 0;
}

static bool read_digest(str hex, struct sha256 *out)
{
    char text[SHA256_TEXT];
    if (hex.n != 64)
        return false;
    snprintf(text, sizeof text, "sha256:%.*s", STR_ARG(hex));
    return sha256_parse(str_z(text), out, NULL) >= 0;
}

static int read_file(struct files *f, str path, yyjson_val *v, str digest, struct err *e)
{
    struct inventory *inv = f->s->inv;
    struct image_file *file = &inv->files[inv->n_files];
    *file = (struct image_file){
        .path = arena_dup(&inv->arena, import_relative(path)),
        .type = type_of(json_str(v, "type")),
        .size = number(v, "size"),
        .mode = (uint32_t)number(v, "mode") & 07777,
        .uid = (uint32_t)number(v, "uid"),
        .gid = (uint32_t)number(v, "gid"),
    };
    str link = json_str(v, "linkdst");
    if (file->type == FACT_SYMLINK)
        file->link = arena_dup(&inv->arena, link);
    if (file->type == FACT_FILE)
        file->has_digest = read_digest(digest, &file->digest);
    if (!file->path.p || !map_put(&f->index, file->path, file))
        return err_no_memory(e);
    inv->n_files++;
    return 0;
}

/* By path: whoever makes an archive must not make its reading quadratic. */
static int index_sums(struct files *f, struct map *sums, struct err *e)
{
    size_t i, n;
    yyjson_val *key, *v;
    yyjson_obj_foreach(import_base(f->s, "file_checksums", "files.sha256sums"), i, n, key, v)
    {
        if (!map_put(sums, json_text(key), v))
            return err_no_memory(e);
    }
    return 0;
}

static int list_files(struct files *f, const struct map *sums, struct err *e)
{
    struct inventory *inv = f->s->inv;
    size_t i, n;
    yyjson_val *key, *v, *list = import_base(f->s, "file_list", "files.allinfo");
    if (yyjson_obj_size(list) > IMPORT_FILES_MAX)
        return err_set(e, ERR_LIMIT, "more than %d files", IMPORT_FILES_MAX);
    inv->files = arena_calloc(&inv->arena, yyjson_obj_size(list) + 1, sizeof *inv->files);
    if (!inv->files)
        return err_no_memory(e);
    yyjson_obj_foreach(list, i, n, key, v)
    {
        auto_json *held = NULL;
        str path = json_text(key);
        yyjson_val *value = import_value(v, &held);
        str digest = json_text(map_get(sums, path));
        int rc = yyjson_is_obj(value) ? read_file(f, path, value, digest, e) : (f->s->odd++, 0);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static struct image_file *find(struct files *f, str path)
{
    struct image_file *file = map_get(&f->index, import_relative(path));
    f->s->odd += !file;
    return file;
}

/* ---- contents ----------------------------------------------------------------------------------
 */

static int read_contents(struct files *f, struct err *e)
{
    struct inventory *inv = f->s->inv;
    size_t i, n;
    yyjson_val *key, *v;
    yyjson_obj_foreach(import_base(f->s, "retrieve_files", "file_content.all"), i, n, key, v)
    {
        struct image_file *file = find(f, json_text(key));
        auto_buf content;
        buf_init(&content, RETRIEVED_MAX);
        if (!file)
            continue;
        if (base64_decode(json_text(v), &content, NULL) < 0) {
            f->s->odd++;
            continue;
        }
        str *path = vec_push(&f->retrieved);
        if (!path)
            return err_no_memory(e);
        file->content = arena_dup(&inv->arena, content.n ? buf_view(&content) : STR(""));
        *path = arena_printf(&f->settings->arena, "/%.*s", STR_ARG(file->path));
    }
    return 0;
}

/* ---- matches -----------------------------------------------------------------------------------
 */

/* The rule of a definition "NAME=expression" in base64; -1: it is none, or there are too many. */
static int64_t rule_of(struct files *f, size_t from, str definition)
{
    auto_buf text;
    buf_init(&text, 1 << 16);
    if (base64_decode(definition, &text, NULL) < 0)
        return -1;
    str pattern = str_trim(buf_view(&text)), name = str_split(&pattern, '=');
    for (size_t i = from; i < f->rules.n; i++)
        if (str_eq(f->rules.p[i].name, name) && str_eq(f->rules.p[i].pattern, pattern))
            return (int64_t)i;
    struct fact_rule *rule = f->rules.n < FACT_RULES_MAX ? vec_push(&f->rules) : NULL;
    if (!rule)
        return -1;
    rule->name = arena_dup(&f->settings->arena, name.n ? name : STR(""));
    rule->pattern = arena_dup(&f->settings->arena, pattern.n ? pattern : STR(""));
    return (int64_t)f->rules.n - 1;
}

static int by_rule(const void *x, const void *y)
{
    const struct fact_match *a = x, *b = y;
    if (a->rule != b->rule)
        return a->rule < b->rule ? -1 : 1;
    return (a->line > b->line) - (a->line < b->line);
}

/* What one search found in one file, beside what another one found there. */
static int read_matches(struct files *f, size_t from, struct image_file *file, yyjson_val *found,
                        struct err *e)
{
    size_t i, n, k, m, room = file->n_matches;
    yyjson_val *key, *lines, *line;
    yyjson_obj_foreach(found, i, n, key, lines)
    {
        room += yyjson_arr_size(lines);
    }
    if (room > MATCHES_MAX)
        return err_set(e, ERR_LIMIT, "more than %d lines found in one file", MATCHES_MAX);
    struct fact_match *list = arena_calloc(&f->s->inv->arena, room + 1, sizeof *list);
    if (!list)
        return err_no_memory(e);
    if (file->n_matches)
        memcpy(list, file->matches, file->n_matches * sizeof *list);
    yyjson_obj_foreach(found, i, n, key, lines)
    {
        int64_t rule = rule_of(f, from, json_text(key));
        f->s->odd += rule < 0;
        yyjson_arr_foreach(lines, k, m, line)
        {
            if (rule >= 0 && yyjson_is_uint(line) && yyjson_get_uint(line) <= UINT32_MAX)
                list[file->n_matches++] =
                    (struct fact_match){(uint32_t)rule, (uint32_t)yyjson_get_uint(line)};
        }
    }
    qsort(list, file->n_matches, sizeof *list, by_rule);
    file->matches = list;
    return 0;
}

static int read_search(struct files *f, const char *analyzer, struct err *e)
{
    size_t i, n, from = f->rules.n;
    yyjson_val *key, *v;
    yyjson_obj_foreach(import_base(f->s, analyzer, "regexp_matches.all"), i, n, key, v)
    {
        auto_json *held = NULL;
        struct image_file *file = find(f, json_text(key));
        yyjson_val *found = import_value(v, &held);
        if (!file)
            continue;
        int rc = yyjson_is_obj(found) ? read_matches(f, from, file, found, e) : (f->s->odd++, 0);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

static int read_all(struct files *f, struct err *e)
{
    struct analyzer_settings *st = f->settings;
    struct map sums;
    map_init(&sums);
    int rc = index_sums(f, &sums, e);
    if (rc >= 0)
        rc = list_files(f, &sums, e);
    map_done(&sums);
    if (rc >= 0)
        rc = read_contents(f, e);
    if (rc >= 0)
        rc = read_search(f, "secret_search", e);
    st->n_secrets = f->rules.n;
    if (rc >= 0)
        rc = read_search(f, "content_search", e);
    if (rc < 0)
        return rc;
    struct fact_rule *rules = arena_calloc(&st->arena, f->rules.n + 1, sizeof *rules);
    str *paths = arena_calloc(&st->arena, f->retrieved.n + 1, sizeof *paths);
    if (!rules || !paths)
        return err_no_memory(e);
    if (f->rules.n)
        memcpy(rules, f->rules.p, f->rules.n * sizeof *rules);
    if (f->retrieved.n)
        memcpy(paths, f->retrieved.p, f->retrieved.n * sizeof *paths);
    st->facts = (struct facts_wanted){
        .rules = rules, .n_rules = f->rules.n, .retrieve = paths, .n_retrieve = f->retrieved.n};
    st->n_retrieve = f->retrieved.n;
    return 0;
}

int import_files(struct import_source *s, struct analyzer_settings *settings, struct err *e)
{
    struct files f = {.s = s, .settings = settings};
    map_init(&f.index);
    int rc = read_all(&f, e);
    map_done(&f.index);
    vec_done(&f.rules);
    vec_done(&f.retrieved);
    return rc;
}
