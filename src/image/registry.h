/* registry.h - client of the Docker Registry HTTP API v2 / OCI distribution specification 1.1, pull
 * side.
 *
 * Anonymous, basic and bearer-token authentication (token endpoint by GET with basic credentials,
 * or an identity token by the OAuth2 POST form); credentials from the Docker configuration file and
 * credential helpers; TLS with own CA; plain HTTP only when asked for (or for loopback addresses).
 * Thread-safe: several blobs may be read at once. Runs in the unconfined process and hands bytes on
 * unread, except token answers and error documents (small JSON, bounded).
 *
 * Where credentials go: basic ones to the registry itself and to the token endpoint it names, never
 * over plain HTTP unless the registry itself is spoken to so (or the endpoint is this machine);
 * bearer tokens to the registry only. Redirects to storage hosts carry neither. */
#ifndef KELLET_IMAGE_REGISTRY_H
#define KELLET_IMAGE_REGISTRY_H

#include "base/arena.h"
#include "codec/digest.h"
#include "image/reference.h"
#include "net/http.h"

struct registry_options {
    const char *ca_file;
    bool insecure;       /* any certificate */
    bool plain_http;     /* http:// instead of https://; loopback registries are tried both ways */
    bool plain_fallback; /* any registry is tried both ways */
    const char *username, *password; /* win over the configuration file */
    const char *token;               /* a ready bearer token */
    const char *docker_config;       /* directory; NULL: $DOCKER_CONFIG or ~/.docker */
    bool aws; /* without other credentials, ask AWS as ourselves for a login at its registries */
    /* "HOST[:PORT][/PREFIX]": asked before the reference's own registry, which is asked when this
     * one does not answer, refuses us or does not have it. NULL: none. Its own options; MAY be
     * NULL. */
    const char *mirror;
    const struct registry_options *mirror_options;
    struct http_options http; /* timeouts and retries; ca_file and insecure above win */
};

struct registry;

int registry_open(const struct reference *ref, const struct registry_options *o,
                  struct registry **out, struct err *e);
void registry_close(struct registry *r);

/* Fetches the manifest or index for a tag or digest (at most 8 MiB). *media_type: the Content-Type
 * header. The caller verifies the digest. */
int registry_manifest(struct registry *r, const char *tag_or_digest, struct buf *body,
                      char media_type[128], struct err *e);

/* The digest that a tag (or digest) leads to now, of a list of images where it is one: by HEAD,
 * which registries do not count as a pull; where that says nothing, or a mirror is asked first, by
 * the manifest. */
int registry_digest(struct registry *r, const char *tag_or_digest, char out[SHA256_TEXT],
                    struct err *e);

/* Streams a blob into fd from its beginning, with resume and retries; returns when all of it was
 * written. size: from the descriptor, more or less bytes are an error; 0: not known. ERR_NOT_FOUND
 * when the registry does not have it. The caller verifies the digest. */
int registry_blob(struct registry *r, const char *digest, uint64_t size, int fd, struct err *e);

/* The same from one of a foreign layer's URLs (http and https only), without any credentials: for
 * layers that the registry does not keep itself. */
int registry_foreign_blob(struct registry *r, const char *url, uint64_t size, int fd,
                          struct err *e);

/* All tags of the repository, in the registry's order, in the arena: at most `max` (ERR_LIMIT
 * beyond).
 */
int registry_tags(struct registry *r, struct arena *a, size_t max, str **out, size_t *n,
                  struct err *e);

/* All repositories that the registry lists to us (GET /v2/_catalog; many public registries list
 * none), likewise. */
int registry_repositories(struct registry *r, struct arena *a, size_t max, str **out, size_t *n,
                          struct err *e);

/* Credentials for a registry ("host[:port]", or with "/repository" so that keys with a path count)
 * from the Docker configuration (auths, credHelpers, credsStore); empty strings when there are
 * none. Without docker_config, in this order: $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json or
 * ~/.docker/config.json, and what podman and skopeo write ($XDG_RUNTIME_DIR or
 * /run/containers/UID, /containers/auth.json; ~/.config/containers/auth.json). Helpers are run with
 * a 30 s limit; ERR_AUTH when one fails. */
struct credentials {
    char username[256], password[8192], identity_token[8192];
};
int credentials_find(const char *docker_config, const char *registry, struct credentials *out,
                     struct err *e);

#endif
