/* aws_profile.h - the files ~/.aws/config and ~/.aws/credentials.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files". Sections
 * "[NAME]" (credentials), "[default]" and "[profile NAME]" (config); lines "key = value"; "#" and
 * ";" begin comments at the start of a line, after white space within one. Indented lines belong to
 * nested settings and are passed over. Files have at most 1 MiB. */
#ifndef KELLET_NET_AWS_PROFILE_H
#define KELLET_NET_AWS_PROFILE_H

#include "base/buf.h"

struct aws_profile {
    char access_key[160], secret_key[256], session_token[12288];
    char region[64], role_arn[256], external_id[1300], source_profile[128];
    char credential_source[64], web_identity_token_file[1024];
    bool has_process, has_sso; /* ways that are not supported here */
    bool found;                /* in one of the files */
};

/* Adds what a file's text says of a profile; what is there already stays. config: sections are
 * called "profile NAME". Values that do not fit count as absent. */
void aws_profile_parse(str text, const char *name, bool config, struct aws_profile *out);

/* Reads both files ($AWS_SHARED_CREDENTIALS_FILE, $AWS_CONFIG_FILE; credentials win). name NULL:
 * $AWS_PROFILE, else "default". A file that is not there is none; ERR_IO, ERR_LIMIT. */
int aws_profile_read(const char *name, struct aws_profile *out, struct err *e);
/* The name that NULL stands for. */
const char *aws_profile_name(const char *name);

#endif
