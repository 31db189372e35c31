/* service.c - the webhook's routes; and the ImagePolicyWebhook of Kubernetes: may these images run?
 * Answered from the evaluations that are stored; none is made here. admission.h is the other. */
#include "services/image.h"
#include "services/kubernetes_webhook/admission.h"
#include "services/metrics.h"

#define ANNOTATION "anchore.image-policy.k8s.io/"
enum { CONTAINERS_MAX = 256 };

struct image_review {
    struct call *c;
    str account, policy;
    bool allowed;
    str reason; /* of the first refusal */
};

static void deny(struct image_review *v, str reason)
{
    if (v->allowed)
        v->reason = reason;
    v->allowed = false;
}

/* The newest stored evaluation of an image under one of its tags: its action in *out, empty: none.
 */
static int last_action(struct image_review *v, struct db_tx *tx, str digest, str tag, str *out,
                       struct err *e)
{
    auto_rows *rows = NULL;
    int r = db_query(tx,
                     "SELECT final_action FROM policy_eval WHERE account = $1 AND"
                     " image_digest = $2 AND tag = $3 AND ($4 = '' OR policy_id = $4)"
                     " ORDER BY created_at DESC LIMIT 1",
                     DB(DBS(v->account), DBS(digest), DBS(tag), DBS(v->policy)), &rows, e);
    *out = (str){NULL, 0};
    if (r >= 0 && (r = db_next(rows, e)) == 1)
        *out = arena_dup(&v->c->arena, db_text(rows, 0));
    return r < 0 ? r : 0;
}

static int review_tags(struct image_review *v, struct db_tx *tx, const struct image_record *image,
                       str name, struct err *e)
{
    struct arena *a = &v->c->arena;
    for (size_t i = 0; i < image->n_tags; i++) {
        str tag = image->tags[i].fulltag, action;
        int r = last_action(v, tx, image->digest, tag, &action, e);
        if (r < 0)
            return r;
        if (!action.n)
            deny(v, arena_printf(a, "no policy evaluation available for image '%.*s' (tag '%.*s')",
                                 STR_ARG(name), STR_ARG(tag)));
        else if (!str_eq_nocase(action, STR("go")) && !str_eq_nocase(action, STR("warn")))
            deny(v, arena_printf(a, "image '%.*s' (tag '%.*s') failed policy checks: '%.*s'",
                                 STR_ARG(name), STR_ARG(tag), STR_ARG(action)));
    }
    if (!image->n_tags)
        deny(v, arena_printf(a, "no policy evaluation available for image '%.*s'", STR_ARG(name)));
    return 0;
}

static int review_image(struct image_review *v, struct db_tx *tx, str name, struct err *e)
{
    struct arena *a = &v->c->arena;
    struct fulltag parsed;
    struct image_record image;
    if (!name.n || fulltag_parse(name, a, &parsed, NULL) < 0) {
        deny(v, arena_printf(a, "image '%.*s' has no valid name", STR_ARG(name)));
        return 0;
    }
    int r = parsed.digest.p ? image_get(tx, a, v->account, parsed.digest, &image, e)
                            : image_get_by_tag(tx, a, v->account, parsed.fulltag, &image, e);
    if (r < 0)
        return r;
    if (r == 0) {
        deny(v, arena_printf(a, "image '%.*s' is not known in the account '%.*s'", STR_ARG(name),
                             STR_ARG(v->account)));
        return 0;
    }
    return review_tags(v, tx, &image, name, e);
}

static int review_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct image_review *v = ctx;
    yyjson_val *list = json_at(v->c->body, "spec", "containers", NULL);
    v->allowed = true;
    size_t n = yyjson_is_arr(list) ? yyjson_arr_size(list) : 0;
    if (!n)
        deny(v, STR("the review names no containers"));
    if (n > CONTAINERS_MAX)
        deny(v, STR("the review names too many containers"));
    int r = 0;
    for (size_t i = 0; i < n && i < CONTAINERS_MAX && r >= 0; i++)
        r = review_image(v, tx, json_str(yyjson_arr_get(list, i), "image"), e);
    return r < 0 ? r : 0;
}

static int answer(struct call *c, const struct image_review *v)
{
    metric_add(c->engine->metrics, METRIC_WEBHOOK_TOTAL, 1,
               METRIC_LABELS(v->allowed ? "true" : "false"));
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    put_str(d, root, "apiVersion", STR("imagepolicy.k8s.io/v1alpha1"));
    put_str(d, root, "kind", STR("ImageReview"));
    yyjson_mut_val *status = yyjson_mut_obj_add_obj(d, root, "status");
    put_bool(d, status, "allowed", v->allowed);
    put_str(d, status, "reason", v->reason);
    return call_send(c, 200, d, root);
}

static int post_review(struct call *c)
{
    if (!yyjson_is_obj(json_at(c->body, "spec", NULL)))
        return call_problem(c, 400, "Bad Request", "'spec' is a required property");
    yyjson_val *notes = json_at(c->body, "spec", "annotations", NULL);
    struct image_review v = {.c = c,
                             .account = json_str(notes, ANNOTATION "userId"),
                             .policy = json_str(notes, ANNOTATION "policyBundleId"),
                             .allowed = true};
    if (!v.account.n) {
        deny(&v, STR("need to specify an " ANNOTATION "userId annotation in the pod's metadata"));
        return answer(c, &v);
    }
    if (!admission_may_ask(c, v.account)) {
        deny(&v, STR("the caller has no right to ask for this account"));
        return answer(c, &v);
    }
    int r = db_run(c->engine->db, DB_READ, review_run, &v, c->err);
    if (r < 0)
        return r;
    if (v.allowed)
        v.reason = STR("all images passed anchore policy checks");
    return answer(c, &v);
}

static int start(struct engine *en, struct err *e)
{
    struct hook *h = NULL;
    int k = hook_new(en, admission_judge, admission_drop, &h, e);
    en->state[SERVICE_KUBERNETES_WEBHOOK] = h;
    return k;
}

static void stop(struct engine *en)
{
    hook_free(en->state[SERVICE_KUBERNETES_WEBHOOK]);
    en->state[SERVICE_KUBERNETES_WEBHOOK] = NULL;
}

static const struct route routes[] = {
    {"POST", "/imagepolicywebhook", post_review, 0},
    {"POST", "/admission", admission_post, ROUTE_RAW | ROUTE_SLOW},
    {"POST", "/admission/mutate", admission_post_mutate, ROUTE_RAW | ROUTE_SLOW},
    {"POST", "/admission/namespace/{label...}", admission_post, ROUTE_RAW | ROUTE_SLOW},
    {"POST", "/admission/mutate/namespace/{label...}", admission_post_mutate,
     ROUTE_RAW | ROUTE_SLOW},
    {.path = NULL},
};

const struct service_ops service_kubernetes_webhook = {
    .id = SERVICE_KUBERNETES_WEBHOOK,
    .routes = routes,
    .check = hook_check,
    .start = start,
    .stop = stop,
};
