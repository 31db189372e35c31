/* http_trust.h - sets of CA certificates, taken apart once and shared by all connections.
 *
 * Taking a system's bundle apart costs 25 ms or more, which libcurl spends on each new connection,
 * even on one to a server that turns out to speak plain HTTP. A set is known by its bytes, so a
 * file that changes is another set. */
#ifndef KELLET_NET_HTTP_TRUST_H
#define KELLET_NET_HTTP_TRUST_H

#include "base/str.h"
#include "net/curl_api.h"

enum { HTTP_TRUST_SETS = 16 }; /* kept; the one that was not used for longest goes */

/* Does this libcurl use the OpenSSL that we are linked with? */
bool http_trust_usable(const struct curl_api *api);

/* For CURLOPT_SSL_CTX_FUNCTION: the context (an SSL_CTX) trusts the certificates in pem and those
 * that the directory has by hash of their names (NULL: none). ERR_FORMAT: pem has no certificate,
 * or is empty and there is no directory. Thread-safe. */
int http_trust_give(const struct curl_api *api, void *ssl_ctx, str pem, const char *dir,
                    struct err *e);

#endif
