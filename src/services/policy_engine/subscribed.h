/* subscribed.h - the tags that someone wants to hear about, and which of their images have findings
 * that changed: what the consumers of changes.h go through.
 *
 * The consumer's name is the subscription's type. A round: subscribed_read(), whatever is to be
 * done for the tags that are due, subscribed_move(); again while `more`. Reading all tags costs
 * time in proportion to their number: it is done when there are changes, or when the consumer asks.
 */
#ifndef KELLET_SERVICES_POLICY_ENGINE_SUBSCRIBED_H
#define KELLET_SERVICES_POLICY_ENGINE_SUBSCRIBED_H

#include "base/map.h"
#include "base/vec.h"
#include "services/engine.h"

struct subscribed_tag {
    str account, fulltag;
    str digest;      /* of the image that it points at, which is analysed */
    str scan_key;    /* of vuln_scan: the tag; for one of the older images that the subscription's
                        value    names ({"digests": [...]}) "DIGEST/TAG" */
    str annotations; /* of the image, JSON; may be empty */
    str told;        /* the image that vuln_update compared last; empty: none */
    bool fresh;      /* it was analysed after the subscription was written last */
    bool due; /* a finding of one of the image's packages changed; or it is one of the newcomers */
    struct subscribed_tag *next; /* of the same image */
};
struct subscribed {
    struct arena a;
    VEC(struct subscribed_tag *) tags;
    struct map by_image;
    int64_t from, to;       /* places among the changes */
    VEC(int64_t) newcomers; /* rows of finding_newcomer of this type; negative: of finding_again */
    bool more;              /* there are further changes */
    bool all;               /* of this read */
    const char *type;
};

/* Images to look at again, beside those of changes. For policy_eval they are rows of
 * finding_newcomer, for others of finding_again, which older builds leave alone. */

/* The packages of an image were judged for the first time: by data that may be newer than those by
 * which it was evaluated and told of, which is no change of its findings. Costs nothing when nobody
 * wants to hear about it. */
int64_t subscribed_newcomer(struct db_tx *tx, int64_t image, struct err *e);
/* What is said of all findings of an account became another (its VEX documents): the same for those
 * of its images that somebody wants to hear about. */
int64_t subscribed_account(struct db_tx *tx, str account, struct err *e);
/* A subscription has begun: what was known then (subscribe.h) is compared with what is known since;
 * in the transaction that makes it active. */
int64_t subscribed_began(struct db_tx *tx, str type, str account, str fulltag, struct err *e);
/* What CPEs say became another: findings by CPE are not kept for each package, so all images that
 * somebody wants to hear about are looked at again, for both. */
int64_t subscribed_all(struct db_tx *tx, struct err *e);

void subscribed_init(struct subscribed *s, const char *type);
void subscribed_done(struct subscribed *s);
/* The next changes after the consumer's place, and when there are any, or with `all`, the
 * subscribed tags. */
int subscribed_read(struct engine *en, struct subscribed *s, bool all, struct err *e);
/* These changes, and newcomers, are done with. */
int subscribed_move(struct engine *en, struct subscribed *s, struct err *e);

#endif
