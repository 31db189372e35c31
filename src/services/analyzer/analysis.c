#include "services/analyzer/analysis.h"

#include "base/aside.h"
#include "base/auto.h"

enum { ANALYSIS_ARENA_MAX = 256 << 20 };

struct buf *analysis_begin(struct analysis *s, const char *type)
{
    if (s->n_documents == ANALYSIS_DOCUMENTS)
        return NULL;
    struct buf *b = &s->documents[s->n_documents].text;
    s->documents[s->n_documents++].type = type;
    buf_init(b, ANALYSIS_DOCUMENT_MAX);
    return b;
}

int analysis_add_content(struct analysis *s, const char *type, str digest, yyjson_mut_doc *d,
                         yyjson_mut_val *list, struct err *e)
{
    struct buf *b = analysis_begin(s, type);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    if (!b || !list || !root)
        return err_no_memory(e);
    yyjson_mut_obj_add_val(d, root, "content", list);
    put_str(d, root, "content_type", str_z(type));
    put_str(d, root, "imageDigest", digest);
    return json_pretty(root, b, e);
}

str analysis_document(const struct analysis *s, const char *type)
{
    for (size_t i = 0; i < s->n_documents; i++)
        if (str_eq(str_z(s->documents[i].type), str_z(type)))
            return buf_view(&s->documents[i].text);
    return (str){0};
}

/* The size of the squashed image as a tar archive in pax format: three blocks of headers for each
 * member, contents in blocks, padded to a record. */
static int64_t archive_size(const struct inventory *inv)
{
    enum { block = 512, record = 10240 };
    uint64_t total = 2 * block;
    for (size_t i = 0; i < inv->n_files; i++) {
        const struct image_file *f = &inv->files[i];
        total += 3 * block;
        if (f->type == FACT_FILE && !f->hard_link)
            total += (f->size + block - 1) / block * block;
    }
    return (int64_t)((total + record - 1) / record * record);
}

static int64_t layers_size(const struct inventory *inv)
{
    uint64_t total = 0;
    for (size_t i = 0; i < inv->n_layers; i++)
        total += inv->layers[i].size;
    return (int64_t)total;
}

static void add_problem(yyjson_mut_doc *d, yyjson_mut_val *list, str path, str what, str detail,
                        int64_t layer)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    put_str(d, o, "detail", detail);
    if (layer >= 0)
        put_int(d, o, "layer", layer);
    put_str(d, o, "path", path);
    put_str(d, o, "what", what);
}

static int list_problems(struct analysis *s, const struct analysis_input *in, struct err *e)
{
    const struct inventory *inv = in->inv;
    auto_buf text;
    buf_init(&text, 16 << 20);
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < inv->n_problems; i++) {
        const struct inv_problem *p = &inv->problems[i];
        add_problem(d, list, p->path, p->what, p->detail, p->layer);
    }
    for (size_t i = 0; i < inv->n_unsupported; i++)
        add_problem(d, list, STR(""), STR("unsupported"), inv->unsupported[i], -1);
    if (in->clamd_problem.n)
        add_problem(d, list, STR(""), STR("malware"), in->clamd_problem, -1);
    if (s->problems.n)
        add_problem(d, list, STR(HINTS_FILE), STR("parse"), s->problems, -1);
    s->problems = (str){0};
    int rc = 0;
    if (yyjson_mut_arr_size(list)) {
        rc = json_pretty(list, &text, e);
        s->problems = arena_dup(&s->arena, buf_view(&text));
    }
    yyjson_mut_doc_free(d);
    return rc;
}

/* The list of files is as much work as all others together: it is written at their side. */
struct listing {
    const struct analysis_input *in;
    struct buf text;
    int rc;
    struct err err;
};

static void list_aside(void *ctx)
{
    struct listing *l = ctx;
    l->rc = analysis_list_files(l->in, &l->text, &l->err);
}

static int make_others(struct analysis *s, const struct analysis_input *in, struct buf **files,
                       struct err *e)
{
    size_t hinted = in->inv->n_packages;
    int rc = analysis_hints(s, in, &hinted, e);
    if (rc >= 0)
        rc = list_problems(s, in, e);
    if (rc >= 0)
        rc = analysis_packages(s, in, hinted, e);
    if (rc >= 0 && !(*files = analysis_begin(s, "files")))
        rc = err_no_memory(e);
    if (rc >= 0)
        rc = analysis_files(s, in, e);
    if (rc >= 0)
        rc = analysis_package_files(s, in, e);
    if (rc >= 0)
        rc = analysis_metadata(s, in, e);
    return rc < 0 ? rc : analysis_sbom(s, in, e);
}

static int make(struct analysis *s, const struct analysis_input *in, struct err *e)
{
    struct listing l = {.in = in};
    struct aside aside;
    struct buf *files = NULL;
    buf_init(&l.text, ANALYSIS_DOCUMENT_MAX);
    aside_begin(&aside, list_aside, &l);
    int rc = make_others(s, in, &files, e);
    aside_end(&aside);
    if (rc >= 0 && l.rc < 0)
        rc = err_set(e, l.rc, "%s", l.err.text);
    if (rc >= 0)
        *files = l.text;
    else
        buf_done(&l.text);
    s->size = in->inv->n_files ? archive_size(in->inv) : layers_size(in->inv);
    return rc;
}

int analysis_make(const struct analysis_input *in, struct analysis **out, struct err *e)
{
    struct analysis *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(e);
    arena_init(&s->arena, ANALYSIS_ARENA_MAX);
    int rc = make(s, in, e);
    if (rc >= 0 && s->arena.full)
        rc = err_set(e, ERR_LIMIT, "the analysis needs more than %d MiB", ANALYSIS_ARENA_MAX >> 20);
    if (rc < 0) {
        analysis_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void analysis_free(struct analysis *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_documents; i++)
        buf_done(&s->documents[i].text);
    arena_done(&s->arena);
    free(s);
}
