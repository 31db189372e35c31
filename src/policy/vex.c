/* vex.c - statements by vulnerability, and which of them are about an image's findings. */
#include "policy/vex_internal.h"

#include "base/auto.h"
#include "policy/allowlist.h"
#include "policy/mapping.h"

#include <stdlib.h>

enum { ARENA_MAX = 512 << 20, ID_MAX = 256 };

int vex_new(struct vex **out, struct err *e)
{
    struct vex *v = calloc(1, sizeof *v);
    if (!v)
        return err_no_memory(e);
    arena_init(&v->arena, ARENA_MAX);
    map_init(&v->by_id);
    *out = v;
    return 0;
}

void vex_free(struct vex *v)
{
    if (!v)
        return;
    map_done(&v->by_id);
    arena_done(&v->arena);
    free(v);
}

size_t vex_statements(const struct vex *v)
{
    return v->n;
}

size_t vex_unusable(const struct vex *v)
{
    return v->unusable;
}

static str lower(str id, char text[ID_MAX])
{
    if (!id.n || id.n > ID_MAX)
        return (str){0};
    for (size_t i = 0; i < id.n; i++)
        text[i] = ke_tolower(id.p[i]);
    return (str){text, id.n};
}

static int add_one(struct vex *v, str id, const struct vex_statement *s, struct err *e)
{
    char text[ID_MAX];
    str key = lower(id, text);
    if (!key.n)
        return 0;
    if (v->n >= VEX_STATEMENTS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d statements", VEX_STATEMENTS_MAX);
    struct vex_list *list = map_get(&v->by_id, key);
    if (!list) {
        key = arena_dup(&v->arena, key);
        list = arena_new(&v->arena, struct vex_list);
        if (!key.p || !list || !map_put(&v->by_id, key, list))
            return err_no_memory(e);
        *list = (struct vex_list){0};
    }
    struct vex_statement *kept = arena_new(&v->arena, struct vex_statement);
    if (!kept)
        return err_no_memory(e);
    *kept = *s;
    kept->number = v->n;
    kept->next = NULL;
    if (list->last)
        list->last->next = kept;
    else
        list->first = kept;
    list->last = kept;
    v->n++;
    return 0;
}

static bool is_purl(str s)
{
    return str_starts(s, STR("pkg:"));
}

int vex_add(struct vex *v, const str *ids, size_t n_ids, str product, str subcomponent,
            const char *status, int64_t time, struct err *e)
{
    if (!is_purl(product) || (subcomponent.n && !is_purl(subcomponent))) {
        v->unusable++;
        return 0;
    }
    const struct vex_statement s = {.product = arena_dup(&v->arena, product),
                                    .subcomponent = arena_dup(&v->arena, subcomponent),
                                    .status = status,
                                    .time = time};
    if (!s.product.p)
        return err_no_memory(e);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_ids; i++)
        rc = add_one(v, ids[i], &s, e);
    return rc;
}

int vex_read(struct vex *v, str json, const char *name, struct err *e)
{
    auto_json *doc = NULL;
    if (json.n > VEX_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "%s: larger than %d bytes", name, VEX_BYTES_MAX);
    int rc = json_parse(json, name, &doc, e);
    if (rc < 0)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (str_starts(json_str(root, "@context"), STR("https://openvex.dev/ns")))
        rc = vex_read_openvex(v, root, e);
    else if (str_starts(json_str(json_get(root, "document"), "csaf_version"), STR("2.")))
        rc = vex_read_csaf(v, root, e);
    else if (str_eq(json_str(root, "bomFormat"), STR("CycloneDX")))
        rc = vex_read_cyclonedx(v, root, e);
    else
        rc = err_set(e, ERR_FORMAT, "neither an OpenVEX nor a CSAF nor a CycloneDX document");
    return rc < 0 ? err_wrap(e, "%s", name) : 0;
}

/* ---- matching ---------------------------------------------------------------------------------
 */
struct target {
    str digest, repository; /* of the image; repository: its last part */
    str purl;               /* of the package; empty: none is known */
};

static str until(str s, const char *ends)
{
    size_t n = 0;
    while (n < s.n && !strchr(ends, s.p[n]))
        n++;
    return str_sub(s, 0, n);
}

/* "pkg:oci/name@sha256%3Aabc?repository_url=..." */
static bool is_image(str purl, const struct target *t)
{
    str rest = str_from(until(purl, "?#"), strlen("pkg:oci/"));
    str name = until(rest, "@"), version = str_from(rest, name.n);
    if (!version.n)
        return t->repository.n && str_eq_nocase(name, t->repository);
    version = str_from(version, 1);
    str hex = str_from(t->digest, str_starts(t->digest, STR("sha256:")) ? strlen("sha256:") : 0);
    return hex.n && version.n > hex.n &&
           (str_starts(version, STR("sha256:")) || str_starts(version, STR("sha256%3"))) &&
           str_eq_nocase(str_from(version, version.n - hex.n), hex);
}

/* Qualifiers that the document does not give, and those that it does, do not count: they name
 * architectures and distributions, which the name and version already are of. */
static bool is_package(str purl, const struct target *t)
{
    return t->purl.n && purl_covers(until(purl, "?#"), t->purl);
}

static bool concerns(const struct vex_statement *s, const struct target *t)
{
    if (str_starts(s->product, STR("pkg:oci/")))
        return is_image(s->product, t) && (!s->subcomponent.n || is_package(s->subcomponent, t));
    return is_package(s->product, t) && (!s->subcomponent.n || is_package(s->subcomponent, t));
}

static void consider(const struct vex *v, str id, const struct target *t,
                     const struct vex_statement **best)
{
    char text[ID_MAX];
    str key = lower(id, text);
    const struct vex_list *list = key.n ? map_get(&v->by_id, key) : NULL;
    for (const struct vex_statement *s = list ? list->first : NULL; s; s = s->next)
        if ((!*best || s->time > (*best)->time ||
             (s->time == (*best)->time && s->number >= (*best)->number)) &&
            concerns(s, t))
            *best = s;
}

void vex_mark(const struct vex *v, const struct policy_image *image, str tag,
              struct policy_finding *findings, size_t n)
{
    struct target t = {.digest = image->digest, .repository = tag_parse(tag).repository};
    t.repository = str_from(t.repository, (size_t)(str_rindex(t.repository, '/') + 1));
    for (size_t i = 0; i < n; i++) {
        struct policy_finding *f = &findings[i];
        const struct vex_statement *best = NULL;
        t.purl = f->package < image->n_packages ? image->packages[f->package].purl : (str){0};
        consider(v, f->id, &t, &best);
        for (size_t k = 0; k < f->n_aliases; k++)
            consider(v, f->aliases[k], &t, &best);
        if (best)
            f->vex_status = str_z(best->status);
    }
}
