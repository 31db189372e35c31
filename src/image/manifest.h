/* manifest.h - image manifests, indexes and configurations, read from untrusted JSON.
 *
 * Sources: OCI image specification 1.1 (image-index, manifest, config), Docker image manifest V2
 * schema 2 and manifest lists, the manifest.json of `docker save`. Docker schema 1 is recognised
 * and refused with advice. */
#ifndef KELLET_IMAGE_MANIFEST_H
#define KELLET_IMAGE_MANIFEST_H

#include "base/arena.h"
#include "base/err.h"

enum { MANIFEST_MAX = 8 << 20, MANIFEST_LAYERS_MAX = 4096, INDEX_MAX = 4096 };

struct platform {
    str os, architecture, variant;
};
/* "os/arch[/variant]" -> platform (views into text). An architecture alone is accepted too. */
int platform_parse(str text, struct platform *out, struct err *e);
/* This machine's. */
struct platform platform_host(void);

struct descriptor {
    str media_type, digest; /* digest is checked: sha256:<hex> */
    uint64_t size;
    str urls;       /* '\n' between; foreign layers */
    str ref_name;   /* annotation org.opencontainers.image.ref.name: a name, or only a tag */
    str image_name; /* annotation io.containerd.image.name: a whole name */
    struct platform platform;
    bool attestation; /* not an image: in-toto attestations that buildkit adds */
};

enum manifest_kind { MANIFEST_IMAGE, MANIFEST_INDEX };

struct manifest {
    enum manifest_kind kind;
    struct descriptor config; /* images */
    struct descriptor *items; /* layers, or the index's manifests */
    size_t n_items;
};

/* All slices in the arena. `name` is for messages. */
int image_manifest_parse(str json, str media_type, const char *name, struct arena *a,
                         struct manifest *out, struct err *e);

/* Chooses one manifest of an index for the wanted platform. `asked`: the user named it, so nothing
 * else will do; otherwise a lone image is taken whatever its platform. Errors list what there is.
 */
int manifest_choose(const struct manifest *index, const struct platform *want, bool asked,
                    const struct descriptor **out, struct err *e);

struct image_config {
    struct platform platform;
    str created;
    str *diff_ids;
    size_t n_diff_ids;
};
int image_config_parse(str json, struct arena *a, struct image_config *out, struct err *e);

/* One image of `docker save`'s manifest.json. */
struct saved_image {
    str config; /* member of the archive */
    str *tags;
    size_t n_tags;
    str *layers; /* members of the archive */
    size_t n_layers;
};
int saved_manifest_parse(str json, struct arena *a, struct saved_image **out, size_t *n,
                         struct err *e);

#endif
