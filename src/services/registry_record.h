/* registry_record.h - the registries of an account: how to log in where, and how to talk to them.
 *
 * Records name a host, a host with a repository, or either with a "*" at the end. The longest that
 * matches is used. Passwords are sealed in the database (secrets.h) and opened only for a login. */
#ifndef KELLET_SERVICES_REGISTRY_RECORD_H
#define KELLET_SERVICES_REGISTRY_RECORD_H

#include "image/registry.h"
#include "services/engine.h"

struct registry_record {
    str account, registry, name;
    str type; /* "docker_v2", "awsecr"; p NULL: not given */
    str user;
    int verify;               /* 1: TLS certificates are checked; 0: not; -1: not given: 1 */
    int64_t created, updated; /* microseconds */
    str sealed;               /* the password as stored */
};

/* ERR_EXISTS when there is one of this name. `password` is sealed here. */
int registry_record_add(struct engine *en, struct db_tx *tx, const struct registry_record *r,
                        str password, struct err *e);
/* ERR_NOT_FOUND. */
int registry_record_update(struct engine *en, struct db_tx *tx, const struct registry_record *r,
                           str password, struct err *e);
/* 1 when there was one. */
int registry_record_delete(struct db_tx *tx, str account, str registry, struct err *e);
/* 1 or 0; in the arena. */
int registry_record_get(struct db_tx *tx, struct arena *a, str account, str registry,
                        struct registry_record *out, struct err *e);
/* In the order of their creation. */
int registry_record_list(struct db_tx *tx, struct arena *a, str account,
                         struct registry_record **out, size_t *n, struct err *e);
/* Does a record's name stand for registry/repo? */
bool registry_record_matches(str record, str registry, str repo);

/* How to reach the registry of registry/repo for an account: fills *o with the credentials of the
 * best record (strings in the arena) and never looks at the host's own Docker configuration, which
 * is no account's. A mirror that the configuration names comes with the credentials of its own
 * record. 1: a record was used; 0: there is none, *o is anonymous. A record of type awsecr is
 * turned into a token's login: errors of registry_ecr.h. */
int registry_login(struct engine *en, struct arena *a, str account, str registry, str repo,
                   struct registry_options *o, struct err *e);

#endif
