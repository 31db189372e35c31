#include "base/auto.h"
#include "net/base64.h"
#include "services/analyzer/analysis.h"

static int add_metadata(struct analysis *s, const struct analysis_input *in, const char *type,
                        str bytes, struct err *e)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    struct buf *b = analysis_begin(s, type);
    auto_buf text;
    buf_init(&text, ANALYSIS_DOCUMENT_MAX);
    put_str(d, o, "imageDigest", in->digest);
    put_str(d, o, "metadata_type", str_z(type));
    if (bytes.p) {
        for (size_t i = 0; i < bytes.n; i += 57) {
            base64_encode(str_sub(bytes, i, i + 57), &text);
            buf_add_char(&text, '\n');
        }
        put_str(d, o, "metadata", text.n ? buf_view(&text) : STR(""));
    } else {
        yyjson_mut_obj_add_arr(d, o, "metadata");
    }
    int rc = b && o ? json_pretty(o, b, e) : err_no_memory(e);
    yyjson_mut_doc_free(d);
    return rc;
}

/* One line of the history in the form that clients of the original read. */
static void put_history(struct buf *b, yyjson_val *h, const struct layer_ref *layer)
{
    buf_add_str(b, b->n > 1 ? STR(", {\"Created\": ") : STR("{\"Created\": "));
    json_put_ascii(b, json_str(h, "created"));
    buf_add_str(b, STR(", \"CreatedBy\": "));
    json_put_ascii(b, json_str(h, "created_by"));
    buf_add_str(b, STR(", \"Comment\": \"\", \"Id\": "));
    json_put_ascii(b, layer ? layer->digest : STR("<missing>"));
    buf_addf(b, ", \"Size\": %llu, \"Tags\": []}", (unsigned long long)(layer ? layer->size : 0));
}

static void write_history(const struct inventory *inv, yyjson_val *config, struct buf *b)
{
    size_t i, n, layer = 0;
    yyjson_val *h;
    buf_add_char(b, '[');
    yyjson_arr_foreach(json_get(config, "history"), i, n, h)
    {
        bool empty = yyjson_is_true(json_get(h, "empty_layer"));
        put_history(b, h, !empty && layer < inv->n_layers ? &inv->layers[layer] : NULL);
        layer += !empty;
    }
    for (; layer < inv->n_layers; layer++)
        put_history(b, NULL, &inv->layers[layer]);
    buf_add_char(b, ']');
}

static void guess_dockerfile(yyjson_val *config, struct buf *b)
{
    static const str shell = STR_INIT("/bin/sh -c #(nop)");
    size_t i, n;
    yyjson_val *h;
    buf_add_str(b, STR("FROM scratch\n"));
    yyjson_arr_foreach(json_get(config, "history"), i, n, h)
    {
        str by = json_str(h, "created_by");
        if (str_starts(by, shell)) {
            by = str_from(by, shell.n);
            while (by.n && by.p[0] == ' ')
                by = str_from(by, 1);
        } else if (by.n) {
            buf_add_str(b, STR("RUN "));
        }
        buf_add_str(b, by);
        buf_add_char(b, '\n');
    }
}

static int add_dockerfile(struct analysis *s, const struct analysis_input *in, yyjson_val *config,
                          struct err *e)
{
    auto_buf text, encoded;
    buf_init(&text, ANALYSIS_DOCUMENT_MAX);
    buf_init(&encoded, ANALYSIS_DOCUMENT_MAX);
    if (in->dockerfile.n) {
        s->dockerfile_mode = STR("Actual");
        s->dockerfile = in->dockerfile;
        int rc = base64_decode(in->dockerfile, &text, e);
        return rc < 0 ? err_wrap(e, "the Dockerfile")
                      : add_metadata(s, in, "dockerfile", buf_view(&text), e);
    }
    guess_dockerfile(config, &text);
    base64_encode(buf_view(&text), &encoded);
    s->dockerfile_mode = STR("Guessed");
    s->dockerfile = arena_dup(&s->arena, buf_view(&encoded));
    return add_metadata(s, in, "dockerfile", (str){0}, e);
}

int analysis_metadata(struct analysis *s, const struct analysis_input *in, struct err *e)
{
    auto_json *config = NULL;
    auto_buf history;
    buf_init(&history, ANALYSIS_DOCUMENT_MAX);
    int rc;
    if (in->inv->config_json.n &&
        (rc = json_parse(in->inv->config_json, "the image's configuration", &config, e)) < 0)
        return rc;
    yyjson_val *root = config ? yyjson_doc_get_root(config) : NULL;
    write_history(in->inv, root, &history);
    rc = add_metadata(s, in, "manifest", in->inv->manifest_json, e);
    if (rc >= 0)
        rc = add_metadata(s, in, "docker_history", buf_view(&history), e);
    return rc < 0 ? rc : add_dockerfile(s, in, root, e);
}
