/* postgres_value.h - values on their way to and from PostgreSQL, in the formats of its protocol:
 * parameters of text and bytes are sent as they are, numbers as text; columns come in binary form
 * (network byte order, https://www.postgresql.org/docs/current/protocol-overview.html, the send
 * functions of the types). Only for postgres.c. */
#ifndef KELLET_STORE_POSTGRES_VALUE_H
#define KELLET_STORE_POSTGRES_VALUE_H

#include <libpq-fe.h>

#include "store/db.h"

struct pg_cell {
    const char *p; /* NULL: SQL NULL */
    size_t n;
};

/* A column of the type with that OID; text and bytes borrow the cell's. Unknown types are text. */
struct db_value pg_value(Oid type, const struct pg_cell *c);
/* The type that a statement is prepared with for such a value; 0: the server decides. */
Oid pg_oid(enum db_type t);

/* The arguments of PQsendQueryPrepared(); borrows the values' bytes. */
struct pg_values {
    const char **p;
    int *lengths, *formats;
    char (*numbers)[32];
    void *memory;
};

/* ERR_LIMIT for a value of 1 GiB or more. The caller frees o->memory in any case. */
int pg_values_make(struct pg_values *o, const struct db_value *v, size_t n, struct err *e);

#endif
