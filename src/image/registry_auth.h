/* registry_auth.h - the authorization of one registry's client: what to send with a request, and
 * what to do when the registry answers 401.
 *
 * Tokens are per scope, and a client reads one repository, so one authorization is current at a
 * time; it has a generation, so that several threads that meet its end renew it once. */
#ifndef KELLET_IMAGE_REGISTRY_AUTH_H
#define KELLET_IMAGE_REGISTRY_AUTH_H

#include "image/challenge.h"
#include "image/registry.h"

#include <pthread.h>

struct registry_auth {
    pthread_mutex_t lock;
    struct http *http;
    char *host; /* of references and the configuration */
    char *repository;
    char *docker_config;
    bool plain; /* the registry is spoken to without TLS */
    bool aws;
    char *ca_file;

    char *authorization; /* a whole header value, or NULL */
    unsigned generation;
    int64_t expires;         /* CLOCK_BOOTTIME seconds; 0: not known */
    bool fixed;              /* a token that the user gave: cannot be renewed */
    struct challenge bearer; /* of the current token */

    bool looked_up;
    struct credentials credentials;
    struct err lookup_error; /* told when the registry then refuses */
};

int registry_auth_init(struct registry_auth *a, const struct reference *ref,
                       const struct registry_options *o, struct http *http, struct err *e);
void registry_auth_done(struct registry_auth *a);

/* The Authorization to send (a copy for the caller to free; NULL: none) and its generation. A token
 * about to expire is renewed first. */
int registry_auth_get(struct registry_auth *a, char **out, unsigned *generation, struct err *e);

/* After a 401 to a request sent with `generation`: gets what the challenge asks for. 1: try again;
 * 0: nothing more can be done, the 401 stands. */
int registry_auth_answer(struct registry_auth *a, const struct http_response *rs,
                         unsigned generation, struct err *e);

/* The text for a 401 or 403 that stands: who was refused, and what to do. ERR_AUTH. */
int registry_auth_refused(struct registry_auth *a, const char *what, const char *said,
                          struct err *e);

#endif
