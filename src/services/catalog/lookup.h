/* lookup.h - what a name leads to at its registry: the manifest that an image is known by.
 *
 * Only the catalog talks to registries about names; others ask it (GET /registry_lookup). A list of
 * images is followed to the one of the wanted platform: linux/amd64, as the original always took.
 */
#ifndef KELLET_SERVICES_CATALOG_LOOKUP_H
#define KELLET_SERVICES_CATALOG_LOOKUP_H

#include "services/fulltag.h"
#include "services/registry_record.h"

struct catalog_lookup {
    str digest, parent_digest;     /* the same when there is no list */
    str manifest, parent_manifest; /* texts; the same then */
    str image_id;                  /* of the configuration, without "sha256:" */
    int64_t compressed_size;       /* of all layers, in bytes */
    const char *code;              /* when it failed: one of the API's error codes */
};

/* By the name's digest when it has one, else by its tag. On failure out->code is set: ERR_NOT_FOUND
 * REGISTRY_IMAGE_NOT_FOUND, ERR_AUTH REGISTRY_PERMISSION_DENIED, ERR_NET REGISTRY_NOT_ACCESSIBLE,
 * ERR_UNSUPPORTED REGISTRY_NOT_SUPPORTED or OSARCH_MISMATCH, ERR_USAGE (no valid name; a host that
 * nobody knows) SKOPEO_UNKNOWN_ERROR. */
int catalog_lookup(struct engine *en, struct arena *a, str account, const struct fulltag *name,
                   struct catalog_lookup *out, struct err *e);

/* The tags of registry/repo, at most 10,000. */
int catalog_tags(struct engine *en, struct arena *a, str account, str registry, str repo, str **out,
                 size_t *n, struct err *e);

/* Logs in at a registry as an account would, by https only: 0 when the credentials are good;
 * ERR_AUTH and ERR_NET say why not. */
int catalog_ping(str registry, str user, str password, bool verify, struct err *e);

#endif
