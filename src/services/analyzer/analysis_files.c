#include "base/auto.h"
#include "net/base64.h"
#include "services/analyzer/analysis.h"

#include <stdlib.h>

static const char *const type_names[] = {
    [FACT_FILE] = "file",  [FACT_DIR] = "dir",      [FACT_SYMLINK] = "slink",
    [FACT_DEVICE] = "dev", [FACT_FIFO] = "UNKNOWN", [FACT_OTHER] = "UNKNOWN",
};

static void put_path(struct buf *b, str path)
{
    if (!path.n) {
        buf_add_str(b, STR("\"/.\""));
        return;
    }
    size_t at = b->n;
    json_put_ascii(b, path); /* "path" -> "/path" */
    buf_add_char(b, '"');
    if (!buf_ok(b))
        return;
    memmove(b->p + at + 2, b->p + at + 1, b->n - at - 2);
    b->p[at + 1] = '/';
}

void analysis_add_hex(struct buf *b, const unsigned char *p, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    char *to = buf_reserve(b, 2 * n);
    for (size_t i = 0; to && i < n; i++) {
        to[2 * i] = hex[p[i] >> 4];
        to[2 * i + 1] = hex[p[i] & 15];
    }
    b->n += to ? 2 * n : 0;
}

void analysis_add_number(struct buf *b, uint64_t v, unsigned radix, unsigned digits)
{
    char text[64];
    size_t at = sizeof text;
    for (; v || digits || at == sizeof text; v /= radix, digits -= digits > 0)
        text[--at] = (char)('0' + v % radix);
    buf_add(b, text + at, sizeof text - at);
}

static void put_digest(struct buf *b, str key, const unsigned char *digest, size_t n)
{
    buf_add_str(b, key);
    buf_add_char(b, '"');
    analysis_add_hex(b, digest, n);
    buf_add_char(b, '"');
}

static void put_file(struct buf *b, const struct image_file *f)
{
    bool link = f->type == FACT_SYMLINK;
    buf_add_str(b, STR("\n    {\n      \"filename\": "));
    put_path(b, f->path);
    buf_add_str(b, STR(",\n      \"gid\": "));
    analysis_add_number(b, f->gid, 10, 1);
    buf_add_str(b, STR(",\n      \"linkdest\": "));
    if (link)
        json_put_ascii(b, f->link);
    else
        buf_add_str(b, STR("null"));
    if (f->digests & FACT_MD5 && f->type == FACT_FILE)
        put_digest(b, STR(",\n      \"md5\": "), f->md5, sizeof f->md5);
    buf_add_str(b, STR(",\n      \"mode\": \""));
    analysis_add_number(b, f->mode, 8, 5);
    buf_add_char(b, '"');
    if (f->digests & FACT_SHA1 && f->type == FACT_FILE)
        put_digest(b, STR(",\n      \"sha1\": "), f->sha1, sizeof f->sha1);
    if (f->has_digest && f->type == FACT_FILE)
        put_digest(b, STR(",\n      \"sha256\": "), f->digest.b, sizeof f->digest.b);
    else
        buf_add_str(b, STR(",\n      \"sha256\": null"));
    buf_add_str(b, STR(",\n      \"size\": "));
    analysis_add_number(b, link ? f->link.n : f->size, 10, 1);
    buf_add_str(b, STR(",\n      \"type\": \""));
    buf_add_str(b, str_z(type_names[f->type]));
    buf_add_str(b, STR("\",\n      \"uid\": "));
    analysis_add_number(b, f->uid, 10, 1);
    buf_add_str(b, STR("\n    }"));
}

/* About as many bytes as the list takes: growing step by step would copy it again and again. */
static void make_room(const struct inventory *inv, struct buf *b)
{
    enum { ENTRY = 310 }; /* of JSON, beside the names */
    size_t n = 0;
    for (size_t i = 0; i < inv->n_files; i++)
        n += ENTRY + inv->files[i].path.n + inv->files[i].link.n;
    if (n < b->max)
        buf_reserve(b, n);
}

int analysis_list_files(const struct analysis_input *in, struct buf *b, struct err *e)
{
    make_room(in->inv, b);
    buf_add_str(b, STR("{\n  \"content\": ["));
    for (size_t i = 0; i < in->inv->n_files; i++) {
        if (i)
            buf_add_char(b, ',');
        put_file(b, &in->inv->files[i]);
    }
    buf_add_str(b, in->inv->n_files ? STR("\n  ],\n") : STR("],\n"));
    buf_add_str(b, STR("  \"content_type\": \"files\",\n  \"imageDigest\": "));
    json_put_ascii(b, in->digest);
    buf_add_str(b, STR("\n}\n"));
    return buf_check(b, "the list of files", e);
}

/* ---- what was found in files -------------------------------------------------------------------
 */

static int by_path(const void *a, const void *b)
{
    return str_cmp((*(const struct image_file *const *)a)->path,
                   (*(const struct image_file *const *)b)->path);
}

static size_t sorted_files(const struct inventory *inv, struct arena *a,
                           const struct image_file ***out)
{
    size_t n = 0;
    for (size_t i = 0; i < inv->n_files; i++)
        n += inv->files[i].content.p || inv->files[i].n_matches || inv->files[i].malware.p;
    const struct image_file **list = arena_calloc(a, n + 1, sizeof(struct image_file *));
    *out = list;
    if (!list)
        return 0;
    n = 0;
    for (size_t i = 0; i < inv->n_files; i++)
        if (inv->files[i].content.p || inv->files[i].n_matches || inv->files[i].malware.p)
            list[n++] = &inv->files[i];
    qsort(list, n, sizeof *list, by_path);
    return n;
}

/* Base64 in lines of 76 characters, each with its end. */
static void base64_lines(str bytes, struct buf *out)
{
    enum { line = 57 };
    for (size_t i = 0; i < bytes.n; i += line) {
        base64_encode(str_sub(bytes, i, i + line), out);
        buf_add_char(out, '\n');
    }
}

static void put_absolute(yyjson_mut_doc *d, yyjson_mut_val *o, struct arena *a, str path)
{
    put_str(d, o, "path", arena_printf(a, "/%.*s", STR_ARG(path)));
}

static bool wanted(const struct analyzer_settings *s, str path)
{
    for (size_t i = 0; i < s->n_retrieve; i++)
        if (str_eq(str_from(s->facts.retrieve[i], 1), path))
            return true;
    return false;
}

static int list_retrieved(struct analysis *s, const struct analysis_input *in,
                          const struct image_file *const *files, size_t n, struct err *e)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++) {
        if (!files[i]->content.p || !wanted(in->settings, files[i]->path))
            continue;
        auto_buf text;
        buf_init(&text, ANALYSIS_DOCUMENT_MAX);
        base64_lines(files[i]->content, &text);
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        put_str(d, o, "b64_content", text.n ? buf_view(&text) : STR(""));
        put_absolute(d, o, &s->arena, files[i]->path);
    }
    struct buf *b = analysis_begin(s, "retrieved_files");
    int rc = b && list ? json_pretty(list, b, e) : err_no_memory(e);
    yyjson_mut_doc_free(d);
    return rc;
}

/* The matches of one file by rules [from, to), as a list of rules with their lines. */
static void add_matches(yyjson_mut_doc *d, yyjson_mut_val *list, struct analysis *s,
                        const struct facts_wanted *w, const struct image_file *f, size_t from,
                        size_t to)
{
    yyjson_mut_val *o = NULL, *matches = NULL, *lines = NULL;
    uint32_t rule = UINT32_MAX;
    for (size_t i = 0; i < f->n_matches; i++) {
        const struct fact_match *m = &f->matches[i];
        if (m->rule < from || m->rule >= to)
            continue;
        if (!o) {
            o = yyjson_mut_arr_add_obj(d, list);
            put_absolute(d, o, &s->arena, f->path);
            matches = yyjson_mut_obj_add_arr(d, o, "matches");
        }
        if (m->rule != rule) {
            rule = m->rule;
            yyjson_mut_val *r = yyjson_mut_arr_add_obj(d, matches);
            put_str(d, r, "name", w->rules[rule].name);
            put_str(d, r, "regex", w->rules[rule].pattern);
            lines = yyjson_mut_obj_add_arr(d, r, "lines");
        }
        yyjson_mut_arr_add_uint(d, lines, m->line);
    }
}

static int list_search(struct analysis *s, const struct analysis_input *in, const char *type,
                       const struct image_file *const *files, size_t n, size_t from, size_t to,
                       struct err *e)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++)
        add_matches(d, list, s, &in->settings->facts, files[i], from, to);
    struct buf *b = analysis_begin(s, type);
    int rc = b && list ? json_pretty(list, b, e) : err_no_memory(e);
    yyjson_mut_doc_free(d);
    return rc;
}

/* "ClamAV 1.0.7/27390/Tue Sep  3 ...": the daemon tells the version of the daily signatures. */
static void add_scanner(yyjson_mut_doc *d, yyjson_mut_val *metadata, str version)
{
    str rest = version, program = str_split(&rest, '/'), daily = str_split(&rest, '/');
    yyjson_mut_val *db = yyjson_mut_obj_add_obj(d, metadata, "db_version");
    put_str(d, db, "bytecode", STR(""));
    put_str(d, db, "daily", daily);
    put_str(d, db, "main", STR(""));
    yyjson_mut_obj_add_bool(d, metadata, "db_update_enabled", false);
    put_str(d, metadata, "engine", program);
}

static int list_malware(struct analysis *s, const struct analysis_input *in,
                        const struct image_file *const *files, size_t n, struct err *e)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    if (in->clamd.n) {
        yyjson_mut_val *scan = yyjson_mut_arr_add_obj(d, list);
        yyjson_mut_obj_add_bool(d, scan, "enabled", true);
        yyjson_mut_val *findings = yyjson_mut_obj_add_arr(d, scan, "findings");
        for (size_t i = 0; i < n; i++) {
            if (!files[i]->malware.p)
                continue;
            yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, findings);
            put_absolute(d, o, &s->arena, files[i]->path);
            put_str(d, o, "signature", files[i]->malware);
        }
        add_scanner(d, yyjson_mut_obj_add_obj(d, scan, "metadata"), in->clamd);
        put_str(d, scan, "scanner", STR("clamav"));
    }
    int rc = analysis_add_content(s, "malware", in->digest, d, list, e);
    yyjson_mut_doc_free(d);
    return rc;
}

int analysis_files(struct analysis *s, const struct analysis_input *in, struct err *e)
{
    const struct analyzer_settings *w = in->settings;
    const struct image_file **found = NULL;
    size_t n = sorted_files(in->inv, &s->arena, &found);
    int rc = list_retrieved(s, in, found, n, e);
    if (rc >= 0)
        rc = list_search(s, in, "secret_search", found, n, 0, w->n_secrets, e);
    if (rc >= 0)
        rc = list_search(s, in, "file_content_search", found, n, w->n_secrets, w->facts.n_rules, e);
    return rc < 0 ? rc : list_malware(s, in, found, n, e);
}
