#include "image/manifest.h"

#include "codec/digest.h"
#include "codec/json.h"

#include <sys/utsname.h>

/* ---- platforms
 * --------------------------------------------------------------------------------------- */

/* uname's machine -> Go's GOARCH, as images name it. */
static const struct {
    const char *machine, *architecture, *variant;
} machines[] = {
    {"x86_64", "amd64", ""},        {"aarch64", "arm64", "v8"}, {"armv7l", "arm", "v7"},
    {"armv6l", "arm", "v6"},        {"i686", "386", ""},        {"i386", "386", ""},
    {"ppc64le", "ppc64le", ""},     {"s390x", "s390x", ""},     {"riscv64", "riscv64", ""},
    {"loongarch64", "loong64", ""},
};

struct platform platform_host(void)
{
    struct platform p = {STR("linux"), STR("amd64"), STR("")};
    struct utsname u;
    if (uname(&u) < 0)
        return p;
    for (size_t i = 0; i < KE_ARRAY_LEN(machines); i++)
        if (strcmp(u.machine, machines[i].machine) == 0) {
            p.architecture = str_z(machines[i].architecture);
            p.variant = str_z(machines[i].variant);
        }
    return p;
}

int platform_parse(str text, struct platform *out, struct err *e)
{
    str rest = text, parts[3] = {{0}};
    size_t n = 0;
    while (rest.n && n < 3)
        parts[n++] = str_split(&rest, '/');
    if (n == 0 || rest.n || parts[0].n == 0 || (n > 1 && parts[1].n == 0))
        return err_set(e, ERR_USAGE,
                       "not a platform: \"%.*s\" (write os/architecture, as linux/arm64)",
                       STR_ARG(text));
    if (n == 1)
        *out = (struct platform){STR("linux"), parts[0], STR("")};
    else
        *out = (struct platform){parts[0], parts[1], parts[2]};
    for (size_t i = 0; i < KE_ARRAY_LEN(machines); i++) /* "x86_64" and "aarch64" are understood */
        if (str_eq(out->architecture, str_z(machines[i].machine)))
            out->architecture = str_z(machines[i].architecture);
    return 0;
}

/* ---- descriptors
 * --------------------------------------------------------------------------------------- */

static int descriptor_parse(yyjson_val *v, const char *what, struct arena *a, struct descriptor *d,
                            struct err *e)
{
    struct sha256 digest;
    if (!yyjson_is_obj(v))
        return err_set(e, ERR_FORMAT, "%s is not an object", what);
    int r = sha256_parse(json_str(v, "digest"), &digest, e);
    if (r < 0)
        return err_wrap(e, "%s", what);
    yyjson_val *size = json_get(v, "size"), *platform = json_get(v, "platform");
    d->size = yyjson_is_uint(size) ? yyjson_get_uint(size) : 0;
    d->digest = arena_dup(a, json_str(v, "digest"));
    d->media_type = arena_dup(a, json_str(v, "mediaType"));
    d->platform.os = arena_dup(a, json_str(platform, "os"));
    d->platform.architecture = arena_dup(a, json_str(platform, "architecture"));
    d->platform.variant = arena_dup(a, json_str(platform, "variant"));
    yyjson_val *notes = json_get(v, "annotations");
    d->ref_name = arena_dup(a, json_str(notes, "org.opencontainers.image.ref.name"));
    d->image_name = arena_dup(a, json_str(notes, "io.containerd.image.name"));
    d->attestation =
        str_eq(json_str(notes, "vnd.docker.reference.type"), STR("attestation-manifest")) ||
        str_eq(d->platform.os, STR("unknown"));
    auto_buf urls;
    buf_init(&urls, 16 << 10);
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(v, "urls"));
    for (yyjson_val *url; (url = yyjson_arr_iter_next(&it)) != NULL;) {
        if (urls.n)
            buf_add_char(&urls, '\n');
        buf_add_str(&urls, json_text(url));
    }
    d->urls = arena_dup(a, buf_view(&urls));
    return a->full ? err_no_memory(e) : 0;
}

static int descriptors_parse(yyjson_val *array, const char *what, size_t max, struct arena *a,
                             struct manifest *out, struct err *e)
{
    size_t n = yyjson_arr_size(array);
    if (n > max)
        return err_set(e, ERR_LIMIT, "%zu %ss, more than the limit of %zu", n, what, max);
    out->items = arena_calloc(a, n ? n : 1, sizeof *out->items);
    if (!out->items)
        return err_no_memory(e);
    yyjson_arr_iter it = yyjson_arr_iter_with(array);
    for (yyjson_val *v; (v = yyjson_arr_iter_next(&it)) != NULL;) {
        int r = descriptor_parse(v, what, a, &out->items[out->n_items], e);
        if (r < 0)
            return r;
        out->n_items++;
    }
    return 0;
}

/* ---- manifests
 * ------------------------------------------------------------------------------------------ */

int image_manifest_parse(str json, str media_type, const char *name, struct arena *a,
                         struct manifest *out, struct err *e)
{
    auto_json *doc = NULL;
    *out = (struct manifest){0};
    int r = json_parse(json, name, &doc, e);
    if (r < 0)
        return r;
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *layers = json_get(root, "layers"), *manifests = json_get(root, "manifests");
    uint64_t version = yyjson_get_uint(json_get(root, "schemaVersion"));
    if (version == 1 || json_get(root, "fsLayers"))
        return err_set(e, ERR_UNSUPPORTED,
                       "%s is a Docker schema 1 manifest, which registries stopped accepting in "
                       "2019: pull and push the image once with a current tool",
                       name);
    if (yyjson_is_arr(manifests)) {
        out->kind = MANIFEST_INDEX;
        return descriptors_parse(manifests, "manifest", INDEX_MAX, a, out, e);
    }
    if (!yyjson_is_arr(layers))
        return err_set(e, ERR_FORMAT, "%s is neither an image manifest nor an index (%.*s)", name,
                       STR_ARG(media_type.n ? media_type : STR("no media type")));
    str config_type = json_str(json_get(root, "config"), "mediaType");
    if (config_type.n && !str_contains(config_type, STR("container.image")) &&
        !str_contains(config_type, STR("image.config")))
        return err_set(e, ERR_UNSUPPORTED, "%s is not a container image but an artifact (%.*s)",
                       name, STR_ARG(config_type));
    out->kind = MANIFEST_IMAGE;
    r = descriptor_parse(json_get(root, "config"), "config", a, &out->config, e);
    if (r == 0)
        r = descriptors_parse(layers, "layer", MANIFEST_LAYERS_MAX, a, out, e);
    return r < 0 ? err_wrap(e, "%s", name) : 0;
}

static bool platform_fits(const struct platform *have, const struct platform *want, bool variant)
{
    return str_eq(have->os, want->os) && str_eq(have->architecture, want->architecture) &&
           (!variant || want->variant.n == 0 || str_eq(have->variant, want->variant));
}

static int choose_failed(const struct manifest *index, const struct platform *want, struct err *e)
{
    auto_buf list;
    buf_init(&list, 4096);
    for (size_t i = 0; i < index->n_items && list.n < 300; i++) {
        const struct platform *p = &index->items[i].platform;
        if (index->items[i].attestation)
            continue;
        buf_addf(&list, "%s%.*s/%.*s%s%.*s", list.n ? ", " : "", STR_ARG(p->os),
                 STR_ARG(p->architecture), p->variant.n ? "/" : "", STR_ARG(p->variant));
    }
    return err_set(
        e, ERR_NOT_FOUND, "no image for %.*s/%.*s; there are: %s (choose with --platform)",
        STR_ARG(want->os), STR_ARG(want->architecture), list.n ? buf_z(&list) : "none at all");
}

int manifest_choose(const struct manifest *index, const struct platform *want, bool asked,
                    const struct descriptor **out, struct err *e)
{
    const struct descriptor *lone = NULL;
    size_t images = 0;
    for (int exact = 1; exact >= 0; exact--)
        for (size_t i = 0; i < index->n_items; i++)
            if (!index->items[i].attestation &&
                platform_fits(&index->items[i].platform, want,
                              exact || (asked && want->variant.n))) {
                *out = &index->items[i];
                return 0;
            }
    for (size_t i = 0; i < index->n_items; i++)
        if (!index->items[i].attestation) {
            lone = &index->items[i];
            images++;
        }
    /* an entry without platform is what tools write for single images */
    if (images == 1 && (!asked || lone->platform.os.n == 0)) {
        *out = lone;
        return 0;
    }
    return choose_failed(index, want, e);
}

/* ---- configurations
 * -------------------------------------------------------------------------------------- */

static int strings_parse(yyjson_val *array, size_t max, struct arena *a, str **out, size_t *n,
                         struct err *e)
{
    size_t count = yyjson_arr_size(array);
    if (count > max)
        return err_set(e, ERR_LIMIT, "a list of %zu entries, more than %zu", count, max);
    *out = arena_calloc(a, count ? count : 1, sizeof **out);
    if (!*out)
        return err_no_memory(e);
    *n = 0;
    yyjson_arr_iter it = yyjson_arr_iter_with(array);
    for (yyjson_val *v; (v = yyjson_arr_iter_next(&it)) != NULL;) {
        if (!yyjson_is_str(v))
            return err_set(e, ERR_FORMAT, "a list of strings holds something else");
        (*out)[(*n)++] = arena_dup(a, json_text(v));
    }
    return a->full ? err_no_memory(e) : 0;
}

int image_config_parse(str json, struct arena *a, struct image_config *out, struct err *e)
{
    auto_json *doc = NULL;
    *out = (struct image_config){0};
    int r = json_parse(json, "image configuration", &doc, e);
    if (r < 0)
        return r;
    yyjson_val *root = yyjson_doc_get_root(doc);
    out->platform.os = arena_dup(a, json_str(root, "os"));
    out->platform.architecture = arena_dup(a, json_str(root, "architecture"));
    out->platform.variant = arena_dup(a, json_str(root, "variant"));
    out->created = arena_dup(a, json_str(root, "created"));
    yyjson_val *diff_ids = json_at(root, "rootfs", "diff_ids", NULL);
    if (!yyjson_is_arr(diff_ids))
        return err_set(e, ERR_FORMAT, "the image configuration names no layers (rootfs.diff_ids)");
    r = strings_parse(diff_ids, MANIFEST_LAYERS_MAX, a, &out->diff_ids, &out->n_diff_ids, e);
    for (size_t i = 0; r == 0 && i < out->n_diff_ids; i++) {
        struct sha256 digest;
        r = sha256_parse(out->diff_ids[i], &digest, e);
    }
    return r < 0 ? err_wrap(e, "image configuration") : 0;
}

int saved_manifest_parse(str json, struct arena *a, struct saved_image **out, size_t *n,
                         struct err *e)
{
    auto_json *doc = NULL;
    int r = json_parse(json, "manifest.json", &doc, e);
    if (r < 0)
        return r;
    yyjson_val *root = yyjson_doc_get_root(doc);
    size_t count = yyjson_arr_size(root);
    if (!yyjson_is_arr(root) || count == 0 || count > INDEX_MAX)
        return err_set(e, ERR_FORMAT, "manifest.json lists no images");
    *out = arena_calloc(a, count, sizeof **out);
    if (!*out)
        return err_no_memory(e);
    *n = 0;
    yyjson_arr_iter it = yyjson_arr_iter_with(root);
    for (yyjson_val *v; r == 0 && (v = yyjson_arr_iter_next(&it)) != NULL;) {
        struct saved_image *image = &(*out)[(*n)++];
        image->config = arena_dup(a, json_str(v, "Config"));
        if (image->config.n == 0)
            return err_set(e, ERR_FORMAT, "manifest.json names no configuration");
        r = strings_parse(json_get(v, "RepoTags"), 10000, a, &image->tags, &image->n_tags, e);
        if (r == 0)
            r = strings_parse(json_get(v, "Layers"), MANIFEST_LAYERS_MAX, a, &image->layers,
                              &image->n_layers, e);
    }
    return r < 0 ? err_wrap(e, "manifest.json") : 0;
}
