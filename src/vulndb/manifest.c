#include "vulndb/manifest.h"

#include "base/fs.h"
#include "codec/digest.h"
#include "codec/json.h"

static bool file_ok(str name)
{
    if (name.n == 0 || name.n > 250 || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!ke_isalnum(name.p[i]) && !memchr("-_.+", name.p[i], 4))
            return false;
    return true;
}

static int64_t get_int(yyjson_val *o, const char *key)
{
    yyjson_val *v = json_get(o, key);
    return yyjson_is_int(v) ? yyjson_get_sint(v) : 0;
}

static uint64_t get_uint(yyjson_val *o, const char *key)
{
    yyjson_val *v = json_get(o, key);
    return yyjson_is_uint(v) ? yyjson_get_uint(v) : 0;
}

static str get_str(yyjson_val *o, const char *key, struct arena *a)
{
    return arena_dup(a, json_str(o, key));
}

static int parse_shard(yyjson_val *v, struct arena *a, struct manifest_shard *out, struct err *e)
{
    *out = (struct manifest_shard){
        .kind = get_str(v, "kind", a),
        .platform = get_str(v, "platform", a),
        .ecosystem = get_str(v, "ecosystem", a),
        .file = get_str(v, "file", a),
        .sha256 = get_str(v, "sha256", a),
        .size = get_uint(v, "size"),
    };
    struct sha256 digest;
    if (!file_ok(out->file) || out->size == 0)
        return err_set(e, ERR_FORMAT, "a shard without a usable file name or size");
    return sha256_parse(out->sha256, &digest, e);
}

static int parse_drops(yyjson_val *drops, struct arena *a, struct vulndb_source *s, struct err *e)
{
    size_t n = yyjson_obj_size(drops), i, max;
    struct drop_count *list = arena_calloc(a, n ? n : 1, sizeof *list);
    if (!list)
        return err_no_memory(e);
    yyjson_val *key, *val;
    yyjson_obj_foreach(drops, i, max, key, val)
    {
        list[i].reason = arena_dup(a, json_text(key)).p;
        list[i].n = yyjson_is_uint(val) ? yyjson_get_uint(val) : 0;
    }
    s->drops = list;
    s->n_drops = n;
    return 0;
}

static int parse_source(yyjson_val *v, struct arena *a, struct manifest_source *out, struct err *e)
{
    struct vulndb_source *s = &out->info;
    *s = (struct vulndb_source){
        .name = get_str(v, "name", a),
        .loaded = get_int(v, "loaded"),
        .upstream_date = get_int(v, "upstream_date"),
        .upstream_version = get_str(v, "upstream_version", a),
        .records = get_uint(v, "records"),
        .vulns = get_uint(v, "vulns"),
        .claims = get_uint(v, "claims"),
        .dropped = get_uint(v, "dropped"),
        .bytes = get_uint(v, "bytes"),
        .digest = get_str(v, "digest", a),
    };
    if (s->name.n == 0)
        return err_set(e, ERR_FORMAT, "a source without a name");
    int r = parse_drops(json_get(v, "drops"), a, s, e);
    yyjson_val *shards = json_get(v, "shards"), *item;
    size_t i, max;
    out->n_shards = yyjson_arr_size(shards);
    out->shards = arena_calloc(a, out->n_shards + 1, sizeof *out->shards);
    if (r == 0 && !out->shards)
        r = err_no_memory(e);
    yyjson_arr_foreach(shards, i, max, item)
    {
        if (r == 0)
            r = parse_shard(item, a, &out->shards[i], e);
    }
    return r;
}

int manifest_parse(str text, struct arena *a, struct manifest *out, struct err *e)
{
    auto_json *doc = NULL;
    *out = (struct manifest){0};
    int r = json_parse(text, "manifest.json", &doc, e);
    if (r < 0)
        return r;
    yyjson_val *root = yyjson_doc_get_root(doc), *item;
    if (get_uint(root, "format") != MANIFEST_FORMAT)
        return err_set(e, ERR_UNSUPPORTED,
                       "the database has another format than this kellet reads: load the feeds "
                       "again with `kellet feeds`");
    yyjson_val *sources = json_get(root, "sources"), *aliases = json_get(root, "aliases");
    size_t i, max;
    out->epoch = get_uint(root, "epoch");
    out->n_sources = yyjson_arr_size(sources);
    out->sources = arena_calloc(a, out->n_sources + 1, sizeof *out->sources);
    if (!out->sources)
        return err_no_memory(e);
    yyjson_arr_foreach(sources, i, max, item)
    {
        r = parse_source(item, a, &out->sources[i], e);
        if (r < 0)
            return r;
        if (i && str_cmp(out->sources[i - 1].info.name, out->sources[i].info.name) >= 0)
            return err_set(e, ERR_FORMAT, "the sources of the manifest are not in order");
    }
    if (aliases)
        r = parse_shard(aliases, a, &out->aliases, e);
    return r < 0 ? r : a->full ? err_no_memory(e) : 0;
}

int manifest_read(const char *path, struct arena *a, struct manifest *out, struct err *e)
{
    auto_buf text;
    buf_init(&text, MANIFEST_MAX);
    int r = fs_read(path, &text, e);
    if (r < 0)
        return r;
    r = manifest_parse(buf_view(&text), a, out, e);
    return r < 0 ? err_wrap(e, "%s", path) : 0;
}

static void print_member(struct buf *out, const char *key, str value)
{
    buf_addf(out, "\"%s\": ", key);
    json_put_string(out, value);
    buf_add_str(out, STR(", "));
}

static void print_shard(const struct manifest_shard *s, struct buf *out)
{
    buf_add_char(out, '{');
    print_member(out, "kind", s->kind);
    if (s->platform.n)
        print_member(out, "platform", s->platform);
    if (s->ecosystem.n)
        print_member(out, "ecosystem", s->ecosystem);
    print_member(out, "file", s->file);
    print_member(out, "sha256", s->sha256);
    buf_addf(out, "\"size\": %llu}", (unsigned long long)s->size);
}

static void print_source(const struct manifest_source *m, struct buf *out)
{
    const struct vulndb_source *s = &m->info;
    buf_add_str(out, STR("  {"));
    print_member(out, "name", s->name);
    print_member(out, "upstream_version", s->upstream_version);
    print_member(out, "digest", s->digest);
    buf_addf(out, "\"loaded\": %lld, \"upstream_date\": %lld, ", (long long)s->loaded,
             (long long)s->upstream_date);
    buf_addf(out, "\"records\": %llu, \"vulns\": %llu, \"claims\": %llu, ",
             (unsigned long long)s->records, (unsigned long long)s->vulns,
             (unsigned long long)s->claims);
    buf_addf(out, "\"dropped\": %llu, \"bytes\": %llu,\n   \"drops\": {",
             (unsigned long long)s->dropped, (unsigned long long)s->bytes);
    for (size_t i = 0; i < s->n_drops; i++) {
        if (i)
            buf_add_str(out, STR(", "));
        json_put_string(out, str_z(s->drops[i].reason));
        buf_addf(out, ": %llu", (unsigned long long)s->drops[i].n);
    }
    buf_add_str(out, STR("},\n   \"shards\": ["));
    for (size_t i = 0; i < m->n_shards; i++) {
        buf_add_str(out, i ? STR(",\n    ") : STR("\n    "));
        print_shard(&m->shards[i], out);
    }
    buf_add_str(out, STR("]}"));
}

void manifest_print(const struct manifest *m, struct buf *out)
{
    buf_addf(out, "{\"format\": %d, \"epoch\": %llu,\n \"sources\": [", MANIFEST_FORMAT,
             (unsigned long long)m->epoch);
    for (size_t i = 0; i < m->n_sources; i++) {
        buf_add_str(out, i ? STR(",\n") : STR("\n"));
        print_source(&m->sources[i], out);
    }
    buf_add_str(out, STR("]"));
    if (m->aliases.file.n) {
        buf_add_str(out, STR(",\n \"aliases\": "));
        print_shard(&m->aliases, out);
    }
    buf_add_str(out, STR("}\n"));
}

str manifest_digest(const struct manifest_source *s, struct arena *a)
{
    auto_buf all;
    char text[SHA256_TEXT];
    buf_init(&all, MANIFEST_MAX);
    for (size_t i = 0; i < s->n_shards; i++) {
        buf_add_str(&all, s->shards[i].sha256);
        buf_add_char(&all, '\n');
    }
    struct sha256 digest = sha256_of(all.p, all.n);
    return arena_dup(a, str_z(sha256_format(&digest, text)));
}
