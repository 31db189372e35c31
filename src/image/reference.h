/* reference.h - image references: [registry[:port]/]repository[:tag][@digest].
 *
 * Source: the distribution project's reference grammar (distribution/reference) and the usual short
 * names: no registry means the default one, a name without "/" there means "library/NAME", no tag
 * and no digest means "latest". Name at most 255 bytes, tag 128. */
#ifndef KELLET_IMAGE_REFERENCE_H
#define KELLET_IMAGE_REFERENCE_H

#include "base/err.h"
#include "base/str.h"

struct reference {
    char registry[256];   /* host[:port]; "docker.io" by default */
    char repository[256]; /* "library/alpine" */
    char tag[129];        /* "" when only a digest was given */
    char digest[136];     /* "sha256:...", or "" */
};

/* ERR_USAGE says what is wrong and, where it is a common slip (upper case, a URL, an image id),
 * what to write instead; ERR_UNSUPPORTED: a digest of another algorithm than sha256 and sha512. */
int reference_parse(str text, struct reference *out, struct err *e);
/* Canonical text: "docker.io/library/alpine:3.18@sha256:...". */
void reference_format(const struct reference *r, char *out, size_t size);
/* The host that serves the registry's API (the default registry's API lives under another name). */
const char *reference_api_host(const struct reference *r);

/* Is `name`, which an archive or a local engine gives an image, what a user means by `asked`? The
 * default registry and its directory of one-word names, which some tools write and others leave
 * out, and the tag "latest" may be missing in `asked`. */
bool reference_names(str name, str asked);

/* A registry known under several names; all but the first are replaced by it when parsed. */
struct registry_names {
    const char *name;       /* in references */
    const char *api_host;   /* serves the API */
    const char *config_key; /* its key in the Docker configuration and in credential stores */
    const char *aliases[4]; /* ended by NULL */
};
/* By any of its names or its config_key's host; NULL: a registry with one name only. */
const struct registry_names *registry_names_find(str host);

#endif
