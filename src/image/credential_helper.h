/* credential_helper.h - runs docker-credential-NAME programs.
 *
 * Protocol: the argument "get", the server's name on standard input, one JSON object on standard
 * output (docker/docker-credential-helpers). */
#ifndef KELLET_IMAGE_CREDENTIAL_HELPER_H
#define KELLET_IMAGE_CREDENTIAL_HELPER_H

#include "base/buf.h"

/* Runs "docker-credential-NAME get" found in $PATH, without a shell, for at most 30 s; its standard
 * output (at most 64 KiB) goes to out. Its standard error is ours. Returns 1; 0 when the helper
 * says that it has no credentials for this server; ERR_AUTH when it cannot be run or fails. */
int credential_helper_get(const char *name, const char *server, struct buf *out, struct err *e);

#endif
