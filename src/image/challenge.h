/* challenge.h - WWW-Authenticate: what a server wants to see before it answers.
 *
 * Source: RFC 9110 11.6.1; the bearer scheme's parameters: distribution specification, token
 * authentication. A server may send several challenges, in one field or in several. */
#ifndef KELLET_IMAGE_CHALLENGE_H
#define KELLET_IMAGE_CHALLENGE_H

#include "net/http.h"

struct challenge {
    char realm[2048], service[512], scope[2048], error[128]; /* "" when absent */
};

/* Looks for a challenge of the scheme ("Bearer", "Basic") in a field's value. False: there is none.
 * A parameter that is longer than its place counts as absent. */
bool challenge_parse(str value, const char *scheme, struct challenge *out);
/* The same over all WWW-Authenticate fields of an answer. */
bool challenge_find(const struct http_response *rs, const char *scheme, struct challenge *out);

#endif
