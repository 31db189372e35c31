/* review.h - what an API server asks: an AdmissionReview, and the images that its object would run.
 *
 * Format: admission.k8s.io/v1 (and v1beta1, which differs in nothing that is read here). Fields
 * that are not known are passed over, as Kubernetes' conventions want it; fields of the wrong type
 * where an image would stand are errors, so that nothing gets by unseen. */
#ifndef KELLET_SERVICES_KUBERNETES_WEBHOOK_REVIEW_H
#define KELLET_SERVICES_KUBERNETES_WEBHOOK_REVIEW_H

#include "base/arena.h"
#include "codec/json.h"

enum { REVIEW_IMAGES_MAX = 512 };

struct review_image {
    str name;    /* as written; never empty */
    str pointer; /* RFC 6901, of the field: "/spec/containers/0/image" */
    bool known;  /* UPDATE: the object that is there has it already */
};

struct review {
    str version, uid;    /* "admission.k8s.io/v1" */
    str kind;            /* of the object: "Pod" */
    str namespace, name; /* name: generateName when there is none; may be empty */
    bool dry_run;        /* nothing may be changed outside */
    bool watched;        /* of a kind that is looked into, or an operation that starts nothing */
    yyjson_val *labels, *annotations;  /* of the object; NULL: none */
    str label, label_value;            /* of the namespace, which the caller vouches for; empty */
    const struct review_image *images; /* containers, then init and ephemeral ones; each once */
    size_t n_images;
};

/* Views point into doc and arena. ERR_USAGE with what is wrong; ERR_LIMIT: too many images. */
int review_read(yyjson_doc *doc, struct arena *a, struct review *out, struct err *e);

#endif
