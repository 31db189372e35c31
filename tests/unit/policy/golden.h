/* golden.h - images that the original analysed, from the documents it gave
 * (../shared/data/api/golden), as facts of a policy. */
#ifndef KELLET_TESTS_POLICY_GOLDEN_H
#define KELLET_TESTS_POLICY_GOLDEN_H

#include "unit.h"

#include "base/arena.h"
#include "policy/facts.h"

struct golden {
    struct arena arena;
    struct policy_image image;
    struct policy_subject subject;
};
bool golden_here(void);
/* `name`: a directory; `more`: a path of one more file that the image has, or NULL. */
void golden_open(const char *name, const char *more, struct golden *g);
void golden_close(struct golden *g);
/* A file below ../shared/data/api. */
str golden_text(struct arena *a, const char *relative);

#endif
