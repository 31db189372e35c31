#include "services/kubernetes_webhook/review.h"

/* Where the pod is in an object of each kind. */
static const struct {
    const char *kind, *pointer;
} kinds[] = {
    {"Pod", "/spec"},
    {"Deployment", "/spec/template/spec"},
    {"ReplicaSet", "/spec/template/spec"},
    {"StatefulSet", "/spec/template/spec"},
    {"DaemonSet", "/spec/template/spec"},
    {"ReplicationController", "/spec/template/spec"},
    {"Job", "/spec/template/spec"},
    {"CronJob", "/spec/jobTemplate/spec/template/spec"},
    {"PodTemplate", "/template/spec"},
};
static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};

struct reader {
    struct arena *a;
    struct review *out;
    struct review_image *images;
    yyjson_val *old; /* the pod that is there; NULL */
    struct err *e;
};

static yyjson_val *at(yyjson_val *root, const char *pointer)
{
    return root ? yyjson_ptr_getn(root, pointer, strlen(pointer)) : NULL;
}

static bool pod_has(yyjson_val *pod, str image)
{
    size_t i, n;
    yyjson_val *c;
    for (size_t l = 0; l < KE_ARRAY_LEN(lists); l++)
        yyjson_arr_foreach(json_get(pod, lists[l]), i, n, c)
        {
            if (str_eq(json_str(c, "image"), image))
                return true;
        }
    return false;
}

static int add_image(struct reader *r, str image, const char *base, const char *list, size_t i)
{
    struct review *out = r->out;
    if (out->n_images == REVIEW_IMAGES_MAX)
        return err_set(r->e, ERR_LIMIT, "the object has more than %d images", REVIEW_IMAGES_MAX);
    if (!r->images)
        r->images = arena_calloc(r->a, REVIEW_IMAGES_MAX, sizeof *r->images);
    str pointer = arena_printf(r->a, "%s/%s/%zu/image", base, list, i);
    if (!r->images || !pointer.p)
        return err_no_memory(r->e);
    r->images[out->n_images++] = (struct review_image){image, pointer, pod_has(r->old, image)};
    out->images = r->images;
    return 0;
}

static int read_list(struct reader *r, yyjson_val *pod, const char *base, const char *list)
{
    yyjson_val *containers = json_get(pod, list), *c;
    if (!containers || yyjson_is_null(containers))
        return 0;
    if (!yyjson_is_arr(containers))
        return err_set(r->e, ERR_USAGE, "%s/%s is not a list", base, list);
    size_t i, n;
    yyjson_arr_foreach(containers, i, n, c)
    {
        yyjson_val *image = json_get(c, "image");
        if (!yyjson_is_obj(c) || (image && !yyjson_is_str(image) && !yyjson_is_null(image)))
            return err_set(r->e, ERR_USAGE, "%s/%s/%zu is no container", base, list, i);
        str name = json_text(image);
        /* a template may leave the image to something that fills it in before there is a pod */
        int k = name.n ? add_image(r, name, base, list, i) : 0;
        if (k < 0)
            return k;
    }
    return 0;
}

static int read_pod(struct reader *r, yyjson_val *object, yyjson_val *old, const char *base)
{
    yyjson_val *pod = at(object, base);
    r->old = at(old, base);
    if (!yyjson_is_obj(pod))
        return err_set(r->e, ERR_USAGE, "the %.*s has no %s", STR_ARG(r->out->kind), base);
    int k = 0;
    for (size_t i = 0; i < KE_ARRAY_LEN(lists) && k == 0; i++)
        k = read_list(r, pod, base, lists[i]);
    return k;
}

static int read_object(struct reader *r, yyjson_val *request)
{
    yyjson_val *object = json_get(request, "object");
    str operation = json_str(request, "operation");
    if (!operation.n)
        return err_set(r->e, ERR_USAGE, "request.operation is missing");
    if (!str_eq(operation, STR("CREATE")) && !str_eq(operation, STR("UPDATE"))) {
        r->out->watched = true; /* nothing comes to run by it */
        return 0;
    }
    if (!yyjson_is_obj(object))
        return err_set(r->e, ERR_USAGE, "request.object is missing");
    yyjson_val *meta = json_get(object, "metadata");
    r->out->labels = json_get(meta, "labels");
    r->out->annotations = json_get(meta, "annotations");
    if (!r->out->name.n)
        r->out->name = json_str(meta, "name");
    if (!r->out->name.n)
        r->out->name = json_str(meta, "generateName");
    for (size_t i = 0; i < KE_ARRAY_LEN(kinds); i++) {
        if (!str_eq(r->out->kind, str_z(kinds[i].kind)))
            continue;
        r->out->watched = true;
        return read_pod(r, object, json_get(request, "oldObject"), kinds[i].pointer);
    }
    return 0;
}

int review_read(yyjson_doc *doc, struct arena *a, struct review *out, struct err *e)
{
    yyjson_val *root = yyjson_doc_get_root(doc), *request = json_get(root, "request");
    *out = (struct review){.version = json_str(root, "apiVersion")};
    if (!str_eq(json_str(root, "kind"), STR("AdmissionReview")))
        return err_set(e, ERR_USAGE, "the body is no AdmissionReview");
    if (!str_eq(out->version, STR("admission.k8s.io/v1")) &&
        !str_eq(out->version, STR("admission.k8s.io/v1beta1")))
        return err_set(e, ERR_USAGE, "AdmissionReview of version \"%.*s\" is not known",
                       STR_ARG(str_sub(out->version, 0, 100)));
    out->uid = json_str(request, "uid");
    if (!out->uid.n)
        return err_set(e, ERR_USAGE, "request.uid is missing");
    out->kind = json_str(json_get(request, "kind"), "kind");
    if (!out->kind.n)
        return err_set(e, ERR_USAGE, "request.kind is missing");
    out->namespace = json_str(request, "namespace");
    out->name = json_str(request, "name");
    out->dry_run = yyjson_get_bool(json_get(request, "dryRun"));
    struct reader r = {.a = a, .out = out, .e = e};
    return read_object(&r, request);
}
