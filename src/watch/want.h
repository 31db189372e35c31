/* want.h - what people want watched: references, patterns of tags, patterns of repositories.
 *
 *     alpine:3.18                    one tag (no tag: latest)
 *     host:5000/app@sha256:...       one image, whatever its tags do
 *     host:5000/app:*                all tags of a repository, also those that come later;
 *     docker.io/library/debian:12*   those that match ("*", "?", "[...]")
 *     host:5000/team/ *              all repositories of a registry that match ("*" passes "/"),
 * with host:5000/ *:release-*         all of their tags, or those that match (without the blank
 * before the star). A file has one a line; "#" at the beginning of a line, or after a blank, begins
 * a comment. Each is kept once. */
#ifndef KELLET_WATCH_WANT_H
#define KELLET_WATCH_WANT_H

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "image/reference.h"

enum { WANTS_MAX = 100000, WANTS_FILE_MAX = 16 << 20 };

enum want_kind { WANT_IMAGE, WANT_TAGS, WANT_REPOSITORIES };
struct want {
    enum want_kind kind;
    struct reference ref; /* WANT_TAGS: without a tag; WANT_REPOSITORIES: only its registry */
    const char *repositories, *tags; /* patterns; NULL: none */
};

struct wants {
    struct arena arena;
    struct map seen;
    VEC(struct want) list;
};

void wants_init(struct wants *w);
void wants_done(struct wants *w);
/* ERR_USAGE says what is wrong with it; ERR_LIMIT beyond WANTS_MAX. */
int wants_add(struct wants *w, str text, struct err *e);
/* The lines of a file; `name` and the line's number are in errors. */
int wants_add_lines(struct wants *w, str text, const char *name, struct err *e);
/* Does the pattern match? Both end with NUL. */
bool want_matches(const char *pattern, const char *text);

#endif
