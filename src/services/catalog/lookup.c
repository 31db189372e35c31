#include "services/catalog/lookup.h"

#include "codec/digest.h"
#include "image/manifest.h"

static const char not_found[] = "REGISTRY_IMAGE_NOT_FOUND", denied[] = "REGISTRY_PERMISSION_DENIED",
                  no_access[] = "REGISTRY_NOT_ACCESSIBLE", no_support[] = "REGISTRY_NOT_SUPPORTED",
                  mismatch[] = "OSARCH_MISMATCH", other[] = "SKOPEO_UNKNOWN_ERROR",
                  unknown[] = "UNKNOWN";
enum { TAGS_MAX = 10000 };

struct lookup {
    struct engine *en;
    struct arena *a;
    struct registry *registry;
    struct catalog_lookup *out;
    struct err *e;
};

static const char *code_of(int rc, const struct err *e)
{
    switch (rc) {
    case ERR_NOT_FOUND:
        return not_found;
    case ERR_AUTH:
        return denied;
    case ERR_NET:
        return str_contains(str_z(e->text), STR("resolve")) ? other : no_access;
    case ERR_UNSUPPORTED:
        return no_support;
    case ERR_USAGE:
        return other;
    default:
        return unknown;
    }
}

/* ---- the registry ------------------------------------------------------------------------------
 */

static int open_registry(struct engine *en, struct arena *a, str account, str registry, str repo,
                         str rest, struct registry **out, struct err *e)
{
    struct registry_options o;
    struct reference ref;
    str text = arena_printf(a, "%.*s/%.*s%.*s", STR_ARG(registry), STR_ARG(repo), STR_ARG(rest));

    if (!text.p)
        return err_no_memory(e);
    int rc = reference_parse(text, &ref, e);
    if (rc == 0)
        rc = registry_login(en, a, account, registry, repo, &o, e);
    return rc < 0 ? rc : registry_open(&ref, &o, out, e);
}

/* A manifest's text in the arena, and its digest, which must be `want` when that is one. */
static int fetch(struct lookup *l, str want, str *text, str *digest, char type[128])
{
    char known[SHA256_TEXT];
    auto_buf body;

    buf_init(&body, MANIFEST_MAX);
    str name = arena_dup(l->a, want);
    if (!name.p)
        return err_no_memory(l->e);
    int rc = registry_manifest(l->registry, name.p, &body, type, l->e);
    if (rc < 0)
        return rc;
    struct sha256 sum = sha256_of(body.p, body.n);
    sha256_format(&sum, known);
    if (str_starts(want, STR("sha256:")) && !str_eq(want, str_z(known)))
        return err_set(l->e, ERR_MISMATCH, "the registry's manifest for %.*s has digest %s",
                       STR_ARG(want), known);
    *text = arena_dup(l->a, buf_view(&body));
    *digest = arena_dup(l->a, str_z(known));
    return l->a->full ? err_no_memory(l->e) : 0;
}

static void measure(const struct manifest *m, struct catalog_lookup *out)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < m->n_items; i++)
        if (ke_add_overflow(sum, m->items[i].size, &sum) || sum > INT64_MAX)
            sum = INT64_MAX;
    out->compressed_size = (int64_t)sum;
    out->image_id = m->config.digest;
    if (str_starts(out->image_id, STR("sha256:")))
        out->image_id = str_from(out->image_id, sizeof "sha256:" - 1);
}

static int follow_list(struct lookup *l, const struct manifest *index, struct manifest *m)
{
    static const struct platform wanted = {.os = STR_INIT("linux"),
                                           .architecture = STR_INIT("amd64")};
    const struct descriptor *chosen;
    char type[128];
    int rc = manifest_choose(index, &wanted, true, &chosen, l->e);
    if (rc < 0) {
        l->out->code = mismatch;
        return rc;
    }
    rc = fetch(l, chosen->digest, &l->out->manifest, &l->out->digest, type);
    if (rc == 0)
        rc = image_manifest_parse(l->out->manifest, str_z(type), "manifest", l->a, m, l->e);
    if (rc == 0 && m->kind != MANIFEST_IMAGE)
        rc = err_set(l->e, ERR_UNSUPPORTED, "a list of images leads to another list");
    return rc;
}

static int resolve(struct lookup *l, str want)
{
    struct catalog_lookup *out = l->out;
    struct manifest m;
    char type[128];
    int rc = fetch(l, want, &out->parent_manifest, &out->parent_digest, type);
    if (rc == 0)
        rc = image_manifest_parse(out->parent_manifest, str_z(type), "manifest", l->a, &m, l->e);
    if (rc < 0)
        return rc;
    out->manifest = out->parent_manifest;
    out->digest = out->parent_digest;
    if (m.kind == MANIFEST_INDEX)
        rc = follow_list(l, &m, &m);
    if (rc == 0)
        measure(&m, out);
    return rc;
}

/* A digest that is too short to be one is no name; one of another length exists nowhere. */
static int check_digest(str digest, struct err *e)
{
    str hex = str_starts(digest, STR("sha256:")) ? str_from(digest, 7) : STR("");

    if (hex.n == 64 || !str_starts(digest, STR("sha256:")))
        return 0;
    if (hex.n < 32)
        return err_set(e, ERR_USAGE, "\"%.*s\" is not a digest", STR_ARG(digest));
    return err_set(e, ERR_NOT_FOUND, "no registry has a manifest \"%.*s\": SHA-256 has 64 digits",
                   STR_ARG(digest));
}

int catalog_lookup(struct engine *en, struct arena *a, str account, const struct fulltag *name,
                   struct catalog_lookup *out, struct err *e)
{
    struct err own = {0};
    struct lookup l = {.en = en, .a = a, .out = out, .e = e ? e : &own};

    *out = (struct catalog_lookup){0};
    int rc = name->digest.p ? check_digest(name->digest, l.e) : 0;
    str rest = name->digest.p ? arena_printf(a, "@%.*s", STR_ARG(name->digest))
                              : arena_printf(a, ":%.*s", STR_ARG(name->tag));
    if (rc == 0)
        rc = open_registry(en, a, account, name->registry, name->repo, rest, &l.registry, l.e);
    if (rc == 0)
        rc = resolve(&l, name->digest.p ? name->digest : name->tag);
    registry_close(l.registry);
    if (rc < 0 && !out->code)
        out->code = code_of(rc, l.e);
    return rc;
}

int catalog_tags(struct engine *en, struct arena *a, str account, str registry, str repo, str **out,
                 size_t *n, struct err *e)
{
    struct registry *r = NULL;
    int rc = open_registry(en, a, account, registry, repo, STR(""), &r, e);
    if (rc == 0)
        rc = registry_tags(r, a, TAGS_MAX, out, n, e);
    registry_close(r);
    return rc;
}
