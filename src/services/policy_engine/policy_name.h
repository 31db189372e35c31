/* policy_name.h - the name that an image which was just scanned is judged by: without an engine the
 * one under which an engine would keep it (fulltag.h).
 *
 * What the user wrote counts as written, wherever the image was found: an engine that is given
 * "alpine:3.18" keeps docker.io/alpine:3.18, given "docker.io/library/alpine:3.18" that. Else the
 * first name that the archive, layout, local engine or SBOM gives the image. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_POLICY_NAME_H
#define KELLET_SERVICES_POLICY_ENGINE_POLICY_NAME_H

#include "packages/inventory.h"

enum policy_name_source {
    NAME_OPTION,  /* --tag */
    NAME_ASKED,   /* the source as it was written */
    NAME_ARCHIVE, /* RepoTags, or annotations of an index */
    NAME_LAYOUT,
    NAME_ENGINE, /* docker or podman */
    NAME_SBOM,
    NAME_NONE, /* localhost/image:latest */
};

struct policy_name {
    str text; /* registry/repository:tag, or registry/repository@sha256:... */
    enum policy_name_source source;
    bool only_tag; /* the source knows no repository: localhost/image:TAG */
};

/* tag: what a user said; "": nothing. The text lives in `a` or as long as tag and inv. */
int policy_name_of(str tag, const struct inventory *inv, struct arena *a, struct policy_name *out,
                   struct err *e);
/* "option", "source", "archive", "layout", "engine", "sbom", "none" */
str policy_name_word(const struct policy_name *n);
/* For people, after "the image is judged as NAME": "the name that was asked for". */
str policy_name_reason(const struct policy_name *n);

/* Is it a name that a user may give an image? ERR_USAGE says what one looks like. */
int policy_name_check(str tag, struct err *e);

#endif
