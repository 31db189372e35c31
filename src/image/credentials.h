/* credentials.h - the parts of credentials_find() (registry.h) that work on text. */
#ifndef KELLET_IMAGE_CREDENTIALS_H
#define KELLET_IMAGE_CREDENTIALS_H

#include "image/registry.h"

/* Does a key of the configuration ("https://index.docker.io/v1/", "host:5000", "host/org") stand
 * for this registry ("host[:port][/repository]")? Hosts are compared whole: never by suffix or
 * prefix. 0: no; otherwise the more, the more exact (longer path). */
size_t credentials_key_match(str key, str registry);

/* Credentials in the text of a configuration file. `name` is for messages. Returns 1, or 0 when
 * there are none. */
int credentials_from_config(str text, const char *name, const char *registry,
                            struct credentials *out, struct err *e);

#endif
