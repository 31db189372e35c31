#include "store_test.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

static struct err e;

static struct db_tx *begin(enum db_mode mode)
{
    struct db_tx *tx;
    assert_ok(db_begin(store, mode, &tx, &e));
    return tx;
}

static void commit(struct db_tx *tx)
{
    assert_ok(db_commit(tx, &e));
}

static void make_table(void)
{
    struct db_tx *tx = begin(DB_WRITE);
    const char *bytes = db_tx_kind(tx) == DB_SQLITE ? "BLOB" : "BYTEA";
    char sql[200];
    snprintf(sql, sizeof sql,
             "CREATE TABLE t (k BIGINT NOT NULL PRIMARY KEY, s TEXT, b %s, r DOUBLE PRECISION, u "
             "BIGINT)",
             bytes);
    assert_ok(db_exec(tx, sql, DB0, &e));
    commit(tx);
}

static void put_row(int64_t k, str s)
{
    struct db_tx *tx = begin(DB_WRITE);
    assert_int_equal(db_exec(tx, "INSERT INTO t (k, s) VALUES ($1, $2)", DB(DBI(k), DBS(s)), &e),
                     1);
    commit(tx);
}

static void values_come_back(void **state)
{
    make_table();
    static const char bytes[] = {0, 1, '\'', (char)0xff, 0};
    struct db_tx *tx = begin(DB_WRITE);
    assert_int_equal(db_exec(tx, "INSERT INTO t (k, s, b, r, u) VALUES ($1, $2, $3, $4, $5)",
                             DB(DBI(INT64_MIN + 1), DBS(STR("a'\xc3\xa9$1")),
                                DBB(((str){bytes, sizeof bytes})), DBR(0.1), DBNULL),
                             &e),
                     1);
    auto_rows *r = NULL;
    assert_ok(db_query(tx, "SELECT k, s, b, r, u, '' FROM t WHERE k = $1", DB(DBI(INT64_MIN + 1)),
                       &r, &e));
    assert_int_equal(db_next(r, &e), 1);
    assert_true(db_int(r, 0) == INT64_MIN + 1);
    assert_str(db_text(r, 1), STR("a'\xc3\xa9$1"));
    assert_str(db_blob(r, 2), ((str){bytes, sizeof bytes}));
    assert_true(db_real(r, 3) == 0.1);
    assert_true(db_is_null(r, 4) && db_int(r, 4) == 0 && !db_text(r, 4).p);
    assert_true(!db_is_null(r, 5) && db_text(r, 5).p && db_text(r, 5).n == 0);
    assert_int_equal(db_next(r, &e), 0);
    assert_int_equal(db_next(r, &e), 0);
    db_rows_close(TAKE(r));
    commit(tx);
}

static void sums_are_integers(void **state)
{
    make_table();
    static const int64_t values[] = {0,          1,         -1,        9999,
                                     10000,      100000000, 123450000, INT64_C(4611686018427387904),
                                     -987654321, 20000};
    for (size_t i = 0; i < KE_ARRAY_LEN(values); i++) {
        struct db_tx *tx = begin(DB_WRITE);
        assert_ok(db_exec(tx, "DELETE FROM t", DB0, &e));
        assert_ok(db_exec(tx, "INSERT INTO t (k, u) VALUES (1, $1)", DB(DBI(values[i])), &e));
        int64_t sum = 7;
        assert_ok(db_query_int(tx, "SELECT SUM(u) FROM t", DB0, &sum, &e));
        assert_true(sum == values[i]);
        db_rollback(tx);
    }
}

static void failures_have_codes(void **state)
{
    make_table();
    put_row(1, STR("one"));
    struct db_tx *tx = begin(DB_WRITE);
    assert_int_equal(db_exec(tx, "INSERT INTO t (k) VALUES ($1)", DB(DBI(1)), &e), ERR_EXISTS);
    assert_int_equal(db_exec(tx, "SELECT 1", DB0, &e), ERR_EXISTS);
    assert_int_equal(db_commit(tx, &e), ERR_CONFLICT);
    tx = begin(DB_WRITE);
    assert_int_equal(db_exec(tx, "INSERT INTO t (k) VALUES ($1)", DB(DBNULL), &e), ERR_CONFLICT);
    db_rollback(tx);
    tx = begin(DB_WRITE);
    assert_int_equal(db_exec(tx, "SELEKT 1", DB0, &e), ERR_USAGE);
    db_rollback(tx);
    tx = begin(DB_WRITE);
    assert_int_equal(db_exec(tx, "SELECT {nonsense} 1", DB0, &e), ERR_USAGE);
    db_rollback(tx);
    tx = begin(DB_READ);
    assert_true(db_exec(tx, "DELETE FROM t", DB0, &e) < 0);
    db_rollback(tx);
    static const str bad[] = {STR_INIT("a\0b"), STR_INIT("\xff"), STR_INIT("\xc3")};
    for (size_t i = 0; i < KE_ARRAY_LEN(bad); i++) {
        tx = begin(DB_WRITE);
        assert_int_equal(db_exec(tx, "UPDATE t SET s = $1", DB(DBS(bad[i])), &e), ERR_USAGE);
        db_rollback(tx);
    }
    int64_t n;
    tx = begin(DB_READ);
    assert_int_equal(db_query_int(tx, "SELECT k FROM t WHERE k = 99", DB0, &n, &e), ERR_NOT_FOUND);
    assert_ok(db_query_int(tx, "SELECT COUNT(*) FROM t", DB0, &n, &e));
    assert_int_equal(n, 1);
    assert_ok(db_query_int(tx, "SELECT length('{}{') + length('{\"a\":{}}')", DB0, &n, &e));
    assert_int_equal(n, 3 + 8);
    db_rollback(tx);
}

static void null_parameters(void **state)
{
    make_table();
    put_row(1, STR("one"));
    struct db_tx *tx = begin(DB_READ);
    int64_t n;
    const char *sql = "SELECT COUNT(*) FROM t WHERE s = $1 OR $1 IS NULL";
    assert_ok(db_query_int(tx, sql, DB(DBSN(((str){0}))), &n, &e));
    assert_int_equal(n, 1);
    assert_ok(db_query_int(tx, sql, DB(DBSN(STR("two"))), &n, &e));
    assert_int_equal(n, 0);
    db_rollback(tx);
}

/* Statements may be run while rows are read, the same statement too. */
static void open_rows_do_not_disturb(void **state)
{
    make_table();
    struct db_tx *tx = begin(DB_WRITE);
    for (int i = 0; i < 500; i++)
        assert_ok(
            db_exec(tx, "INSERT INTO t (k, s) VALUES ($1, $2)", DB(DBI(i), DBS(STR("x"))), &e));
    auto_rows *r = NULL, *other = NULL;
    const char *sql = "SELECT k, s, u FROM t WHERE k >= $1 ORDER BY k";
    assert_ok(db_query(tx, sql, DB(DBI(0)), &r, &e));
    int64_t want = 0, n;
    for (; db_next(r, &e) == 1; want++) {
        assert_int_equal(db_int(r, 0), want);
        assert_str(db_text(r, 1), STR("x"));
        assert_true(db_is_null(r, 2));
        if (want == 10)
            assert_ok(db_query_int(tx, "SELECT COUNT(*) FROM t", DB0, &n, &e));
        if (want == 20) {
            assert_ok(db_query(tx, sql, DB(DBI(490)), &other, &e));
            assert_int_equal(db_next(other, &e), 1);
        }
        if (want == 30)
            assert_int_equal(db_next(other, &e), 1);
    }
    assert_int_equal(want, 500);
    assert_int_equal(db_int(other, 0), 491);
    db_rows_close(TAKE(other));
    db_rows_close(TAKE(r));
    commit(tx);
}

static void returning_is_done_even_unread(void **state)
{
    make_table();
    struct db_tx *tx = begin(DB_WRITE);
    auto_rows *r = NULL;
    assert_ok(db_query(tx, "INSERT INTO t (k) VALUES (1), (2) RETURNING k", DB0, &r, &e));
    db_rows_close(TAKE(r));
    int64_t n;
    assert_ok(db_query_int(tx, "SELECT COUNT(*) FROM t", DB0, &n, &e));
    assert_int_equal(n, 2);
    commit(tx);
}

static void now_is_one_moment_of_a_statement(void **state)
{
    make_table();
    put_row(1, STR("x"));
    struct db_tx *tx = begin(DB_READ);
    int64_t differ, now, later;
    assert_ok(db_query_int(tx, "SELECT now_us() - now_us() FROM t", DB0, &differ, &e));
    assert_int_equal(differ, 0);
    assert_ok(db_query_int(tx, "SELECT now_us()", DB0, &now, &e));
    nanosleep(&(struct timespec){0, 2000000}, NULL);
    assert_ok(db_query_int(tx, "SELECT now_us()", DB0, &later, &e));
    assert_true(later > now && now / 1000000 - time(NULL) < 5 && time(NULL) - now / 1000000 < 5);
    db_rollback(tx);
}

static void like_is_exact(void **state)
{
    make_table();
    put_row(1, STR("docker.io/A_b:1"));
    put_row(2, STR("docker.io/Axb:1"));
    static const struct {
        const char *pattern;
        bool stars;
        int64_t n;
    } cases[] = {
        {"docker.io/A_b:1", true, 1},
        {"docker.io/*", true, 2},
        {"docker.io/*", false, 0},
        {"DOCKER.io/*", true, 0},
        {"*a_b:1", true, 0},
        {"*A_b*", true, 1},
        {"%", true, 0},
        {"docker.io/!*", true, 0},
    };
    struct arena a;
    arena_init(&a, 1 << 20);
    struct db_tx *tx = begin(DB_READ);
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        int64_t n;
        assert_ok(db_query_int(tx, "SELECT COUNT(*) FROM t WHERE s LIKE $1 ESCAPE '!'",
                               DB(DBS(db_like(&a, str_z(cases[i].pattern), cases[i].stars))), &n,
                               &e));
        assert_int_equal(n, cases[i].n);
    }
    db_rollback(tx);
    arena_done(&a);
}

/* ---- races */

static int add_one(struct db_tx *tx, void *ctx, struct err *er)
{
    int64_t v;
    int rc = db_query_int(tx, "SELECT u FROM t WHERE k = 1 {for_update}", DB0, &v, er);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx, "UPDATE t SET u = $1 WHERE k = 1", DB(DBI(v + 1)), er);
    return n < 0 ? (int)n : 0;
}

static void *adder(void *arg)
{
    struct err er = {0};
    for (int i = 0; i < 50; i++)
        if (db_run(store, DB_WRITE, add_one, NULL, &er) < 0)
            return store;
    return NULL;
}

static void writers_wait_for_each_other(void **state)
{
    make_table();
    put_row(1, STR("x"));
    struct db_tx *tx = begin(DB_WRITE);
    assert_ok(db_exec(tx, "UPDATE t SET u = 0", DB0, &e));
    commit(tx);
    pthread_t t[6];
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&t[i], NULL, adder, NULL), 0);
    for (int i = 0; i < 6; i++) {
        void *why;
        pthread_join(t[i], &why);
        assert_null(why);
    }
    int64_t v;
    tx = begin(DB_READ);
    assert_ok(db_query_int(tx, "SELECT u FROM t WHERE k = 1", DB0, &v, &e));
    db_rollback(tx);
    assert_int_equal(v, 300);
    struct db_stats s = db_stats(store);
    assert_true(s.writes >= 300 && s.busy == 0);
}

struct crossed {
    int first, second, runs;
};

static int update_crossed(struct db_tx *tx, void *ctx, struct err *er)
{
    struct crossed *c = ctx;
    c->runs++;
    int64_t n = db_exec(tx, "UPDATE t SET u = 1 WHERE k = $1", DB(DBI(c->first)), er);
    nanosleep(&(struct timespec){0, 100000000}, NULL);
    if (n >= 0)
        n = db_exec(tx, "UPDATE t SET u = 1 WHERE k = $1", DB(DBI(c->second)), er);
    return n < 0 ? (int)n : 0;
}

static void *crosser(void *arg)
{
    struct err er = {0};
    return db_run(store, DB_WRITE, update_crossed, arg, &er) < 0 ? arg : NULL;
}

static void deadlocks_are_run_again(void **state)
{
    make_table();
    put_row(1, STR("x"));
    put_row(2, STR("x"));
    struct crossed a = {1, 2, 0}, b = {2, 1, 0};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, crosser, &a), 0);
    assert_null(crosser(&b));
    void *why;
    pthread_join(t, &why);
    assert_null(why);
    assert_int_equal(a.runs + b.runs, store_on_postgres ? 3 : 2);
}

static void readers_see_one_state(void **state)
{
    make_table();
    put_row(1, STR("x"));
    struct db_tx *tx = begin(DB_READ);
    int64_t n;
    assert_ok(db_query_int(tx, "SELECT COUNT(*) FROM t", DB0, &n, &e));
    put_row(2, STR("x"));
    assert_ok(db_query_int(tx, "SELECT COUNT(*) FROM t", DB0, &n, &e));
    assert_int_equal(n, 1);
    db_rollback(tx);
}

static int is_open(struct db_tx *tx, void *ctx, struct err *er)
{
    int64_t n;
    ++*(int *)ctx;
    return db_query_int(tx, "SELECT COUNT(*) FROM t", DB0, &n, er);
}

/* The server is restarted while connections wait in the pool. */
static void broken_connections_are_renewed(void **state)
{
    make_table();
    if (!store_on_postgres)
        return;
    struct db_tx *open[3];
    for (int i = 0; i < 3; i++)
        open[i] = begin(DB_READ);
    for (int i = 0; i < 3; i++)
        db_rollback(open[i]);
    assert_int_equal(store_server("restart"), 0);
    int runs = 0;
    assert_ok(db_run(store, DB_READ, is_open, &runs, &e));
    assert_int_equal(runs, 1);
    assert_int_equal(store_server("stop"), 0);
    assert_int_equal(db_ping(store, &e), ERR_NET);
    struct db *none = NULL;
    assert_int_equal(db_open(&(struct db_options){.url = store_url}, &none, &e), ERR_NET);
    assert_int_equal(store_server("start"), 0);
    assert_ok(db_ping(store, &e));
}

static void lost_in_the_middle(void **state)
{
    make_table();
    if (!store_on_postgres)
        return;
    struct db_tx *victim = begin(DB_WRITE);
    assert_ok(db_exec(victim, "DELETE FROM t", DB0, &e));
    struct db_tx *tx = begin(DB_WRITE);
    assert_ok(db_exec(tx,
                      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                      " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
                      DB0, &e));
    commit(tx);
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    assert_int_equal(db_exec(victim, "DELETE FROM t", DB0, &e), ERR_NET);
    db_rollback(victim);
    assert_ok(db_ping(store, &e));
}

static int64_t length_of(struct db_tx *tx, str bytes)
{
    int64_t n = 0;
    int rc = db_query_int(tx, "SELECT length($1)", DB(DBB(bytes)), &n, &e);
    return rc < 0 ? rc : n;
}

/* A transaction on a server process that is stopped: nothing ends the connection. */
static struct db_tx *begin_frozen(struct db *db, int64_t *pid)
{
    struct db_tx *tx;
    assert_ok(db_begin(db, DB_WRITE, &tx, &e));
    assert_ok(db_query_int(tx, "SELECT pg_backend_pid()", DB0, pid, &e));
    assert_ok(db_exec(tx, "DELETE FROM t", DB0, &e));
    assert_int_equal(length_of(tx, STR("abc")), 3);
    assert_int_equal(kill((pid_t)*pid, SIGSTOP), 0);
    return tx;
}

static void check_late(struct db *db, struct db_tx *tx, int64_t pid, int64_t rc)
{
    assert_int_equal(rc, ERR_NET);
    assert_non_null(strstr(e.text, "no answer within 1 seconds"));
    db_rollback(tx);
    assert_ok(db_ping(db, &e)); /* on another connection */
    assert_int_equal(kill((pid_t)pid, SIGCONT), 0);
}

static void nobody_waits_for_ever(void **state)
{
    static char large[4 << 20];
    make_table();
    if (!store_on_postgres)
        return;
    struct db *db;
    int64_t pid;
    assert_ok(db_open(&(struct db_options){.url = store_url, .answer_timeout = 1}, &db, &e));
    struct db_tx *tx = begin_frozen(db, &pid);
    check_late(db, tx, pid, db_exec(tx, "DELETE FROM t", DB0, &e));
    tx = begin_frozen(db, &pid);
    check_late(db, tx, pid, db_exec(tx, "DELETE FROM t WHERE k = 1", DB0, &e)); /* to prepare */
    tx = begin_frozen(db, &pid);
    check_late(db, tx, pid, length_of(tx, (str){large, sizeof large})); /* to send */
    tx = begin_frozen(db, &pid);
    check_late(db, NULL, pid, db_commit(tx, &e));
    db_close(db);
}

/* Statements end after their time; an upgrade's have more. */
static void some_statements_take_time(void **state)
{
    struct db *db;
    struct db_tx *tx;
    int64_t n;
    const char *slow = store_on_postgres
                           ? "SELECT COUNT(*) FROM pg_sleep(1.3)"
                           : "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                             " WHERE i < 1000000000000) SELECT COUNT(*) FROM n";
    assert_ok(db_open(&(struct db_options){.url = store_url, .statement_timeout = 1}, &db, &e));
    assert_ok(db_begin(db, DB_READ, &tx, &e));
    assert_int_equal(db_query_int(tx, slow, DB0, &n, &e), ERR_IO);
    db_rollback(tx);
    assert_ok(db_begin(db, DB_WRITE, &tx, &e));
    assert_ok(db_take_time(tx, &e));
    if (store_on_postgres)
        assert_ok(db_query_int(tx, slow, DB0, &n, &e));
    assert_ok(db_commit(tx, &e));
    assert_ok(db_begin(db, DB_WRITE, &tx, &e)); /* the same connection */
    assert_int_equal(db_query_int(tx, slow, DB0, &n, &e), ERR_IO);
    db_rollback(tx);
    db_close(db);
}

/* No room for now: whoever asked may ask again. */
static void a_full_database(void **state)
{
    static const char large[1 << 20];
    int64_t n;
    make_table();
    struct db_tx *tx = begin(DB_WRITE);
    if (store_on_postgres) {
        assert_ok(db_exec(tx, "SET LOCAL temp_file_limit = '1kB'", DB0, &e));
        assert_ok(db_exec(tx, "SET LOCAL work_mem = '64kB'", DB0, &e));
        assert_int_equal(db_query_int(tx,
                                      "SELECT MAX(k) FROM (SELECT k FROM generate_series(1, 100000)"
                                      " AS s (k) ORDER BY k DESC OFFSET 1) AS t",
                                      DB0, &n, &e),
                         ERR_NET);
    } else {
        assert_ok(db_query_int(tx, "PRAGMA max_page_count = 1", DB0, &n, &e));
        assert_int_equal(db_exec(tx, "INSERT INTO t (k, b) VALUES (1, $1)",
                                 DB(DBB(((str){large, sizeof large}))), &e),
                         ERR_NET);
    }
    db_rollback(tx);
    assert_ok(db_ping(store, &e));
}

/* ---- notices */

struct heard {
    pthread_mutex_t lock;
    pthread_cond_t more;
    char text[3][32];
    int n;
};

static void on_notice(void *ctx, str payload)
{
    struct heard *h = ctx;
    pthread_mutex_lock(&h->lock);
    if (h->n < 3)
        snprintf(h->text[h->n], sizeof h->text[0], "%.*s", STR_ARG(payload));
    h->n++;
    pthread_cond_signal(&h->more);
    pthread_mutex_unlock(&h->lock);
}

static void say(const char *channel, str what, bool keep)
{
    struct db_tx *tx = begin(DB_WRITE);
    assert_ok(db_notify(tx, channel, what, &e));
    if (keep)
        commit(tx);
    else
        db_rollback(tx);
}

static bool hear(struct heard *h, int n, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ms % 1000 * 1000000L;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&h->lock);
    while (h->n < n && pthread_cond_timedwait(&h->more, &h->lock, &until) == 0)
        ;
    bool yes = h->n >= n;
    pthread_mutex_unlock(&h->lock);
    return yes;
}

static void listeners_are_told(void **state)
{
    static struct heard h;
    h = (struct heard){.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};
    assert_ok(db_listen(store, "news", on_notice, &h, &e));
    assert_ok(db_listen(store, "other", on_notice, &h, &e));
    for (int i = 0; i < 50 && !hear(&h, 1, 100); i++) /* until the thread listens */
        say("news", STR("first"), true);
    assert_string_equal(h.text[0], "first");
    nanosleep(&(struct timespec){0, 200000000}, NULL);
    h.n = 0;
    say("news", STR("never"), false);
    say("silent", STR("never"), true);
    say("other", STR("second"), true);
    assert_true(hear(&h, 1, 5000));
    assert_string_equal(h.text[0], "second");
    struct db_tx *tx = begin(DB_WRITE);
    assert_int_equal(db_notify(tx, "No Name", STR("x"), &e), ERR_USAGE);
    db_rollback(tx);
    if (!store_on_postgres)
        return;
    assert_int_equal(store_server("restart"), 0);
    h.n = 0;
    for (int i = 0; i < 100 && !hear(&h, 1, 100); i++)
        say("news", STR("again"), true);
    assert_string_equal(h.text[0], "again");
}

static void the_schema_is_made_once(void **state)
{
    int v = -1;
    assert_ok(schema_version(store, &v, &e));
    assert_int_equal(v, schema_newest());
    assert_ok(schema_upgrade(store, NULL, NULL, &e));
    struct db_tx *tx = begin(DB_WRITE);
    assert_ok(db_exec(tx,
                      "INSERT INTO kellet_schema (step, title, breaks, applied_at)"
                      " VALUES (9000, 'later', 0, 0)",
                      DB0, &e));
    commit(tx);
    assert_ok(schema_upgrade(store, NULL, NULL, &e));
    tx = begin(DB_WRITE);
    assert_ok(db_exec(tx, "UPDATE kellet_schema SET breaks = 1 WHERE step = 9000", DB0, &e));
    commit(tx);
    assert_int_equal(schema_upgrade(store, NULL, NULL, &e), ERR_UNSUPPORTED);
}

static void urls_are_checked(void **state)
{
    static const struct {
        const char *url;
        int rc;
    } cases[] = {
        {"mysql://x", ERR_USAGE},
        {"sqlite:", ERR_USAGE},
        {"sqlite:/nonexistent/dir/db", ERR_IO},
        {"postgresql://kellet@127.0.0.1:1/x", ERR_NET},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct db *none = NULL;
        assert_int_equal(db_open(&(struct db_options){.url = cases[i].url}, &none, &e),
                         cases[i].rc);
    }
}

enum { QUEUE = 4 };
static struct {
    struct db *db; /* of one connection */
    pthread_mutex_t lock;
    char order[QUEUE + 2];
    size_t n;
} turns = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void take_a_turn(char who)
{
    struct db_tx *tx;
    struct err why = {0};
    int rc = db_begin(turns.db, DB_READ, &tx, &why);
    pthread_mutex_lock(&turns.lock);
    if (turns.n <= QUEUE)
        turns.order[turns.n++] = rc < 0 ? '!' : who;
    pthread_mutex_unlock(&turns.lock);
    if (rc == 0)
        db_rollback(tx);
}

static void *turn(void *who)
{
    take_a_turn(*(const char *)who);
    return NULL;
}

/* Who gives a connection back and wants it again stands behind those who wait. */
static void connections_go_in_turn(void **state)
{
    static const char names[] = "1234";
    struct db_options o = {.url = store_url, .max_connections = 1, .acquire_timeout = 20};
    struct db_tx *tx;
    pthread_t t[QUEUE];
    turns.n = 0;
    memset(turns.order, 0, sizeof turns.order);
    assert_ok(db_open(&o, &turns.db, &e));
    assert_ok(db_begin(turns.db, DB_READ, &tx, &e));
    for (int i = 0; i < QUEUE; i++) {
        assert_int_equal(pthread_create(&t[i], NULL, turn, (void *)(uintptr_t)&names[i]), 0);
        while (db_stats(turns.db).waiting <= (unsigned)i)
            usleep(1000);
    }
    db_rollback(tx);
    take_a_turn('m');
    for (int i = 0; i < QUEUE; i++)
        pthread_join(t[i], NULL);
    assert_string_equal(turns.order, "1234m");
    assert_int_equal(db_stats(turns.db).waiting, 0);
    /* Nobody gives back in time. */
    db_close(turns.db);
    o.acquire_timeout = 1;
    assert_ok(db_open(&o, &turns.db, &e));
    assert_ok(db_begin(turns.db, DB_READ, &tx, &e));
    struct db_tx *other;
    assert_int_equal(db_begin(turns.db, DB_READ, &other, &e), ERR_NET);
    assert_int_equal(db_stats(turns.db).waiting, 0);
    db_rollback(tx);
    assert_ok(db_begin(turns.db, DB_READ, &tx, &e));
    db_rollback(tx);
    db_close(turns.db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(values_come_back),
        store_test(sums_are_integers),
        store_test(failures_have_codes),
        store_test(null_parameters),
        store_test(open_rows_do_not_disturb),
        store_test(returning_is_done_even_unread),
        store_test(now_is_one_moment_of_a_statement),
        store_test(like_is_exact),
        store_test(writers_wait_for_each_other),
        store_test(deadlocks_are_run_again),
        store_test(readers_see_one_state),
        store_test(broken_connections_are_renewed),
        store_test(lost_in_the_middle),
        store_test(nobody_waits_for_ever),
        store_test(a_full_database),
        store_test(some_statements_take_time),
        store_test(listeners_are_told),
        store_test(the_schema_is_made_once),
        store_test(urls_are_checked),
        store_test(connections_go_in_turn),
    };
    return store_run("db", tests);
}
