/* aws_ecr.h - logins at Amazon's container registries.
 *
 * Source: Amazon ECR API reference (GetAuthorizationToken). A registry's host is
 * ACCOUNT.dkr.ecr.REGION.SUFFIX (-fips after "ecr" for those end points), or, for both IP versions,
 * ACCOUNT.dkr-ecr.REGION.on.aws. */
#ifndef KELLET_NET_AWS_ECR_H
#define KELLET_NET_AWS_ECR_H

#include "net/aws_credentials.h"

struct aws_ecr_host {
    char account[13], region[AWS_REGION_MAX];
    /* Its end is one that Amazon's registries have, or it is this machine (.localhost). Tokens are
     * sent nowhere else. */
    bool trusted;
};
/* "host[:port]", without a path. False: it has not the form of such a registry. */
bool aws_ecr_host_parse(str host, struct aws_ecr_host *out);

struct aws_ecr_login {
    char user[64], password[8192];
    int64_t expires; /* seconds since 1970 */
};
/* Asks the service in the host's region. ERR_AUTH: refused, or the host is not trusted. */
int aws_ecr_login(struct aws_provider *p, const struct aws_ecr_host *host,
                  struct aws_ecr_login *out, struct err *e);

#endif
