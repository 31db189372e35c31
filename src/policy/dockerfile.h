/* dockerfile.h - the instructions of a Dockerfile, read in two ways.
 *
 * As Docker reads it (Dockerfile reference: line continuation, the directive `escape`, comments
 * inside continued lines, here-documents), and line by line, as Anchore Engine did: there each line
 * is an instruction of its own, whatever precedes it, and a continued line keeps its backslash. The
 * second way is for rows whose ids hold the text of such lines. */
#ifndef KELLET_POLICY_DOCKERFILE_H
#define KELLET_POLICY_DOCKERFILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum dockerfile_reading { DOCKERFILE_JOINED, DOCKERFILE_LINES };
enum { DOCKERFILE_BYTES_MAX = 16 << 20, DOCKERFILE_INSTRUCTIONS_MAX = 100000 };

struct dockerfile_instruction {
    str keyword; /* upper case */
    str text;    /* what follows, trimmed; continued lines are joined by one blank each */
};

/* In the arena, in the order of the text. How many, ERR_LIMIT or ERR_NO_MEMORY. */
int dockerfile_parse(str text, enum dockerfile_reading how, struct arena *a,
                     const struct dockerfile_instruction **out, struct err *e);

/* The user that a container of the last stage runs as: of its last USER, else of the stage it is
 * built on when that is one of this file, else "root". Instructions read as JOINED. */
str dockerfile_user(const struct dockerfile_instruction *list, size_t n);

#endif
