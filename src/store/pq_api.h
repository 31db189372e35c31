/* pq_api.h - the functions of libpq that postgres.c uses, looked up when a PostgreSQL database is
 * first connected to: pq.exec() is PQexec(). */
#ifndef KELLET_STORE_PQ_API_H
#define KELLET_STORE_PQ_API_H

#include "base/err.h"

#include <libpq-fe.h>

/* clang-format off */
#define PQ_FUNCTIONS(X)                                                                            \
    X(clear) X(cmdStatus) X(cmdTuples) X(connectdbParams) \
    X(connectionNeedsPassword) X(consumeInput) X(enterPipelineMode) X(errorMessage) \
    X(exitPipelineMode) X(finish) X(flush) X(freemem) \
    X(ftype) X(getResult) X(getisnull) X(getlength) \
    X(getvalue) X(isBusy) X(nfields) X(notifies) X(pipelineSync) \
    X(resultErrorField) X(resultStatus) X(sendPrepare) X(sendQuery) \
    X(sendQueryPrepared) X(setNoticeReceiver) X(setSingleRowMode) X(setnonblocking) X(socket) \
    X(status) X(transactionStatus)
/* clang-format on */

struct pq_api {
#define PQ_POINTER(name) __typeof__(PQ##name) *name;
    PQ_FUNCTIONS(PQ_POINTER)
#undef PQ_POINTER
};

extern struct pq_api pq; /* after pq_load() */
/* Once per process, thread-safe. ERR_UNSUPPORTED, with what to install. */
int pq_load(struct err *e);

#endif
