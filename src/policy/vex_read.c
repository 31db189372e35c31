/* vex_read.c - the formats: OpenVEX, CSAF, CycloneDX. */
#include "policy/vex_internal.h"

#include "policy/when.h"

enum { IDS_MAX = 64, BRANCHES_MAX = 32 };

static const char *const words[] = {"not_affected", "affected", "fixed", "under_investigation"};
enum word { NOT_AFFECTED, AFFECTED, FIXED, INVESTIGATED };

struct statement { /* being read */
    str ids[IDS_MAX];
    size_t n_ids;
    const char *status;
    int64_t time;
};

static void add_id(struct statement *s, str id)
{
    if (id.n && s->n_ids < IDS_MAX)
        s->ids[s->n_ids++] = id;
}

static int64_t time_of(str text)
{
    int64_t us = 0;
    return text.n && when_parse(text, &us) ? us : 0;
}

static int put(struct vex *v, const struct statement *s, str product, str subcomponent,
               struct err *e)
{
    return vex_add(v, s->ids, s->n_ids, product, subcomponent, s->status, s->time, e);
}

/* ---- OpenVEX ----------------------------------------------------------------------------------
 */

/* A product or component: its purl, else its id. */
static str openvex_product(yyjson_val *p)
{
    str purl = json_str(json_get(p, "identifiers"), "purl");
    return yyjson_is_str(p) ? json_text(p) : purl.n ? purl : json_str(p, "@id");
}

static int openvex_products(struct vex *v, const struct statement *s, yyjson_val *list,
                            struct err *e)
{
    size_t i, n, k, m;
    yyjson_val *p, *part;
    int rc = 0;
    yyjson_arr_foreach(list, i, n, p)
    {
        yyjson_val *parts = json_get(p, "subcomponents");
        yyjson_arr_foreach(parts, k, m, part)
        {
            if (rc == 0)
                rc = put(v, s, openvex_product(p), openvex_product(part), e);
        }
        if (rc == 0 && !yyjson_arr_size(parts))
            rc = put(v, s, openvex_product(p), (str){0}, e);
    }
    return rc;
}

int vex_read_openvex(struct vex *v, yyjson_val *root, struct err *e)
{
    size_t i, n, k, m;
    yyjson_val *item, *alias, *statements = json_get(root, "statements");
    int64_t of_document = time_of(json_str(root, "timestamp"));
    if (!yyjson_is_arr(statements))
        return err_set(e, ERR_FORMAT, "an OpenVEX document has a list \"statements\"");
    yyjson_arr_foreach(statements, i, n, item)
    {
        struct statement s = {.time = time_of(json_str(item, "timestamp"))};
        yyjson_val *vulnerability = json_get(item, "vulnerability");
        str status = json_str(item, "status");
        for (size_t w = 0; w < KE_ARRAY_LEN(words); w++)
            if (str_eq(status, str_z(words[w])))
                s.status = words[w];
        if (!s.status)
            return err_set(e, ERR_FORMAT, "statements.%zu: \"%.*s\" is no status", i,
                           STR_ARG(status));
        s.time = s.time ? s.time : of_document;
        add_id(&s, yyjson_is_str(vulnerability) ? json_text(vulnerability)
                                                : json_str(vulnerability, "name"));
        yyjson_arr_foreach(json_get(vulnerability, "aliases"), k, m, alias)
            add_id(&s, json_text(alias));
        if (!s.n_ids)
            return err_set(e, ERR_FORMAT, "statements.%zu names no vulnerability", i);
        int rc = openvex_products(v, &s, json_get(item, "products"), e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- CSAF --------------------------------------------------------------------------------------
 */

struct products {     /* by product_id */
    struct map purls; /* -> str */
    struct arena *arena;
    bool full;
};

static void csaf_product(struct products *p, str id, str purl)
{
    str *kept = arena_new(p->arena, str);
    if (!id.n || !purl.n)
        return;
    if (!kept || !map_put(&p->purls, id, kept))
        p->full = true;
    else
        *kept = purl;
}

static void csaf_full_name(struct products *p, yyjson_val *name)
{
    csaf_product(p, json_str(name, "product_id"),
                 json_str(json_get(name, "product_identification_helper"), "purl"));
}

static int csaf_branches(struct products *p, yyjson_val *list, unsigned depth, struct err *e)
{
    size_t i, n;
    yyjson_val *branch;
    if (depth > BRANCHES_MAX)
        return err_set(e, ERR_LIMIT, "branches are nested deeper than %d", BRANCHES_MAX);
    yyjson_arr_foreach(list, i, n, branch)
    {
        csaf_full_name(p, json_get(branch, "product"));
        int rc = csaf_branches(p, json_get(branch, "branches"), depth + 1, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* A component of another product is known by its own purl. */
static int csaf_tree(struct products *p, yyjson_val *tree, struct err *e)
{
    size_t i, n;
    yyjson_val *item;
    int rc = csaf_branches(p, json_get(tree, "branches"), 0, e);
    yyjson_arr_foreach(json_get(tree, "full_product_names"), i, n, item) csaf_full_name(p, item);
    yyjson_arr_foreach(json_get(tree, "relationships"), i, n, item)
    {
        const str *purl = map_get(&p->purls, json_str(item, "product_reference"));
        csaf_full_name(p, json_get(item, "full_product_name"));
        if (purl)
            csaf_product(p, json_str(json_get(item, "full_product_name"), "product_id"), *purl);
    }
    return rc < 0 ? rc : p->full ? err_no_memory(e) : 0;
}

static int csaf_vulnerability(struct vex *v, const struct products *p, struct statement *s,
                              yyjson_val *item, struct err *e)
{
    static const struct {
        const char *member;
        enum word word;
    } lists[] = {{"known_affected", AFFECTED},
                 {"first_affected", AFFECTED},
                 {"last_affected", AFFECTED},
                 {"under_investigation", INVESTIGATED},
                 {"known_not_affected", NOT_AFFECTED},
                 {"first_fixed", FIXED},
                 {"fixed", FIXED}};
    size_t i, n;
    yyjson_val *id;
    s->n_ids = 0;
    add_id(s, json_str(item, "cve"));
    yyjson_arr_foreach(json_get(item, "ids"), i, n, id) add_id(s, json_str(id, "text"));
    for (size_t k = 0; k < KE_ARRAY_LEN(lists); k++) {
        s->status = words[lists[k].word];
        yyjson_arr_foreach(json_get(json_get(item, "product_status"), lists[k].member), i, n, id)
        {
            const str *purl = map_get(&p->purls, json_text(id));
            int rc = put(v, s, purl ? *purl : json_text(id), (str){0}, e);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

int vex_read_csaf(struct vex *v, yyjson_val *root, struct err *e)
{
    size_t i, n;
    yyjson_val *item, *tracking = json_get(json_get(root, "document"), "tracking");
    struct products products = {.arena = &v->arena};
    struct statement s = {.time = time_of(json_str(tracking, "current_release_date"))};
    map_init(&products.purls);
    int rc = csaf_tree(&products, json_get(root, "product_tree"), e);
    yyjson_arr_foreach(json_get(root, "vulnerabilities"), i, n, item)
    {
        if (rc == 0)
            rc = csaf_vulnerability(v, &products, &s, item, e);
    }
    map_done(&products.purls);
    return rc;
}

/* ---- CycloneDX ---------------------------------------------------------------------------------
 */

static const char *cyclonedx_status(str state)
{
    static const struct {
        const char *state;
        enum word word;
    } states[] = {{"resolved", FIXED},
                  {"resolved_with_pedigree", FIXED},
                  {"exploitable", AFFECTED},
                  {"in_triage", INVESTIGATED},
                  {"false_positive", NOT_AFFECTED},
                  {"not_affected", NOT_AFFECTED}};
    for (size_t i = 0; i < KE_ARRAY_LEN(states); i++)
        if (str_eq(state, str_z(states[i].state)))
            return words[states[i].word];
    return NULL;
}

static bool cyclonedx_components(struct map *purls, struct arena *a, yyjson_val *list,
                                 unsigned depth)
{
    size_t i, n;
    yyjson_val *item;
    bool ok = true;
    yyjson_arr_foreach(list, i, n, item)
    {
        str ref = json_str(item, "bom-ref"), purl = json_str(item, "purl");
        str *kept = ref.n && purl.n ? arena_new(a, str) : NULL;
        if (kept)
            *kept = purl;
        ok = ok && (!ref.n || !purl.n || (kept && map_put(purls, ref, kept)));
        if (ok && depth < BRANCHES_MAX)
            ok = cyclonedx_components(purls, a, json_get(item, "components"), depth + 1);
    }
    return ok;
}

/* What "affects" names: a bom-ref, also of another document ("urn:cdx:SERIAL/1#ref"), or a purl. */
static str cyclonedx_ref(const struct map *purls, str ref)
{
    const str *purl = map_get(purls, ref);
    ptrdiff_t hash = str_index(ref, '#');
    if (!purl && str_starts(ref, STR("urn:cdx:")) && hash >= 0) {
        ref = str_from(ref, (size_t)hash + 1);
        purl = map_get(purls, ref);
    }
    return purl ? *purl : ref;
}

static int cyclonedx_vulnerability(struct vex *v, const struct map *purls, yyjson_val *item,
                                   int64_t of_document, struct err *e)
{
    size_t i, n;
    yyjson_val *part, *analysis = json_get(item, "analysis");
    struct statement s = {.status = cyclonedx_status(json_str(analysis, "state")),
                          .time = time_of(json_str(analysis, "lastUpdated"))};
    int rc = 0;
    if (!s.status)
        return 0; /* it is named, and nothing said of it */
    s.time = s.time ? s.time : of_document;
    add_id(&s, json_str(item, "id"));
    yyjson_arr_foreach(json_get(item, "references"), i, n, part) add_id(&s, json_str(part, "id"));
    yyjson_arr_foreach(json_get(item, "affects"), i, n, part)
    {
        if (rc == 0)
            rc = put(v, &s, cyclonedx_ref(purls, json_str(part, "ref")), (str){0}, e);
    }
    return rc;
}

int vex_read_cyclonedx(struct vex *v, yyjson_val *root, struct err *e)
{
    size_t i, n;
    yyjson_val *item, *metadata = json_get(root, "metadata");
    struct map purls;
    map_init(&purls);
    int rc = cyclonedx_components(&purls, &v->arena, json_get(root, "components"), 0)
                 ? 0
                 : err_no_memory(e);
    yyjson_arr_foreach(json_get(root, "vulnerabilities"), i, n, item)
    {
        if (rc == 0)
            rc = cyclonedx_vulnerability(v, &purls, item, time_of(json_str(metadata, "timestamp")),
                                         e);
    }
    map_done(&purls);
    return rc;
}
