/* judge.h - an image's findings, verdict and gaps by the data at hand, from its inventory: just
 * read or remembered. */
#ifndef KELLET_WATCH_JUDGE_H
#define KELLET_WATCH_JUDGE_H

#include "packages/inventory.h"
#include "services/policy_engine/policy_scan.h"
#include "watch/look.h"

struct judge_input {
    const struct watch *w;
    struct inventory *inv;        /* borrowed; with a policy, hinted packages are added */
    str tag;                      /* to be judged as */
    struct policy_documents kept; /* of an earlier scan; read NULL: it was just scanned */
};

struct judged_image {
    str image;           /* digest of its manifest */
    struct buf findings; /* JSON, one entry for each vulnerability of a package, whatever its
                            copies: their versions are joined */
    struct buf
        document; /* the inventory as bytes; empty: it is kept already. The caller's to fill. */
    str uncovered, gaps, verdict;
    int64_t valid_until_us;
    struct policy_scan *scan; /* NULL: no policy */
};
/* Text in the arena. out: zeroed; judged_image_done() in any case. */
int judged_image_new(const struct judge_input *in, struct arena *a, struct judged_image *out,
                     struct err *e);
void judged_image_done(struct judged_image *j);
/* policy_scan_keep() where there was a policy. */
int judged_image_keep(const struct judged_image *j,
                      int (*fn)(void *ctx, const char *type, str text, struct err *e), void *ctx,
                      struct err *e);

#endif
