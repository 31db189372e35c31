/* aws_sts.h - temporary keys of a role from AWS's Security Token Service.
 *
 * Source: AWS STS API reference, version 2011-06-15. */
#ifndef KELLET_NET_AWS_STS_H
#define KELLET_NET_AWS_STS_H

#include "net/aws.h"

struct aws_sts {
    struct aws_client *client;
    const struct aws_endpoints *endpoints; /* MAY be NULL */
    const char *region;                    /* NULL: the environment's, else us-east-1 */
};

/* AssumeRole, signed with the keys. external_id and session (its name) MAY be NULL or "". */
int aws_sts_assume(const struct aws_sts *s, const struct aws_keys *keys, const char *role_arn,
                   const char *external_id, const char *session, struct aws_keys *out,
                   struct err *e);
/* AssumeRoleWithWebIdentity: not signed; the token (a JWT) is who we are. */
int aws_sts_web_identity(const struct aws_sts *s, const char *role_arn, const char *session,
                         str token, struct aws_keys *out, struct err *e);

#endif
