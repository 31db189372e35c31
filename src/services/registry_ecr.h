/* registry_ecr.h - logins at Amazon's registries for the records of accounts (type awsecr).
 *
 * A record says who asks for the token: user or password "awsauto": this process itself (allowed by
 * allow_awsecr_iam_auto); user "_iam_role": a role, whose ARN, and after ";" its external id, is
 * the password; else an access key and its secret. Tokens are kept for each account, record and
 * host, renewed an hour before they expire, and belong to that host alone. */
#ifndef KELLET_SERVICES_REGISTRY_ECR_H
#define KELLET_SERVICES_REGISTRY_ECR_H

#include "net/aws_ecr.h"
#include "services/registry_record.h"

struct registry_ecr;
int registry_ecr_open(struct engine *en, struct err *e); /* en->ecr */
void registry_ecr_close(struct registry_ecr *t);         /* NULL is fine */

/* Does the record mean this process's own credentials, and are they allowed? 0, or ERR_AUTH with
 * the original's text. */
int registry_ecr_allowed(const struct engine *en, str user, str secret, struct err *e);

/* The login at `host` ("host[:port]") as the record has it; `secret` is its password, opened.
 * ERR_USAGE: the host has not the form of Amazon's, or the record makes no sense; ERR_AUTH,
 * ERR_NET: see aws_ecr.h. */
int registry_ecr_login(struct engine *en, str account, str host, str user, str secret,
                       struct aws_ecr_login *out, struct err *e);

#endif
