#include "services/import_analysis.h"

#include "base/auto.h"
#include "net/base64.h"
#include "services/import_analysis_parts.h"

enum { INVENTORY_MAX = 1 << 30, SETTINGS_MAX = 64 << 20, CONFIG_MAX = 64 << 20 };

/* ---- reading -----------------------------------------------------------------------------------
 */

yyjson_val *import_base(const struct import_source *s, const char *analyzer, const char *element)
{
    yyjson_val *v = json_at(s->report, analyzer, element, "base", NULL);
    return yyjson_is_obj(v) ? v : NULL;
}

yyjson_val *import_value(yyjson_val *v, yyjson_doc **held)
{
    *held = NULL;
    if (!yyjson_is_str(v))
        return v;
    return json_parse(json_text(v), "value", held, NULL) < 0 ? NULL : yyjson_doc_get_root(*held);
}

str import_keep(struct inventory *inv, str s)
{
    static const str nothing[] = {STR_INIT("N/A"), STR_INIT("none"), STR_INIT("None"),
                                  STR_INIT("(none)"), STR_INIT("Unknown")};
    for (size_t i = 0; i < KE_ARRAY_LEN(nothing); i++)
        if (str_eq(s, nothing[i]))
            return STR("");
    return s.n ? arena_dup(&inv->arena, s) : STR("");
}

str import_relative(str path)
{
    while (path.n && path.p[0] == '/')
        path = str_from(path, 1);
    return str_eq(path, STR(".")) ? STR("") : path;
}

/* ---- the image ---------------------------------------------------------------------------------
 */

static void read_release(struct import_source *s)
{
    struct inventory *inv = s->inv;
    yyjson_val *meta = import_base(s, "analyzer_meta", "analyzer_meta");
    str id = json_str(meta, "DISTRO"), like = json_str(meta, "LIKEDISTRO");
    inv->release.id = import_keep(inv, str_eq(id, STR("redhat")) ? STR("rhel") : id);
    inv->release.version_id = import_keep(inv, json_str(meta, "DISTROVERS"));
    inv->release.id_like = import_keep(inv, like);
    for (size_t i = 0; i < inv->release.id_like.n; i++) /* as os-release has it */
        if (inv->release.id_like.p[i] == ',')
            ((char *)inv->release.id_like.p)[i] = ' ';
}

static int read_layers(struct inventory *inv, yyjson_val *image, str manifest, struct err *e)
{
    size_t i, n;
    yyjson_val *v, *list = json_get(image, "layers");
    auto_json *doc = NULL;
    if (manifest.n && json_parse(manifest, "image_manifest", &doc, e) < 0)
        return e->code;
    yyjson_val *root = doc ? yyjson_doc_get_root(doc) : NULL, *sized = json_get(root, "layers");
    n = yyjson_arr_size(list) ? yyjson_arr_size(list) : yyjson_arr_size(sized);
    /* inventory_free() frees them */
    struct layer_ref *layers = calloc(n + 1, sizeof *layers);
    if (!layers)
        return err_no_memory(e);
    inv->layers = layers;
    inv->n_layers = n;
    for (i = 0; i < n; i++) {
        v = yyjson_arr_get(sized, i);
        str digest = json_text(yyjson_arr_get(list, i));
        yyjson_val *size = json_get(v, "size");
        layers[i] = (struct layer_ref){
            .diff_id = STR(""),
            .digest = import_keep(inv, digest.n ? digest : json_str(v, "digest")),
            .media_type = import_keep(inv, json_str(v, "mediaType")),
            .size = yyjson_is_uint(size) ? yyjson_get_uint(size) : 0,
        };
    }
    inv->manifest_json = import_keep(inv, manifest);
    return 0;
}

static void put_step(struct buf *b, yyjson_val *step)
{
    static const char *const members[][2] = {
        {"created", "Created"}, {"created_by", "CreatedBy"}, {"comment", "Comment"}};
    str id = json_str(step, "Id");
    buf_add_char(b, '{');
    for (size_t i = 0; i < KE_ARRAY_LEN(members); i++) {
        buf_addf(b, "%s\"%s\": ", i ? ", " : "", members[i][0]);
        json_put_string(b, json_str(step, members[i][1]));
    }
    buf_addf(b, ", \"empty_layer\": %s}", !id.n || str_eq(id, STR("<missing>")) ? "true" : "false");
}

/* The configuration is not part of the report; what is known of it is. */
static int make_config(struct inventory *inv, yyjson_val *image, struct err *e)
{
    size_t i, n;
    yyjson_val *v, *held_value;
    auto_json *held = NULL;
    auto_buf b;
    str arch = json_str(json_get(image, "docker_data"), "Architecture");
    buf_init(&b, CONFIG_MAX);
    buf_add_str(&b, STR("{\"architecture\": "));
    json_put_string(&b, arch);
    buf_add_str(&b, STR(", \"os\": \"linux\", \"history\": ["));
    held_value = import_value(json_get(image, "docker_history"), &held);
    yyjson_arr_foreach(held_value, i, n, v)
    {
        if (i)
            buf_add_str(&b, STR(", "));
        put_step(&b, v);
    }
    buf_add_str(&b, STR("]}"));
    inv->architecture = import_keep(inv, arch);
    inv->os = STR("linux");
    inv->config_json = arena_dup(&inv->arena, buf_view(&b));
    return buf_check(&b, "the image's history", e);
}

static int read_dockerfile(struct import_analysis *a, yyjson_val *image, struct err *e)
{
    auto_buf b;
    buf_init(&b, CONFIG_MAX);
    if (!str_eq(json_str(image, "dockerfile_mode"), STR("Actual")))
        return 0;
    base64_encode(json_str(image, "dockerfile_contents"), &b);
    a->dockerfile = arena_dup(&a->inv->arena, b.n ? buf_view(&b) : STR(""));
    return buf_check(&b, "the Dockerfile", e);
}

/* Each scanner's finding is a value, or text with one. */
static int read_malware(struct import_analysis *a, struct import_source *s, struct err *e)
{
    size_t i, n;
    yyjson_val *key, *v, *found = import_base(s, "malware", "malware");
    auto_buf b;
    buf_init(&b, CONFIG_MAX);
    yyjson_obj_foreach(found, i, n, key, v)
    {
        auto_json *held = NULL;
        yyjson_val *value = import_value(v, &held);
        autofree char *text = yyjson_is_obj(value) ? yyjson_val_write(value, 0, NULL) : NULL;
        if (!text) {
            s->odd++;
            continue;
        }
        buf_add_str(&b, b.n ? STR(", ") : STR("["));
        buf_add_str(&b, str_z(text));
    }
    if (!b.n)
        return 0;
    buf_add_char(&b, ']');
    a->malware = arena_dup(&a->inv->arena, buf_view(&b));
    return buf_check(&b, "the findings of malware", e);
}

static int note_odd(struct import_source *s, struct err *e)
{
    struct inventory *inv = s->inv;
    if (!s->odd)
        return 0;
    return inventory_add_problem(
        inv, "parse",
        arena_printf(&inv->arena,
                     "%zu entries of the imported analysis could not be read or are of "
                     "types that are not known here",
                     s->odd),
        e);
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

static int read_all(struct import_analysis *a, struct import_source *s, yyjson_val *image,
                    str manifest, struct err *e)
{
    read_release(s);
    int rc = read_layers(a->inv, image, manifest, e);
    if (rc >= 0)
        rc = make_config(a->inv, image, e);
    if (rc >= 0)
        rc = read_dockerfile(a, image, e);
    if (rc >= 0)
        rc = import_packages(s, e);
    if (rc >= 0)
        rc = import_files(s, &a->settings, e);
    if (rc >= 0)
        rc = read_malware(a, s, e);
    if (rc >= 0)
        rc = note_odd(s, e);
    if (rc >= 0 && (a->inv->arena.full || a->settings.arena.full))
        rc = err_set(e, ERR_LIMIT, "the analysis needs more than %d MiB", INVENTORY_MAX >> 20);
    return rc;
}

int import_analysis_read(yyjson_val *document, str manifest, str digest, str id,
                         struct import_analysis *out, struct err *e)
{
    yyjson_val *list = json_get(document, "document");
    yyjson_val *image = json_get(yyjson_arr_get_first(list ? list : document), "image");
    yyjson_val *data = json_get(image, "imagedata");
    *out = (struct import_analysis){.inv = calloc(1, sizeof *out->inv)};
    if (!out->inv)
        return err_no_memory(e);
    arena_init(&out->inv->arena, INVENTORY_MAX);
    arena_init(&out->settings.arena, SETTINGS_MAX);
    struct import_source s = {.inv = out->inv, .report = json_get(data, "analysis_report")};
    if (!yyjson_is_obj(s.report))
        return err_set(e, ERR_FORMAT, "the analysis has no analysis_report of an image");
    struct inventory *inv = out->inv;
    inv->source_kind = STR("import");
    inv->source = inv->reference = inv->manifest_digest = import_keep(inv, digest);
    inv->config_digest = import_keep(inv, id);
    return read_all(out, &s, json_get(data, "image_report"), manifest, e);
}

void import_analysis_done(struct import_analysis *a)
{
    inventory_free(a->inv);
    arena_done(&a->settings.arena);
}
