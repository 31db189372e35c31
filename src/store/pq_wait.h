/* pq_wait.h - waiting for PostgreSQL's answers, not for ever. libpq itself waits as long as the
 * kernel of the server's machine answers, be the server stopped, frozen or out of disk. Only for
 * postgres.c; connections are in non-blocking mode. */
#ifndef KELLET_STORE_PQ_WAIT_H
#define KELLET_STORE_PQ_WAIT_H

#include "store/pq_api.h"

#include <stdbool.h>

/* PQgetResult(). When no byte went or came for so many seconds, *late is set and the connection is
 * cut: the result says that it is broken. */
PGresult *pq_result(PGconn *c, unsigned seconds, bool *late);
/* PQexec(), PQprepare(): the last result of one or several statements, or the first error. NULL:
 * the connection is broken. */
PGresult *pq_execute(PGconn *c, const char *sql, unsigned seconds, bool *late);
PGresult *pq_prepare(PGconn *c, const char *name, const char *sql, int n, const Oid *types,
                     unsigned seconds, bool *late);

#endif
