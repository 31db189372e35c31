/* fulltag.h - names of images as the API keeps them: registry/repo:tag, by the original's rules.
 *
 * These are not the rules of reference.h: "alpine" becomes "docker.io/alpine:latest" and is another
 * name than "docker.io/library/alpine:latest" (both lead to the same image at the registry). The
 * first component is a host when it holds ":" or "." or is localhost. */
#ifndef KELLET_SERVICES_FULLTAG_H
#define KELLET_SERVICES_FULLTAG_H

#include "base/arena.h"
#include "base/err.h"

struct fulltag {
    str registry, repo;
    str tag;     /* "latest" when the input has neither tag nor digest; p NULL with a digest only */
    str digest;  /* "sha256:..." as written (not checked); p NULL: none */
    str fulltag; /* registry/repo:tag; p NULL without tag */
    str pull;    /* registry/repo:tag or registry/repo@digest */
};

/* ERR_USAGE "bad character(s) [' '] in dockerimage string input (a b)" for characters other than
 * [a-zA-Z0-9@:/_.-]; all views in the arena. */
int fulltag_parse(str text, struct arena *a, struct fulltag *out, struct err *e);

#endif
