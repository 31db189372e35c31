/* aws_credentials.h - who we are to AWS: keys from the first place that has some, kept and renewed.
 *
 * Places, in the order of AWS's own tools: keys that were given; the environment; a web identity
 * (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN: IRSA on Kubernetes); the profile in ~/.aws; the
 * container's endpoint (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI: ECS, EKS pod
 * identity); the machine's metadata (IMDSv2). A place that is set up and does not work ends the
 * search: another identity is never taken silently. On top of that a role may be assumed.
 *
 * Thread-safe. Keys are renewed five minutes before they expire, by one thread while the others
 * wait; while old ones are valid a failed renewal is no error. A failure is remembered for five
 * seconds, so that many threads do not each wait for the same time-outs. */
#ifndef KELLET_NET_AWS_CREDENTIALS_H
#define KELLET_NET_AWS_CREDENTIALS_H

#include "net/aws.h"

struct aws_provider_options {
    /* Given: nothing else is looked at. session_token MAY be NULL. */
    const char *access_key, *secret_key, *session_token;
    const char *profile;                /* NULL: $AWS_PROFILE, "default" */
    const char *role_arn, *external_id; /* NULL: none to assume */
    const char *region;                 /* of STS; NULL: the environment's */
    struct aws_endpoints endpoints;
    const char *ca_file;
};

struct aws_provider;
/* Copies the options. Asks nobody yet. */
int aws_provider_new(const struct aws_provider_options *o, struct aws_provider **out,
                     struct err *e);
void aws_provider_free(struct aws_provider *p); /* NULL is fine */

/* The keys of now. ERR_AUTH: no place has any (the text lists what was tried), or one is refused;
 * ERR_NET: whom we asked did not answer. */
int aws_provider_get(struct aws_provider *p, struct aws_keys *out, struct err *e);
/* The service refused these keys: the next aws_provider_get() looks anew, unless it has others
 * already. */
void aws_provider_refused(struct aws_provider *p, const struct aws_keys *keys);

/* aws_send() with the provider's keys; once more with new ones when the service says that they have
 * expired. */
int aws_provider_send(struct aws_provider *p, const struct aws_request *rq,
                      struct http_response *rs, struct buf *body, struct err *e);
const struct aws_endpoints *aws_provider_endpoints(const struct aws_provider *p);
/* The region that the environment or the profile names; "" when neither does. */
const char *aws_provider_region(const struct aws_provider *p);

#endif
