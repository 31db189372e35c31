/* aws_source.h - the places where keys may be (aws_credentials.h lists them in their order). */
#ifndef KELLET_NET_AWS_SOURCE_H
#define KELLET_NET_AWS_SOURCE_H

#include "net/aws_profile.h"
#include "net/aws_sts.h"

struct aws_search {
    struct aws_sts sts;
    struct http *metadata; /* short time-outs: addresses on this machine or beside it */
    const char *profile;   /* NULL: the environment's */
    struct buf tried;      /* "; "-separated: what was looked at and why it has nothing */
};

/* Fills *out from the first place that has keys. ERR_AUTH with what was tried. */
int aws_search_run(struct aws_search *s, struct aws_keys *out, struct err *e);

/* Whom the container's authorization token may be sent to: https anywhere, http to this machine
 * and to the addresses of ECS and EKS. */
bool aws_container_url_ok(str url);

#endif
