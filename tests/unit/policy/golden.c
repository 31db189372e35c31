#include "golden.h"

#include "base/buf.h"
#include "codec/json.h"
#include "codec/stream.h"

#include <stdlib.h>
#include <sys/stat.h>

bool golden_here(void)
{
    return shared_path("data/api/golden/kitchen1/content_files.json") != NULL;
}

str golden_text(struct arena *a, const char *relative)
{
    char path[500];
    struct err e = {0};
    auto_buf b;
    snprintf(path, sizeof path, "data/api/%s", relative);
    const char *full = shared_path(path);
    assert_non_null(full);
    buf_init(&b, 256 << 20);
    assert_ok(fs_read(full, &b, &e));
    str text = arena_dup(a, buf_view(&b));
    assert_non_null(text.p);
    return text;
}

static yyjson_val *document(struct golden *g, const char *name, const char *file, yyjson_doc **doc)
{
    char path[300];
    struct err e = {0};
    snprintf(path, sizeof path, "golden/%s/%s.json", name, file);
    assert_ok(json_parse(golden_text(&g->arena, path), file, doc, &e));
    return yyjson_doc_get_root(*doc);
}

static str copy(struct golden *g, str s)
{
    str out = arena_dup(&g->arena, s);
    assert_non_null(out.p);
    return out;
}

static str base64(struct golden *g, str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = arena_alloc(&g->arena, s.n + 1);
    assert_non_null(out);
    size_t n = 0, bits = 0;
    unsigned acc = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(digits, s.p[i]) : NULL;
        if (!at)
            continue;
        acc = acc << 6 | (unsigned)(at - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char)(acc >> bits);
        }
    }
    return (str){out, n};
}

static int file_order(const void *a, const void *b)
{
    return str_cmp(((const struct policy_file *)a)->path, ((const struct policy_file *)b)->path);
}

static void read_files(struct golden *g, const char *name, const char *more)
{
    auto_json *doc = NULL;
    yyjson_val *list = json_get(document(g, name, "content_files", &doc), "content"), *v;
    struct policy_file *files = arena_calloc(&g->arena, yyjson_arr_size(list) + 1, sizeof *files);
    size_t i, max, n = 0;
    assert_non_null(files);
    yyjson_arr_foreach(list, i, max, v)
    {
        str type = json_str(v, "type");
        mode_t kind = str_eq(type, STR("slink")) ? S_IFLNK
                      : str_eq(type, STR("dir")) ? S_IFDIR
                                                 : S_IFREG;
        files[n++] = (struct policy_file){
            .path = copy(g, json_str(v, "filename")),
            .mode = kind | (mode_t)strtoul(json_str(v, "mode").p, NULL, 8),
            .size = yyjson_get_uint(json_get(v, "size")),
            .sha256 = copy(g, json_str(v, "sha256")),
            .directory = kind == S_IFDIR,
        };
    }
    if (more)
        files[n++] = (struct policy_file){.path = str_z(more), .mode = S_IFREG | 0644, .size = 1};
    qsort(files, n, sizeof *files, file_order);
    g->image.files = files;
    g->image.n_files = n;
}

static int location_order(const void *a, const void *b)
{
    return str_cmp(((const struct policy_package *)a)->location,
                   ((const struct policy_package *)b)->location);
}

/* The original keeps packages of languages by their location. */
static void add_packages(struct golden *g, const char *name, const char *kind,
                         struct policy_package *out, size_t *n)
{
    char file[64];
    auto_json *doc = NULL;
    snprintf(file, sizeof file, "content_%s", kind);
    yyjson_val *list = json_get(document(g, name, file, &doc), "content"), *v;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, v)
    {
        struct policy_package *p = &out[(*n)++];
        str version = copy(g, json_str(v, "version")), rest = version;
        bool os = !strcmp(kind, "os");
        *p = (struct policy_package){
            .name = copy(g, json_str(v, "package")),
            .full_version = version,
            .version = os ? str_split(&rest, '-') : version,
            .type = copy(g, json_str(v, "type")),
            .location = os ? STR("pkgdb") : copy(g, json_str(v, "location")),
            .licence = copy(g, json_str(v, "license")),
            .scheme = os ? STR("apk") : (str){0},
        };
        assert_true(*n <= 500);
    }
    size_t added = yyjson_arr_size(list);
    if (strcmp(kind, "os"))
        qsort(out + *n - added, added, sizeof *out, location_order);
}

/* What the apk database says of its files, from the inventory document. */
static void read_manifests(struct golden *g, const char *name)
{
    char path[300];
    struct err e = {0};
    struct stream *below, *s;
    auto_buf b;
    auto_json *doc = NULL;
    snprintf(path, sizeof path, "golden/%s/sbom_native.json.gz", name);
    assert_ok(stream_from_mem(golden_text(&g->arena, path), &below, &e));
    assert_ok(stream_inflate(below, COMP_GZIP, &(struct inflate_limits){0}, &s, &e));
    buf_init(&b, 64 << 20);
    assert_ok(stream_read_all(s, &b, path, &e));
    stream_close(s);
    stream_close(below);
    assert_ok(json_parse(buf_view(&b), path, &doc, &e));
    yyjson_val *list = json_get(yyjson_doc_get_root(doc), "artifacts"), *v, *f;
    size_t i, max, k, n;
    yyjson_arr_foreach(list, i, max, v)
    {
        yyjson_val *files = json_at(v, "metadata", "files", NULL);
        struct policy_manifest_entry *m =
            arena_calloc(&g->arena, yyjson_arr_size(files) + 1, sizeof *m);
        size_t n_entries = 0;
        assert_non_null(m);
        if (!str_eq(json_str(v, "type"), STR("apk")))
            continue;
        yyjson_arr_foreach(files, k, n, f)
        {
            str mode = json_str(f, "permissions"),
                digest = json_str(json_get(f, "digest"), "value");
            if (!digest.n) /* a directory: the list of files has none */
                continue;
            m[n_entries++] = (struct policy_manifest_entry){
                .path = copy(g, json_str(f, "path")),
                .mode = mode.n ? (uint32_t)strtoul(mode.p, NULL, 8) : 0,
                .algorithm = STR("sha1"),
                .digest = copy(g, digest),
            };
        }
        for (size_t p = 0; p < g->image.n_packages; p++)
            if (str_eq(g->image.packages[p].name, json_str(v, "name"))) {
                ((struct policy_package *)g->image.packages)[p].manifest = m;
                ((struct policy_package *)g->image.packages)[p].n_manifest = n_entries;
            }
    }
}

static const struct policy_match *read_search(struct golden *g, const char *name, const char *file,
                                              size_t *n)
{
    auto_json *doc = NULL;
    yyjson_val *list = document(g, name, file, &doc), *v, *m;
    struct policy_match *out = arena_calloc(&g->arena, 1000, sizeof *out);
    size_t i, max, k, end;
    assert_non_null(out);
    yyjson_arr_foreach(list, i, max, v) yyjson_arr_foreach(json_get(v, "matches"), k, end, m)
    {
        assert_true(*n < 1000);
        out[(*n)++] =
            (struct policy_match){copy(g, json_str(v, "path")), copy(g, json_str(m, "name")),
                                  copy(g, json_str(m, "regex"))};
    }
    return out;
}

static void read_retrieved(struct golden *g, const char *name)
{
    auto_json *doc = NULL;
    yyjson_val *list = document(g, name, "artifacts_retrieved_files", &doc), *v;
    struct policy_retrieved *out = arena_calloc(&g->arena, yyjson_arr_size(list) + 1, sizeof *out);
    size_t i, max;
    assert_non_null(out);
    yyjson_arr_foreach(list, i, max, v)
    {
        out[i].path = copy(g, json_str(v, "path"));
        out[i].content = base64(g, json_str(v, "b64_content"));
    }
    g->image.retrieved = out;
    g->image.n_retrieved = yyjson_arr_size(list);
}

static void read_record(struct golden *g, const char *name)
{
    auto_json *doc = NULL;
    yyjson_val *v = document(g, name, "image", &doc);
    if (yyjson_is_arr(v))
        v = yyjson_arr_get_first(v);
    yyjson_val *m = json_at(v, "image_content", "metadata", NULL);
    yyjson_val *detail = yyjson_arr_get_first(json_get(v, "image_detail"));
    struct policy_image *i = &g->image;
    i->architecture = copy(g, json_str(m, "arch"));
    i->os = STR("linux");
    i->distro = i->distro_like = copy(g, json_str(m, "distro"));
    i->distro_version = copy(g, json_str(m, "distro_version"));
    i->dockerfile_mode = copy(g, json_str(m, "dockerfile_mode"));
    i->size = yyjson_get_sint(json_get(m, "image_size"));
    i->n_layers = yyjson_get_sint(json_get(m, "layer_count"));
    i->dockerfile = base64(g, json_str(detail, "dockerfile"));
    i->digest = copy(g, json_str(v, "imageDigest"));
    i->id = copy(g, json_str(detail, "imageId"));
}

void golden_open(const char *name, const char *more, struct golden *g)
{
    static const char *const kinds[] = {"os", "npm", "gem", "python", "java", "go", "binary"};
    memset(g, 0, sizeof *g);
    arena_init(&g->arena, 256 << 20);
    struct policy_package *packages = arena_calloc(&g->arena, 500, sizeof *packages);
    assert_non_null(packages);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        add_packages(g, name, kinds[i], packages, &g->image.n_packages);
    g->image.packages = packages;
    read_files(g, name, more);
    read_manifests(g, name);
    g->image.content_search =
        read_search(g, name, "artifacts_file_content_search", &g->image.n_content_search);
    g->image.secret_search =
        read_search(g, name, "artifacts_secret_search", &g->image.n_secret_search);
    read_retrieved(g, name);
    read_record(g, name);
    g->image.have = ~0u & ~(unsigned)(PART_FINDINGS | PART_HISTORY | PART_FEEDS);
    g->subject = (struct policy_subject){.account = STR("admin"),
                                         .tag = STR("docker.io/library/x:latest"),
                                         .image = &g->image,
                                         .now_us = 1795800000000000};
}

void golden_close(struct golden *g)
{
    arena_done(&g->arena);
}
