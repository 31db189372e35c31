#include "store/pq_wait.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* Until there is something to read that libpq has waited for, or nothing is to be expected. False:
 * it took too long. */
static bool answered(PGconn *c, unsigned seconds)
{
    for (;;) {
        int unsent = pq.flush(c);
        struct pollfd fd = {.fd = pq.socket(c), .events = POLLIN | (unsent ? POLLOUT : 0)};
        if (unsent < 0 || fd.fd < 0 || (!unsent && !pq.isBusy(c)))
            return true;
        int n = poll(&fd, 1, (int)seconds * 1000);
        if (n == 0)
            return false;
        if (n < 0 ? errno != EINTR : fd.revents != POLLOUT && !pq.consumeInput(c))
            return true;
    }
}

PGresult *pq_result(PGconn *c, unsigned seconds, bool *late)
{
    if (!answered(c, seconds)) {
        *late = true;
        shutdown(pq.socket(c), SHUT_RDWR);
    }
    return pq.getResult(c);
}

static bool is_error(const PGresult *r)
{
    ExecStatusType t = pq.resultStatus(r);
    return t == PGRES_FATAL_ERROR || t == PGRES_BAD_RESPONSE;
}

static PGresult *last_result(PGconn *c, unsigned seconds, bool *late)
{
    PGresult *last = NULL;
    for (PGresult *r; (r = pq_result(c, seconds, late));) {
        if (last && is_error(last)) {
            pq.clear(r);
            continue;
        }
        pq.clear(last);
        last = r;
    }
    return last;
}

PGresult *pq_execute(PGconn *c, const char *sql, unsigned seconds, bool *late)
{
    return pq.sendQuery(c, sql) ? last_result(c, seconds, late) : NULL;
}

PGresult *pq_prepare(PGconn *c, const char *name, const char *sql, int n, const Oid *types,
                     unsigned seconds, bool *late)
{
    return pq.sendPrepare(c, name, sql, n, types) ? last_result(c, seconds, late) : NULL;
}
