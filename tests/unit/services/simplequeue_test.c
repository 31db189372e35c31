/* The API of the simple queue, by its handlers, on both databases. */
#include "store/store_test.h"

#include "services/call.h"
#include "services/simplequeue/simplequeue.h"
#include "store/queue.h"

static struct engine engine;

struct asked {
    struct call call;
    struct err err;
    yyjson_doc *answer;
    yyjson_val *root;
    int rc;
};

static const struct route *route_of(const char *method, const char *path)
{
    for (const struct route *r = service_simplequeue.routes; r->path; r++) {
        if (strcmp(r->path, path) == 0 && strcmp(r->method, method) == 0)
            return r;
    }
    fail_msg("no route %s %s", method, path);
    return NULL;
}

/* params: "name=value&name=value", not decoded. */
static void ask(struct asked *a, const char *method, const char *path, const char *params,
                const char *body)
{
    struct call_param list[8];
    memset(a, 0, sizeof *a);
    engine.db = store;
    arena_init(&a->call.arena, 64 << 20);
    a->call.engine = &engine;
    a->call.err = &a->err;
    a->call.params = list;
    for (str rest = str_z(params); rest.n && a->call.n_params < 8;) {
        str value = str_split(&rest, '&');
        list[a->call.n_params++].name = str_split(&value, '=');
        list[a->call.n_params - 1].value = value;
    }
    a->call.raw = str_z(body);
    if (body)
        a->call.body_doc = yyjson_read(body, strlen(body), 0);
    a->call.body = yyjson_doc_get_root(a->call.body_doc);
    a->rc = route_of(method, path)->handle(&a->call);
    a->answer = yyjson_read(a->call.answer.p ? a->call.answer.p : "", a->call.answer.n, 0);
    a->root = yyjson_doc_get_root(a->answer);
    a->call.params = NULL;
}

static void asked_done(struct asked *a)
{
    yyjson_doc_free(a->answer);
    yyjson_doc_free(a->call.body_doc);
    buf_done(&a->call.answer);
    arena_done(&a->call.arena);
}

/* Asks and compares the answer's text; status 0: the handler returned the code `rc`. */
static void check_answer(const char *method, const char *path, const char *params, const char *body,
                         int status, const char *text)
{
    struct asked a;
    ask(&a, method, path, params, body);
    if (a.rc < 0 || a.call.status != status)
        fail_msg("%s %s %s: %d, status %d (%s %.*s)", method, path, params, a.rc, a.call.status,
                 a.err.text, STR_ARG(buf_view(&a.call.answer)));
    if (text)
        assert_str(buf_view(&a.call.answer), str_z(text));
    asked_done(&a);
}

static void check_refused(const char *method, const char *path, const char *params, int code)
{
    struct asked a;
    ask(&a, method, path, params, NULL);
    assert_int_equal(a.rc, code);
    asked_done(&a);
}

#define Q "/queues/{queuename}"

static void enqueue(const char *params, const char *body)
{
    check_answer("POST", Q, params, body, 200, "true\n");
}

/* The number in data.n of the next message; -1: none. The receipt goes to *receipt (MAY). */
static int64_t dequeue(const char *params, char receipt[64])
{
    struct asked a;
    ask(&a, "GET", Q, params, NULL);
    assert_int_equal(a.rc, 0);
    assert_int_equal(a.call.status, 200);
    assert_true(yyjson_is_obj(a.root));
    int64_t n = -1;
    if (yyjson_obj_size(a.root)) {
        assert_int_equal(yyjson_obj_size(a.root), 15);
        n = yyjson_get_sint(yyjson_obj_get(yyjson_obj_get(a.root, "data"), "n"));
        const char *r = yyjson_get_str(yyjson_obj_get(a.root, "receipt_handle"));
        if (receipt)
            snprintf(receipt, 64, "%s", r ? r : "");
    }
    asked_done(&a);
    return n;
}

static void test_order(void **state)
{
    assert_int_equal(dequeue("queuename=unknown", NULL), -1);
    enqueue("queuename=mine", "{\"n\": 1}");
    enqueue("queuename=mine", "{\"n\": 2}");
    enqueue("queuename=mine&forcefirst=True", "{\"n\": 3}");
    enqueue("queuename=other", "{\"n\": 4}");
    check_answer("GET", Q "/qlen", "queuename=mine", NULL, 200, "\"3\"\n");
    assert_int_equal(dequeue("queuename=mine", NULL), 3);
    assert_int_equal(dequeue("queuename=mine", NULL), 1);
    assert_int_equal(dequeue("queuename=mine&wait_max_seconds=5", NULL), 2);
    assert_int_equal(dequeue("queuename=mine", NULL), -1);
    assert_int_equal(dequeue("queuename=other", NULL), 4);
    check_answer("GET", Q "/qlen", "queuename=mine", NULL, 200, "\"0\"\n");
}

static void test_receipts(void **state)
{
    char receipt[64], again[64], params[256];
    enqueue("queuename=mine", "{\"n\": 1}");
    assert_int_equal(dequeue("queuename=mine&visibility_timeout=100", receipt), 1);
    assert_int_equal(strlen(receipt), 32);
    assert_int_equal(dequeue("queuename=mine&visibility_timeout=100", NULL), -1);
    check_answer("GET", Q "/qlen", "queuename=mine", NULL, 200, "\"1\"\n");
    snprintf(params, sizeof params, "queuename=mine&receipt_handle=%s&visibility_timeout=0",
             receipt);
    check_answer("PUT", Q, params, NULL, 200, NULL); /* given back: comes again */
    assert_int_equal(dequeue("queuename=mine&visibility_timeout=100", again), 1);
    assert_string_not_equal(receipt, again);
    check_answer("PUT", Q, params, NULL, 400, NULL);
    check_answer("PUT", Q, "queuename=mine&receipt_handle=x", NULL, 400, NULL);
    check_refused("DELETE", Q, params, ERR_NOT_FOUND);
    snprintf(params, sizeof params, "queuename=other&receipt_handle=%s", again);
    check_refused("DELETE", Q, params, ERR_NOT_FOUND);
    snprintf(params, sizeof params, "queuename=mine&receipt_handle=%s", again);
    check_answer("DELETE", Q, params, NULL, 200, "true\n");
    check_answer("GET", Q "/qlen", "queuename=mine", NULL, 200, "\"0\"\n");
}

static void test_one_outstanding(void **state)
{
    char receipt[64], params[256];
    enqueue("queuename=feed_sync_tasks", "{\"n\": 1}");
    enqueue("queuename=feed_sync_tasks", "{\"n\": 2}");
    assert_int_equal(dequeue("queuename=feed_sync_tasks", receipt), 1);
    assert_int_equal(dequeue("queuename=feed_sync_tasks", NULL), -1);
    snprintf(params, sizeof params, "queuename=feed_sync_tasks&receipt_handle=%s", receipt);
    check_answer("DELETE", Q, params, NULL, 200, "true\n");
    assert_int_equal(dequeue("queuename=feed_sync_tasks", NULL), 2);
}

static void test_is_inqueue(void **state)
{
    struct asked a;
    enqueue("queuename=mine", "{\"n\": 1, \"a\": [1, {\"y\": 2, \"x\": \"\\u00e9\"}]}");
    ask(&a, "POST", Q "/is_inqueue", "queuename=mine",
        "{\"a\":[1,{\"x\":\"\xc3\xa9\",\"y\":2}],\"n\":1}"); /* the order doesn't matter */
    assert_int_equal(yyjson_obj_size(a.root), 15);
    char move[100];
    int64_t id = yyjson_get_sint(yyjson_obj_get(a.root, "queueId"));
    asked_done(&a);
    check_answer("POST", Q "/is_inqueue", "queuename=mine", "{\"n\":1}", 200, "{}\n");
    check_answer("POST", Q "/is_inqueue", "queuename=other", "{\"n\":1}", 200, "{}\n");
    enqueue("queuename=mine", "{\"n\": 2}");
    snprintf(move, sizeof move, "{\"src_queueId\":%lld,\"dst_queueId\":%lld}", (long long)id,
             (long long)id + 1000);
    check_answer("POST", Q "/update_queueid", "queuename=mine", move, 200, "true\n");
    assert_int_equal(dequeue("queuename=mine", NULL), 2);
    assert_int_equal(dequeue("queuename=mine", NULL), 1);
    check_answer("POST", Q "/update_queueid", "queuename=mine", "{}", 400, NULL);
}

static void test_bad_requests(void **state)
{
    static const char *const names[] = {"queuename=", "queuename=a b", "queuename=a/b",
                                        "queuename=\x01"};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++) {
        check_answer("GET", Q, names[i], NULL, 400, NULL);
        check_answer("POST", Q, names[i], "{}", 400, NULL);
    }
    static const char *const bodies[] = {NULL, "[]", "\"x\"", "1", "nonsense"};
    for (size_t i = 0; i < KE_ARRAY_LEN(bodies); i++) {
        check_answer("POST", Q, "queuename=mine", bodies[i], 400, NULL);
        check_answer("POST", Q "/is_inqueue", "queuename=mine", bodies[i], 400, NULL);
    }
    check_answer("DELETE", Q, "queuename=mine", NULL, 400, NULL);
    struct asked a;
    ask(&a, "GET", "/queues", "", NULL);
    assert_int_equal(yyjson_arr_size(a.root), 11);
    asked_done(&a);
}

#define L "/leases/{lease_id}"

static void test_leases(void **state)
{
    struct asked a;
    const char *const free_lease = "{\n  \"epoch\": 0,\n  \"expires_at\": null,\n  \"held_by\": "
                                   "null,\n  \"id\": \"l1\"\n}\n";
    check_refused("GET", L, "lease_id=l1", ERR_NOT_FOUND);
    check_refused("GET", L "/acquire", "lease_id=l1&client_id=a&ttl=9", ERR_NOT_FOUND);
    check_answer("POST", "/leases", "lease_id=l1", NULL, 200, free_lease);
    check_answer("POST", "/leases", "lease_id=l1", NULL, 200, free_lease);
    check_answer("GET", L "/acquire", "lease_id=l1&client_id=a", NULL, 400, NULL);
    ask(&a, "GET", L "/acquire", "lease_id=l1&client_id=a&ttl=100", NULL);
    assert_int_equal(yyjson_get_sint(yyjson_obj_get(a.root, "epoch")), 1);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(a.root, "held_by")), "a");
    asked_done(&a);
    check_answer("GET", L "/acquire", "lease_id=l1&client_id=b&ttl=9", NULL, 200, "null\n");
    check_answer("GET", L "/acquire", "lease_id=l1&client_id=a&ttl=9", NULL, 200, "null\n");
    check_answer("PUT", L "/ttl", "lease_id=l1&client_id=b&ttl=9&epoch=1", NULL, 409, NULL);
    check_answer("PUT", L "/ttl", "lease_id=l1&client_id=a&ttl=9&epoch=1", NULL, 200, NULL);
    check_answer("PUT", L "/ttl", "lease_id=l1&client_id=a&ttl=9&epoch=1", NULL, 409, NULL);
    check_answer("GET", L "/release", "lease_id=l1&client_id=b&epoch=2", NULL, 200, "null\n");
    check_answer("GET", L "/release", "lease_id=l1&client_id=a&epoch=1", NULL, 200, "null\n");
    ask(&a, "GET", L "/release", "lease_id=l1&client_id=a&epoch=2", NULL);
    assert_true(yyjson_is_null(yyjson_obj_get(a.root, "held_by")));
    asked_done(&a);
    check_answer("GET", L "/acquire", "lease_id=l1&client_id=b&ttl=9", NULL, 200, NULL);
    ask(&a, "GET", "/leases", "", NULL);
    assert_int_equal(yyjson_arr_size(a.root), 1);
    asked_done(&a);
}

static int put_dead(struct db_tx *tx, void *ctx, struct err *e)
{
    struct queue_put p = {.queue = STR("images_to_analyze"),
                          .account = STR("admin"),
                          .payload = STR("{\"imageDigest\": \"x\"}"),
                          .max_tries = 1};
    return queue_put(tx, &p, NULL, e);
}

static int fail_it(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct queue_item *q = ctx;
    return queue_fail(tx, q->queue, q->receipt, STR("no such layer"), 0, true, e);
}

static void test_overview(void **state)
{
    struct err e = {0};
    struct arena arena;
    struct queue_item item;
    arena_init(&arena, 1 << 20);
    assert_ok(db_run(store, DB_WRITE, put_dead, NULL, &e));
    assert_int_equal(
        queue_take(store, &arena, STR("images_to_analyze"), STR("me"), 1000000, &item, 1, &e), 1);
    assert_int_equal(db_run(store, DB_WRITE, fail_it, &item, &e), 1);
    arena_done(&arena);
    struct asked a;
    ask(&a, "GET", "/kellet/queues", "", NULL);
    assert_int_equal(a.rc, 0);
    yyjson_val *dead = yyjson_obj_get(a.root, "dead_letters"), *one = yyjson_arr_get_first(dead);
    assert_int_equal(yyjson_arr_size(dead), 1);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(one, "reason")), "no such layer");
    assert_true(yyjson_is_obj(yyjson_obj_get(one, "payload")));
    char params[64];
    snprintf(params, sizeof params, "id=%lld",
             (long long)yyjson_get_sint(yyjson_obj_get(one, "id")));
    asked_done(&a);
    auto_buf text;
    buf_init(&text, 1 << 20);
    simplequeue_metrics(&engine, &text);
    assert_true(
        str_contains(buf_view(&text),
                     STR("kellet_queue_depth{queue=\"images_to_analyze\",state=\"dead\"} 1\n")));
    check_answer("POST", "/kellet/queues/dead/{id}/revive", params, NULL, 200, NULL);
    check_refused("POST", "/kellet/queues/dead/{id}/revive", params, ERR_NOT_FOUND);
    check_answer("POST", "/kellet/queues/dead/{id}/revive", "id=x", NULL, 400, NULL);
    check_answer("GET", Q "/qlen", "queuename=images_to_analyze", NULL, 200, "\"1\"\n");
    buf_clear(&text);
    simplequeue_metrics(&engine, &text);
    assert_true(str_contains(buf_view(&text),
                             STR("anchore_queue_length{queuename=\"images_to_analyze\"} 1\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(test_order),           store_test(test_receipts),
        store_test(test_one_outstanding), store_test(test_is_inqueue),
        store_test(test_bad_requests),    store_test(test_leases),
        store_test(test_overview),
    };
    return store_run("simplequeue", tests);
}
