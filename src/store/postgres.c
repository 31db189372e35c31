#include "store/db_driver.h"

#include <poll.h>

#include "base/auto.h"
#include "base/buf.h"
#include "store/pq_api.h"
#include "store/postgres_value.h"
#include "store/pq_wait.h"

/* Rows that wait because another statement was run meanwhile. */
enum { KEPT_MAX = 512 << 20 };

/* A transaction costs as few round trips as it can: BEGIN goes out together with the first
 * statement, and nobody waits for the COMMIT of one that only read. */
struct pg {
    struct db_conn conn;
    PGconn *pg;
    uint64_t names;
    struct db_rows *streaming; /* rows that still come from the server */
    enum db_mode mode;
    bool begin_due; /* the transaction has begun, but the server does not know yet */
    bool piped;     /* the statement under way went out in a pipeline */
    bool owed;      /* the answer to a reader's COMMIT was not read yet */
    bool late;      /* it was cut because no answer came in time */
    unsigned patience;
};

struct pg_rows {
    int columns;
    Oid *types;
    struct pg_cell *cells;
    PGresult *row; /* the current one; NULL when it is in kept */
    bool ended;    /* nothing more comes from the server */
    int failed;
    struct err why;
    struct buf kept;
    size_t kept_at;
};

static struct pg *pg_of(struct db_conn *c)
{
    return (struct pg *)c;
}

/* The first line of libpq's text. */
static str first_line(const char *text)
{
    str rest = str_z(text), line = {0};
    str_line(&rest, &line);
    return str_trim(line);
}

static unsigned patience(const struct pg *p)
{
    return p->patience + (p->conn.takes_time ? DB_LONG_SECONDS : 0);
}

static int fail_conn(struct pg *p, struct err *e)
{
    p->conn.broken = true;
    if (p->late)
        return err_set(e, ERR_NET, "database: no answer within %u seconds", patience(p));
    return err_set(e, ERR_NET, "database: %.*s", STR_ARG(first_line(pq.errorMessage(p->pg))));
}

static PGresult *next_result(struct pg *p)
{
    return pq_result(p->pg, patience(p), &p->late);
}

static PGresult *execute(struct pg *p, const char *sql)
{
    return pq_execute(p->pg, sql, patience(p), &p->late);
}

static PGresult *prepare(struct pg *p, const char *name, const char *sql, int n, const Oid *types)
{
    return pq_prepare(p->pg, name, sql, n, types, patience(p), &p->late);
}

static int code_of_state(struct pg *p, const char *s, const char *text)
{
    if (strcmp(s, "23505") == 0)
        return ERR_EXISTS;
    if (strncmp(s, "23", 2) == 0)
        return ERR_CONFLICT;
    if (strcmp(s, "40001") == 0 || strcmp(s, "40P01") == 0 || strcmp(s, "55P03") == 0) {
        p->conn.again = true;
        return ERR_IO;
    }
    if (strcmp(s, "0A000") == 0 && str_contains(str_z(text), STR("cached plan"))) {
        p->conn.broken = p->conn.again = true;
        return ERR_IO;
    }
    if (strncmp(s, "57P", 3) == 0 || strncmp(s, "08", 2) == 0) {
        p->conn.broken = true;
        return ERR_NET;
    }
    if (strcmp(s, "25006") == 0 && pq.status(p->pg) == CONNECTION_OK)
        return ERR_USAGE;         /* writes in a DB_READ transaction */
    if (strncmp(s, "53", 2) == 0) /* no disk, no memory, too many connections */
        return ERR_NET;
    if (strncmp(s, "57", 2) == 0 || strncmp(s, "58", 2) == 0)
        return ERR_IO;
    if (strncmp(s, "22", 2) == 0)
        return ERR_FORMAT;
    return ERR_USAGE;
}

static int fail_result(struct pg *p, const PGresult *r, struct err *e)
{
    const char *state = r ? pq.resultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    if (!state || pq.status(p->pg) != CONNECTION_OK)
        return fail_conn(p, e);
    const char *text = pq.resultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    return err_set(e, code_of_state(p, state, text), "database: %.*s (%s)",
                   STR_ARG(first_line(text)), state);
}

static bool succeeded(const PGresult *r)
{
    ExecStatusType t = pq.resultStatus(r);
    return t == PGRES_COMMAND_OK || t == PGRES_TUPLES_OK || t == PGRES_SINGLE_TUPLE ||
           t == PGRES_EMPTY_QUERY;
}

static void on_notice(void *arg, const PGresult *r)
{
}

static int fail_connect(PGconn *pg, struct err *e)
{
    const char *text = pq.errorMessage(pg);
    str s = str_z(text);
    bool refused = pq.connectionNeedsPassword(pg) ||
                   str_contains(s, STR("authentication failed")) ||
                   str_contains(s, STR("pg_hba.conf")) || str_contains(s, STR("does not exist")) ||
                   str_contains(s, STR("no password supplied"));
    return err_set(e, refused ? ERR_AUTH : ERR_NET, "database: %.*s", STR_ARG(first_line(text)));
}

static int run(struct pg *p, const char *sql, struct err *e)
{
    PGresult *r = execute(p, sql);
    int rc = succeeded(r) ? 0 : fail_result(p, r, e);
    pq.clear(r);
    return rc;
}

static const char *const begins[] = {
    [DB_READ] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", [DB_WRITE] = "BEGIN"};
static const char *const begin_names[] = {[DB_READ] = "begin_read", [DB_WRITE] = "begin_write"};

static int begin_now(struct pg *p, struct err *e)
{
    if (!p->begin_due)
        return 0;
    p->begin_due = false;
    return run(p, begins[p->mode], e);
}

static int pg_script(struct db_conn *c, const char *sql, struct err *e)
{
    struct pg *p = pg_of(c);
    int rc = begin_now(p, e);
    return rc < 0 ? rc : run(p, sql, e);
}

static void pg_disconnect(struct db_conn *c)
{
    pq.finish(pg_of(c)->pg);
    free(c);
}

static int pg_connect(const struct db_options *o, bool writer, struct db_conn **out, struct err *e)
{
    char timeout[16];
    snprintf(timeout, sizeof timeout, "%u", o->connect_timeout);
    const char *keys[] = {"fallback_application_name", "keepalives_idle",  "keepalives_interval",
                          "keepalives_count",          "tcp_user_timeout", "dbname",
                          "connect_timeout",           "client_encoding",  NULL};
    const char *values[] = {"kellet", "30", "10", "3", "30000", o->url, timeout, "UTF8", NULL};
    int rc = pq_load(e);
    if (rc < 0)
        return rc;
    struct pg *p = calloc(1, sizeof *p);
    if (!p)
        return err_no_memory(e);
    p->conn.driver = &db_postgres;
    p->pg = pq.connectdbParams(keys, values, 1);
    if (!p->pg || pq.status(p->pg) != CONNECTION_OK) {
        rc = p->pg ? fail_connect(p->pg, e) : err_no_memory(e);
        pg_disconnect(&p->conn);
        return rc;
    }
    p->patience = o->answer_timeout;
    pq.setnonblocking(p->pg, 1);
    pq.setNoticeReceiver(p->pg, on_notice, NULL);
    char set[256];
    snprintf(set, sizeof set,
             "SET statement_timeout = '%us'; SET lc_messages = 'C';"
             "SET idle_in_transaction_session_timeout = '600s'; SET TimeZone = 'UTC'",
             o->statement_timeout);
    rc = pg_script(&p->conn, set, e);
    if (rc < 0 && !p->conn.broken) { /* lc_messages is for superusers */
        snprintf(set, sizeof set, "SET statement_timeout = '%us'", o->statement_timeout);
        rc = pg_script(&p->conn, set, e);
    }
    for (int mode = DB_READ; rc == 0 && mode <= DB_WRITE; mode++) {
        PGresult *r = prepare(p, begin_names[mode], begins[mode], 0, NULL);
        rc = succeeded(r) ? 0 : fail_result(p, r, e);
        pq.clear(r);
    }
    if (rc < 0) {
        pg_disconnect(&p->conn);
        return rc;
    }
    *out = &p->conn;
    return 0;
}

/* Reads the answer that is owed, and what the server may have said when it went away. */
static int settle(struct pg *p, struct err *e)
{
    while (p->owed) {
        PGresult *r = next_result(p);
        p->owed = r != NULL;
        pq.clear(r);
    }
    struct pollfd fd = {.fd = pq.socket(p->pg), .events = POLLIN};
    for (int i = 0; i < 8 && poll(&fd, 1, 0) == 1; i++)
        if (!pq.consumeInput(p->pg))
            break;
    if (pq.status(p->pg) != CONNECTION_OK || pq.transactionStatus(p->pg) != PQTRANS_IDLE)
        return fail_conn(p, e);
    return 0;
}

static int pg_begin(struct db_conn *c, enum db_mode mode, struct err *e)
{
    struct pg *p = pg_of(c);
    int rc = settle(p, e);
    p->mode = mode;
    p->begin_due = rc == 0;
    return rc;
}

static int pg_commit(struct db_conn *c, struct err *e)
{
    struct pg *p = pg_of(c);
    if (p->begin_due) {
        p->begin_due = false;
        return 0;
    }
    if (p->mode == DB_READ) {
        p->owed = pq.sendQuery(p->pg, "COMMIT");
        return p->owed ? 0 : fail_conn(p, e);
    }
    PGresult *r = execute(p, "COMMIT");
    int rc = succeeded(r) ? 0 : fail_result(p, r, e);
    if (rc == 0 && strcmp(pq.cmdStatus(r), "COMMIT") != 0)
        rc = err_set(e, ERR_CONFLICT, "the database rolled the transaction back");
    pq.clear(r);
    return rc;
}

static void pg_rollback(struct db_conn *c)
{
    struct pg *p = pg_of(c);
    p->begin_due = false;
    if (pq.transactionStatus(p->pg) != PQTRANS_IDLE && run(p, "ROLLBACK", NULL) < 0)
        c->broken = true;
}

/* ---- pipelines: BEGIN and a statement in one round trip */

/* The statement's results have all been read. */
static void leave_pipeline(struct pg *p)
{
    if (!p->piped)
        return;
    p->piped = false;
    pq.clear(next_result(p)); /* the pipeline's end */
    if (!pq.exitPipelineMode(p->pg))
        p->conn.broken = true;
}

/* The answer to the BEGIN at the head of the pipeline. */
static int begin_answer(struct pg *p, struct err *e)
{
    PGresult *r = next_result(p);
    int rc = succeeded(r) ? 0 : fail_result(p, r, e);
    pq.clear(r);
    pq.clear(next_result(p));
    return rc;
}

/* Sends the prepared statement `number`, behind the BEGIN when that is due. */
static int send_statement(struct pg *p, uint64_t number, const struct db_value *v, size_t n,
                          struct err *e)
{
    struct pg_values o = {0};
    int rc = pg_values_make(&o, v, n, e);
    char name[32];
    snprintf(name, sizeof name, "s%llu", (unsigned long long)number);
    bool first = rc == 0 && p->begin_due;
    if (first) {
        p->begin_due = false;
        p->piped = pq.enterPipelineMode(p->pg);
        if (!p->piped || !pq.sendQueryPrepared(p->pg, begin_names[p->mode], 0, NULL, NULL, NULL, 1))
            rc = fail_conn(p, e);
    }
    if (rc == 0 && !pq.sendQueryPrepared(p->pg, name, (int)n, o.p, o.lengths, o.formats, 1))
        rc = fail_conn(p, e);
    free(o.memory);
    if (rc == 0 && first)
        rc = pq.pipelineSync(p->pg) ? begin_answer(p, e) : fail_conn(p, e);
    return rc;
}

/* ---- rows that come one by one */

static int take_types(struct pg_rows *s, const PGresult *r, struct err *e)
{
    if (s->types)
        return 0;
    s->columns = pq.nfields(r);
    s->types = calloc(s->columns + 1, sizeof *s->types);
    s->cells = calloc(s->columns + 1, sizeof *s->cells);
    if (!s->types || !s->cells)
        return err_no_memory(e);
    for (int i = 0; i < s->columns; i++)
        s->types[i] = pq.ftype(r, i);
    return 0;
}

/* 1: *out is a row's result; 0: the end. */
static int receive(struct pg *p, struct db_rows *rows, PGresult **out, struct err *e)
{
    struct pg_rows *s = rows->state;
    for (PGresult *r; !s->ended && (r = next_result(p));) {
        ExecStatusType t = pq.resultStatus(r);
        if (t == PGRES_SINGLE_TUPLE) {
            int rc = take_types(s, r, e);
            if (rc == 0) {
                *out = r;
                return 1;
            }
            s->failed = rc;
        } else if (t != PGRES_TUPLES_OK && t != PGRES_COMMAND_OK && !s->failed) {
            s->failed = fail_result(p, r, &s->why);
        }
        pq.clear(r);
    }
    if (!s->ended)
        leave_pipeline(p);
    s->ended = true;
    if (p->streaming == rows)
        p->streaming = NULL;
    if (s->failed && e)
        *e = s->why;
    return s->failed;
}

static void keep(struct pg_rows *s, const PGresult *r)
{
    for (int i = 0; i < s->columns; i++) {
        bool null = pq.getisnull(r, 0, i);
        int n = pq.getlength(r, 0, i);
        buf_add_u32(&s->kept, null ? UINT32_MAX : (uint32_t)n);
        buf_add(&s->kept, pq.getvalue(r, 0, i), null ? 0 : n);
    }
}

/* The connection is needed for another statement: what is still under way is put aside. */
static int put_aside(struct pg *p, struct err *e)
{
    struct db_rows *rows = p->streaming;
    if (!rows)
        return 0;
    struct pg_rows *s = rows->state;
    PGresult *r;
    while (receive(p, rows, &r, NULL) == 1) {
        keep(s, r);
        pq.clear(r);
    }
    return buf_check(&s->kept, "rows of an open query", e);
}

static void next_kept(struct pg_rows *s)
{
    for (int i = 0; i < s->columns; i++) {
        const unsigned char *b = (const unsigned char *)s->kept.p + s->kept_at;
        uint32_t n = b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24;
        s->kept_at += 4;
        s->cells[i] = (struct pg_cell){n == UINT32_MAX ? NULL : s->kept.p + s->kept_at,
                                       n == UINT32_MAX ? 0 : n};
        s->kept_at += s->cells[i].n;
    }
}

static int pg_next(struct db_conn *c, struct db_rows *rows, struct err *e)
{
    struct pg *p = pg_of(c);
    struct pg_rows *s = rows->state;
    pq.clear(s->row);
    s->row = NULL;
    if (s->kept_at < s->kept.n) {
        next_kept(s);
        return 1;
    }
    int rc = receive(p, rows, &s->row, e);
    for (int i = 0; rc == 1 && i < s->columns; i++)
        s->cells[i] =
            (struct pg_cell){pq.getisnull(s->row, 0, i) ? NULL : pq.getvalue(s->row, 0, i),
                             (size_t)pq.getlength(s->row, 0, i)};
    return rc;
}

/* ---- statements */

static int pg_prepare(struct db_conn *c, const char *sql, const struct db_value *v, size_t n,
                      struct db_stmt *st, struct err *e)
{
    struct pg *p = pg_of(c);
    int rc = put_aside(p, e);
    if (rc == 0)
        rc = begin_now(p, e);
    if (rc < 0)
        return rc;
    autofree Oid *types = calloc(n + 1, sizeof *types);
    if (!types)
        return err_no_memory(e);
    for (size_t i = 0; i < n; i++)
        types[i] = pg_oid(v[i].type);
    char name[32];
    uint64_t number = ++p->names;
    snprintf(name, sizeof name, "s%llu", (unsigned long long)number);
    PGresult *r = prepare(p, name, sql, (int)n, types);
    rc = succeeded(r) ? 0 : fail_result(p, r, e);
    pq.clear(r);
    if (rc == 0)
        st->name = number;
    return rc;
}

static void pg_unprepare(struct db_conn *c, struct db_stmt *st)
{
    struct pg *p = pg_of(c);
    if (!st->name || c->broken || pq.transactionStatus(p->pg) == PQTRANS_INERROR ||
        put_aside(p, NULL) < 0)
        return;
    char sql[48];
    snprintf(sql, sizeof sql, "DEALLOCATE s%llu", (unsigned long long)st->name);
    pq.clear(execute(p, sql));
}

static int64_t pg_exec(struct db_conn *c, struct db_stmt *st, const struct db_value *v, size_t n,
                       struct err *e)
{
    struct pg *p = pg_of(c);
    int rc = put_aside(p, e);
    if (rc == 0)
        rc = send_statement(p, st->name, v, n, e);
    int64_t changed = rc;
    for (PGresult *r; (r = next_result(p)); pq.clear(r))
        if (changed >= 0)
            changed = succeeded(r) ? strtoll(pq.cmdTuples(r), NULL, 10) : fail_result(p, r, e);
    leave_pipeline(p);
    return changed;
}

static int pg_query(struct db_conn *c, struct db_rows *rows, const struct db_value *v, size_t n,
                    struct err *e)
{
    struct pg *p = pg_of(c);
    int rc = put_aside(p, e);
    struct pg_rows *s = rc == 0 ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return rc < 0 ? rc : err_no_memory(e);
    buf_init(&s->kept, KEPT_MAX);
    s->ended = true;
    rows->state = s;
    rc = send_statement(p, rows->stmt->name, v, n, e);
    s->ended = false;
    p->streaming = rows;
    if (rc == 0 && !pq.setSingleRowMode(p->pg))
        rc = fail_conn(p, e);
    if (rc < 0)
        return rc;
    rc = pg_next(c, rows, e);
    rows->have = rc == 1;
    rows->done = rc <= 0;
    return rc < 0 ? rc : 0;
}

static void pg_close(struct db_conn *c, struct db_rows *rows)
{
    struct pg_rows *s = rows->state;
    if (!s)
        return;
    PGresult *r;
    while (!s->ended && receive(pg_of(c), rows, &r, NULL) == 1)
        pq.clear(r);
    pq.clear(s->row);
    buf_done(&s->kept);
    free(s->types);
    free(s->cells);
    free(s);
    rows->state = NULL;
}

static struct db_value pg_cell_value(const struct db_rows *rows, int col)
{
    const struct pg_rows *s = rows->state;
    if (!s || !s->cells || col < 0 || col >= s->columns || rows->done)
        return DBNULL;
    return pg_value(s->types[col], &s->cells[col]);
}

/* ---- notices */

static int pg_listen(struct db_conn *c, const char *channel, struct err *e)
{
    char sql[128];
    snprintf(sql, sizeof sql, "LISTEN \"%s\"", channel);
    return pg_script(c, sql, e);
}

static int pg_wait(struct db_conn *c, int wake,
                   void (*fn)(void *ctx, const char *channel, str payload), void *ctx,
                   struct err *e)
{
    struct pg *p = pg_of(c);
    struct pollfd fds[] = {{.fd = pq.socket(p->pg), .events = POLLIN},
                           {.fd = wake, .events = POLLIN}};
    /* Now and then a question, so that a server that vanished without a word is noticed. */
    if (poll(fds, 2, 60000) == 0)
        return pg_script(c, "SELECT 1", e);
    if (!pq.consumeInput(p->pg))
        return fail_conn(p, e);
    for (PGnotify *n; (n = pq.notifies(p->pg));) {
        fn(ctx, n->relname, str_z(n->extra));
        pq.freemem(n);
    }
    return 0;
}

static const char *const dialect[][2] = {
    {"skip_locked", "FOR UPDATE SKIP LOCKED"},
    {"for_update", "FOR UPDATE"},
    {"for_share", "FOR KEY SHARE"},
    {"json", ""},
    {"text", "TEXT COLLATE \"C\""},
    {"blob", "BYTEA"},
    {"identity", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"},
    {"no_rowid", ""},
    {NULL, NULL},
};

const struct db_driver db_postgres = {
    .kind = DB_POSTGRES,
    .typed = true,
    .dialect = dialect,
    .connect = pg_connect,
    .disconnect = pg_disconnect,
    .begin = pg_begin,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .script = pg_script,
    .prepare = pg_prepare,
    .unprepare = pg_unprepare,
    .exec = pg_exec,
    .query = pg_query,
    .next = pg_next,
    .close = pg_close,
    .cell = pg_cell_value,
    .listen = pg_listen,
    .wait = pg_wait,
};
