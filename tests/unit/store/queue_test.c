#include "store_test.h"

#include <pthread.h>
#include <time.h>

#include "store/queue.h"

static struct err e;
static struct arena arena;
#define SECOND INT64_C(1000000)

static int64_t put(const char *account, const char *payload, const char *dedupe, int64_t priority)
{
    struct db_tx *tx;
    int64_t id = 0;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_ok(queue_put(tx,
                        &(struct queue_put){.queue = STR("work"),
                                            .account = str_z(account),
                                            .payload = str_z(payload),
                                            .dedupe = str_z(dedupe),
                                            .priority = priority,
                                            .max_tries = 2},
                        &id, &e));
    assert_ok(db_commit(tx, &e));
    return id;
}

static int take(struct queue_item *out, size_t n, int64_t lease_us)
{
    int got = queue_take(store, &arena, STR("work"), STR("me"), lease_us, out, n, &e);
    assert_ok(got);
    return got;
}

static int done(str receipt)
{
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    int rc = queue_done(tx, STR("work"), receipt, &e);
    if (rc < 0)
        db_rollback(tx);
    else
        assert_ok(db_commit(tx, &e));
    return rc;
}

static int fail_item(str receipt, int64_t retry_us, bool final)
{
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    int rc = queue_fail(tx, STR("work"), receipt, STR("broken"), retry_us, final, &e);
    if (rc < 0)
        db_rollback(tx);
    else
        assert_ok(db_commit(tx, &e));
    return rc;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void goes_in_and_out(void **state)
{
    struct queue_item q[4];
    assert_int_equal(take(q, 4, SECOND), 0);
    int64_t id = put("a", "{\"x\":1}", "", 0);
    assert_int_equal(take(q, 4, 60 * SECOND), 1);
    assert_int_equal(q[0].id, id);
    assert_str(q[0].payload, STR("{\"x\":1}"));
    assert_str(q[0].account, STR("a"));
    assert_str(q[0].owner, STR("me"));
    assert_int_equal(q[0].tries, 1);
    assert_true(q[0].deadline > q[0].created + 59 * SECOND);
    assert_int_equal(take(q + 1, 3, SECOND), 0);
    assert_int_equal(done(STR("nonsense")), ERR_NOT_FOUND);
    assert_ok(done(q[0].receipt));
    assert_int_equal(done(q[0].receipt), ERR_NOT_FOUND);
}

static void one_of_a_kind(void **state)
{
    int64_t first = put("a", "1", "key", 0), second = put("a", "2", "key", 0);
    assert_int_equal(first, second);
    struct queue_item q[4];
    assert_int_equal(take(q, 4, 60 * SECOND), 1);
    put("a", "3", "key", 0); /* leased counts too */
    assert_int_equal(take(q + 1, 3, SECOND), 0);
    assert_ok(done(q[0].receipt));
    put("a", "4", "key", 0);
    assert_int_equal(take(q, 4, SECOND), 1);
}

static void accounts_take_turns(void **state)
{
    for (int i = 0; i < 6; i++)
        put("big", "b", "", 0);
    put("small", "s", "", 0);
    put("other", "o", "", 0);
    put("small", "s", "", 0);
    put("urgent", "u", "", 5);
    char order[16] = "";
    struct queue_item q[16];
    int n = take(q, 4, 60 * SECOND);
    n += take(q + n, 12, 60 * SECOND);
    for (int i = 0; i < n; i++)
        order[i] = q[i].payload.p[0];
    assert_string_equal(order, "ubsobsbbbb");
}

static void late_ones_are_not_behind_everybody(void **state)
{
    for (int i = 0; i < 10; i++)
        put("big", "b", "", 0);
    struct queue_item q[8];
    assert_int_equal(take(q, 5, 60 * SECOND), 5);
    put("small", "s", "", 0);
    assert_int_equal(take(q, 2, 60 * SECOND), 2);
    assert_true(q[0].payload.p[0] == 's' || q[1].payload.p[0] == 's');
}

static void leases_run_out(void **state)
{
    put("a", "1", "", 0);
    struct queue_item q, again;
    assert_int_equal(take(&q, 1, 20000), 1);
    pause_ms(30);
    assert_ok(queue_extend(store, STR("work"), q.receipt, 20000, &e)); /* no one else has it yet */
    pause_ms(30);
    assert_int_equal(take(&again, 1, 20000), 1);
    assert_int_equal(again.id, q.id);
    assert_int_equal(again.tries, 2);
    assert_true(!str_eq(again.receipt, q.receipt));
    assert_int_equal(queue_extend(store, STR("work"), q.receipt, SECOND, &e), ERR_NOT_FOUND);
    assert_int_equal(done(q.receipt), ERR_NOT_FOUND);
    pause_ms(30);
    assert_int_equal(take(&q, 1, SECOND), 0); /* that was the last try */
}

static int on_dead(struct db_tx *tx, const struct queue_item *q, void *ctx, struct err *er)
{
    ++*(int *)ctx;
    assert_true(str_contains(q->reason, STR("ran out")));
    return 0;
}

static void the_dead_are_kept(void **state)
{
    int64_t id = put("a", "1", "k", 0);
    struct queue_item q;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(take(&q, 1, 1000), 1);
        pause_ms(5);
    }
    int told = 0;
    assert_int_equal(queue_reap(store, on_dead, &told, &e), 1);
    assert_int_equal(told, 1);
    assert_int_equal(queue_reap(store, on_dead, &told, &e), 0);
    put("a", "2", "k", 0);
    assert_int_equal(take(&q, 1, SECOND), 1);
    assert_int_equal(fail_item(q.receipt, 0, true), 1);
    struct db_tx *tx;
    struct queue_item *dead;
    size_t n;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_ok(queue_dead(tx, &arena, STR("work"), &dead, &n, 10, &e));
    assert_int_equal(n, 2);
    assert_str(dead[0].reason, STR("broken"));
    assert_int_equal(dead[1].id, id);
    assert_ok(queue_revive(tx, id, &e));
    assert_ok(db_commit(tx, &e));
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_int_equal(queue_revive(tx, id, &e), ERR_NOT_FOUND);
    db_rollback(tx);
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_int_equal(queue_revive(tx, dead[0].id, &e), ERR_EXISTS);
    db_rollback(tx);
    assert_int_equal(take(&q, 1, SECOND), 1);
    assert_int_equal(q.id, id);
    assert_int_equal(q.tries, 1);
}

static void failures_wait(void **state)
{
    put("a", "1", "", 0);
    struct queue_item q;
    assert_int_equal(take(&q, 1, SECOND), 1);
    assert_int_equal(fail_item(q.receipt, 60000, false), 0);
    assert_int_equal(fail_item(q.receipt, 60000, false), ERR_NOT_FOUND);
    assert_int_equal(take(&q, 1, SECOND), 0);
    pause_ms(70);
    assert_int_equal(take(&q, 1, SECOND), 1);
    assert_str(q.reason, STR("broken"));
    assert_int_equal(fail_item(q.receipt, 0, false), 1);
}

static void handed_back(void **state)
{
    put("a", "1", "", 0);
    put("a", "2", "", 0);
    struct queue_item q[2];
    assert_int_equal(take(q, 2, 60 * SECOND), 2);
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_ok(queue_release(tx, STR("work"), q[0].receipt, &e));
    assert_ok(db_commit(tx, &e));
    assert_int_equal(queue_release_owner(store, STR("you"), &e), 0);
    assert_int_equal(queue_release_owner(store, STR("me"), &e), 1);
    assert_int_equal(take(q, 2, 60 * SECOND), 2);
    assert_int_equal(q[0].tries, 1);
    assert_int_equal(q[1].tries, 1);
}

static void counted(void **state)
{
    for (int i = 0; i < 5; i++)
        put("a", "1", "", 0);
    struct queue_item q[2];
    assert_int_equal(take(q, 2, 60 * SECOND), 2);
    assert_int_equal(fail_item(q[0].receipt, 0, true), 1);
    struct db_tx *tx;
    struct queue_count *c;
    size_t n;
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_ok(queue_counts(tx, &arena, &c, &n, &e));
    db_rollback(tx);
    assert_int_equal(n, 1);
    assert_str(c[0].queue, STR("work"));
    assert_int_equal(c[0].waiting, 3);
    assert_int_equal(c[0].leased, 1);
    assert_int_equal(c[0].dead, 1);
    assert_true(c[0].oldest_us > 0 && c[0].oldest_us < 60 * SECOND);
}

static void put_is_checked(void **state)
{
    static const char *const names[] = {"", "No", "a-b", "a1"};
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++)
        assert_int_equal(
            queue_put(tx, &(struct queue_put){.queue = str_z(names[i]), .payload = STR("1")}, NULL,
                      &e),
            ERR_USAGE);
    db_rollback(tx);
}

/* Six takers, 300 items: each is done exactly once. */
static int finish(struct db_tx *tx, void *ctx, struct err *er)
{
    const struct queue_item *q = ctx;
    int64_t n = db_exec(tx, "UPDATE settings SET value = value WHERE name = 'x'", DB0, er);
    return n < 0 ? (int)n : queue_done(tx, STR("work"), q->receipt, er);
}

static void *taker(void *arg)
{
    struct arena a;
    arena_init(&a, 16 << 20);
    struct err er = {0};
    intptr_t count = 0;
    for (;;) {
        struct queue_item q[3];
        int n = queue_take(store, &a, STR("work"), STR("t"), 60 * SECOND, q, 3, &er);
        if (n <= 0)
            break;
        for (int i = 0; i < n; i++)
            count += db_run(store, DB_WRITE, finish, &q[i], &er) == 0;
    }
    arena_done(&a);
    return (void *)count;
}

static void each_is_taken_once(void **state)
{
    for (int i = 0; i < 300; i++)
        put(i % 3 ? "a" : "b", "1", "", 0);
    pthread_t t[6];
    intptr_t total = 0;
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&t[i], NULL, taker, NULL), 0);
    for (int i = 0; i < 6; i++) {
        void *count;
        pthread_join(t[i], &count);
        total += (intptr_t)count;
    }
    assert_int_equal(total, 300);
    struct queue_item q;
    assert_int_equal(take(&q, 1, SECOND), 0);
}

static void one_holder_of_a_lease(void **state)
{
    assert_int_equal(lease_hold(store, STR("w"), STR("a"), 60 * SECOND, &e), 1);
    assert_int_equal(lease_hold(store, STR("w"), STR("b"), 60 * SECOND, &e), 0);
    assert_int_equal(lease_hold(store, STR("w"), STR("a"), 20000, &e), 1);
    assert_int_equal(lease_hold(store, STR("v"), STR("b"), 60 * SECOND, &e), 1);
    pause_ms(30);
    assert_int_equal(lease_hold(store, STR("w"), STR("b"), 60 * SECOND, &e), 1);
    assert_ok(lease_release(store, STR("w"), STR("a"), &e)); /* not a's any more */
    assert_int_equal(lease_hold(store, STR("w"), STR("a"), SECOND, &e), 0);
    assert_ok(lease_release(store, STR("w"), STR("b"), &e));
    assert_int_equal(lease_hold(store, STR("w"), STR("a"), SECOND, &e), 1);
}

int main(void)
{
    arena_init(&arena, 64 << 20);
    const struct CMUnitTest tests[] = {
        store_test(goes_in_and_out),
        store_test(one_of_a_kind),
        store_test(accounts_take_turns),
        store_test(late_ones_are_not_behind_everybody),
        store_test(leases_run_out),
        store_test(the_dead_are_kept),
        store_test(failures_wait),
        store_test(handed_back),
        store_test(counted),
        store_test(put_is_checked),
        store_test(each_is_taken_once),
        store_test(one_holder_of_a_lease),
    };
    int failed = store_run("queue", tests);
    arena_done(&arena);
    return failed;
}
