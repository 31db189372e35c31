#include "../store/store_test.h"

#include "services/image.h"
#include "services/image_json.h"
#include "services/subscription.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static struct documents *documents;

struct step {
    struct arena *a;
    struct image_add add;
    int got;
    int (*fn)(struct db_tx *tx, struct step *s, struct err *e);
    const char *digest, *key;
    struct image_record record;
    unsigned from;
    enum image_state to;
    bool force;
    enum image_deletion outcome;
    str why;
};

static int step_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    s->got = s->fn(tx, s, e);
    return s->got;
}

static int run(struct step *s, struct err *e)
{
    return db_run(store, DB_WRITE, step_in, s, e);
}

static int put_in(struct db_tx *tx, struct step *s, struct err *e)
{
    return image_put(tx, documents, &s->add, e);
}

/* Adds "name" with a digest to an account. */
static int put(struct arena *a, const char *account, const char *name, const char *digest,
               struct image_add more, struct err *e)
{
    struct step s = {.a = a, .add = more, .fn = put_in};
    s.add.account = str_z(account);
    s.add.digest = str_z(digest);
    if (!s.add.id.p)
        s.add.id = STR("aaaa");
    s.add.manifest = STR("{}");
    s.add.parent_manifest = STR("{}");
    assert_int_equal(fulltag_parse(str_z(name), a, &s.add.name, e), 0);
    return run(&s, e);
}

static int get_in(struct db_tx *tx, struct step *s, struct err *e)
{
    str key = str_z(s->key);
    if (str_starts(key, STR("sha256:")))
        return image_get(tx, s->a, s->add.account, key, &s->record, e);
    if (str_index(key, '/') >= 0)
        return image_get_by_tag(tx, s->a, s->add.account, key, &s->record, e);
    return image_get_by_id(tx, s->a, s->add.account, key, &s->record, e);
}

/* NULL: there is none. */
static const struct image_record *get(struct arena *a, const char *account, const char *key)
{
    struct err e = {0};
    struct step *s = arena_new(a, struct step);
    *s = (struct step){.a = a, .key = key, .fn = get_in};
    s->add.account = str_z(account);
    assert_ok(run(s, &e));
    return s->got ? &s->record : NULL;
}

static int queued_in(struct db_tx *tx, struct step *s, struct err *e)
{
    int64_t n;
    int rc = db_query_int(tx, "SELECT COUNT(*) FROM queue_item WHERE queue = 'images_to_analyze'",
                          DB0, &n, e);
    return rc < 0 ? rc : (int)n;
}

static int queued(void)
{
    struct err e = {0};
    struct step s = {.fn = queued_in};
    assert_ok(run(&s, &e));
    return s.got;
}

static int set_in(struct db_tx *tx, struct step *s, struct err *e)
{
    return image_set_status(tx, STR("admin"), str_z(s->digest), s->from, s->to, STR("host"),
                            STR("a test"), e);
}

static int set(const char *digest, unsigned from, enum image_state to)
{
    struct err e = {0};
    struct step s = {.fn = set_in, .digest = digest, .from = from, .to = to};
    return run(&s, &e);
}

static void images_are_added_once(void **state)
{
    struct arena a;
    struct err e = {0};
    struct image_add none = {0};
    arena_init(&a, 16 << 20);
    assert_int_equal(put(&a, "admin", "alpine", D1, none, &e), 1);
    assert_int_equal(queued(), 1);
    assert_int_equal(put(&a, "admin", "alpine", D1, none, &e), 0);
    assert_int_equal(queued(), 1);
    const struct image_record *r = get(&a, "admin", D1);
    assert_non_null(r);
    assert_str(r->analysis_status, STR("not_analyzed"));
    assert_str(r->annotations, STR("{}"));
    assert_int_equal(r->n_tags, 1);
    assert_str(r->tags[0].fulltag, STR("docker.io/alpine:latest"));
    assert_int_equal(r->size, -1);
    assert_null(get(&a, "other", D1));
    assert_null(get(&a, "admin", D2));
    assert_non_null(get(&a, "admin", "aaaa"));
    assert_non_null(get(&a, "admin", "docker.io/alpine:latest"));
    assert_null(get(&a, "other", "docker.io/alpine:latest"));
    assert_int_equal(put(&a, "other", "alpine", D1, none, &e), 1);
    assert_int_equal(queued(), 2);
    arena_done(&a);
}

static void tags_move(void **state)
{
    struct arena a;
    struct err e = {0};
    struct image_add none = {0};
    arena_init(&a, 16 << 20);
    put(&a, "admin", "reg.example/a/b:t", D1, none, &e);
    put(&a, "admin", "reg.example/a/b:t", D2, none, &e);
    assert_str(get(&a, "admin", "reg.example/a/b:t")->digest, STR(D2));
    assert_int_equal(get(&a, "admin", D1)->n_tags, 1);
    put(&a, "admin", "reg.example/a/b:t", D1, none, &e);
    assert_str(get(&a, "admin", "reg.example/a/b:t")->digest, STR(D1));
    put(&a, "admin", "reg.example/a/b:u", D1, none, &e);
    assert_int_equal(get(&a, "admin", D1)->n_tags, 2);
    assert_str(get(&a, "admin", D1)->tags[1].tag, STR("u"));
    arena_done(&a);
}

static void annotations_are_merged(void **state)
{
    struct arena a;
    struct err e = {0};
    arena_init(&a, 16 << 20);
    put(&a, "admin", "x:1", D1, (struct image_add){.annotations = STR("{\"a\":1}")}, &e);
    put(&a, "admin", "x:1", D1, (struct image_add){.annotations = STR("{\"n\":\"2\"}")}, &e);
    assert_str(get(&a, "admin", D1)->annotations, STR("{\"a\":1,\"n\":\"2\"}"));
    put(&a, "admin", "x:1", D1, (struct image_add){0}, &e);
    assert_str(get(&a, "admin", D1)->annotations, STR("{\"a\":1,\"n\":\"2\"}"));
    arena_done(&a);
}

static void a_dockerfile_needs_force(void **state)
{
    struct arena a;
    struct err e = {0};
    struct image_add file = {.dockerfile = STR("RlJPTSB4Cg==")};
    arena_init(&a, 16 << 20);
    put(&a, "admin", "x:1", D1, (struct image_add){0}, &e);
    assert_int_equal(put(&a, "admin", "x:1", D1, file, &e), ERR_USAGE);
    file.force = true;
    assert_int_equal(set(D1, 0, IMAGE_ANALYZED), 0);
    assert_true(get(&a, "admin", D1)->analyzed > 0);
    assert_int_equal(put(&a, "admin", "x:1", D1, file, &e), 1);
    const struct image_record *r = get(&a, "admin", D1);
    assert_str(r->analysis_status, STR("not_analyzed"));
    assert_str(r->dockerfile_mode, STR("Actual"));
    assert_str(r->dockerfile, STR("RlJPTSB4Cg=="));
    assert_int_equal(queued(), 1);
    arena_done(&a);
}

static void states_are_checked(void **state)
{
    struct arena a;
    struct err e = {0};
    arena_init(&a, 16 << 20);
    put(&a, "admin", "x:1", D1, (struct image_add){0}, &e);
    assert_int_equal(set(D1, 1u << IMAGE_ANALYZING, IMAGE_ANALYZED), ERR_CONFLICT);
    assert_int_equal(set(D1, 1u << IMAGE_NOT_ANALYZED, IMAGE_ANALYZING), 0);
    assert_int_equal(set(D1, 1u << IMAGE_ANALYZING, IMAGE_ANALYSIS_FAILED), 0);
    assert_int_equal(set(D2, 0, IMAGE_ANALYZED), ERR_NOT_FOUND);
    assert_int_equal(put(&a, "admin", "x:1", D1, (struct image_add){0}, &e), 1);
    assert_str(get(&a, "admin", D1)->analysis_status, STR("not_analyzed"));
    arena_done(&a);
}

static int transitions_in(struct db_tx *tx, struct step *s, struct err *e)
{
    struct image_transition *t;
    size_t n;
    int rc = image_transitions(tx, s->a, STR("admin"), STR(D1), &t, &n, e);
    if (rc < 0)
        return rc;
    assert_int_equal(n, 2);
    assert_str(t[0].from, STR("not_analyzed"));
    assert_str(t[0].to, STR("analyzing"));
    assert_str(t[0].owner, STR("host"));
    assert_str(t[0].why, STR("a test"));
    assert_str(t[1].why, STR("added"));
    return 0;
}

static void transitions_say_why(void **state)
{
    struct arena a;
    struct err e = {0};
    struct step s = {.a = &a, .fn = transitions_in};
    arena_init(&a, 16 << 20);
    put(&a, "admin", "x:1", D1, (struct image_add){0}, &e);
    set(D1, 0, IMAGE_ANALYZING);
    assert_ok(run(&s, &e));
    arena_done(&a);
}

static int many_in(struct db_tx *tx, struct step *s, struct err *e)
{
    static char why[3000];
    memset(why, '+', sizeof why);
    int rc = 0;
    for (int i = 0; rc == 0 && i < 40; i++)
        rc = image_set_status(tx, STR("admin"), STR(D1), 0, IMAGE_ANALYZING, STR("x"),
                              (str){why, sizeof why}, e);
    if (rc == 0)
        rc = image_set_status(tx, STR("admin"), STR(D1), 0, IMAGE_ANALYSIS_FAILED, STR("y"),
                              STR("line one\nline + two"), e);
    struct image_transition *t;
    size_t n;
    if (rc == 0)
        rc = image_transitions(tx, s->a, STR("admin"), STR(D1), &t, &n, e);
    if (rc < 0)
        return rc;
    assert_in_range(n, 5, 20); /* the oldest are left out */
    assert_str(t[0].to, STR("analysis_failed"));
    assert_str(t[0].owner, STR("y"));
    assert_str(t[0].why, STR("line one\nline + two"));
    for (size_t i = 1; i < n; i++) {
        assert_str(t[i].to, STR("analyzing"));
        assert_str(t[i].owner, STR("x"));
        assert_int_equal(t[i].why.n, sizeof why);
        assert_true(t[i].at <= t[i - 1].at);
    }
    return 0;
}

static void a_history_has_an_end(void **state)
{
    struct arena a;
    struct err e = {0};
    struct step s = {.a = &a, .fn = many_in};
    arena_init(&a, 16 << 20);
    put(&a, "admin", "x:1", D1, (struct image_add){0}, &e);
    assert_ok(run(&s, &e));
    arena_done(&a);
}

static int older_left_in(struct db_tx *tx, struct step *s, struct err *e)
{
    int64_t n = -1;
    int rc = db_query_int(tx, "SELECT COUNT(*) FROM image_transition", DB0, &n, e);
    return rc < 0 ? rc : (int)n;
}

/* What a build before writes while it runs beside this one. */
static int older_in(struct db_tx *tx, struct step *s, struct err *e)
{
    struct image_record r;
    int rc = image_get(tx, s->a, STR("admin"), STR(D1), &r, e);
    if (rc == 1)
        rc = (int)db_exec(
            tx,
            "INSERT INTO image_transition (account, image_digest, at, what, from_state, to_state,"
            " why, host) VALUES ('admin', $1, $2, 'analysis', 'archived', 'analyzing', 'older',"
            " NULL), ('admin', $1, $3, 'analysis', 'analyzing', 'analyzed', 'old', 'o')",
            DB(DBS(STR(D1)), DBI(r.created - 5000000), DBI(r.created + 1000000000)), e);
    struct image_transition *t;
    size_t n;
    if (rc >= 0)
        rc = image_transitions(tx, s->a, STR("admin"), STR(D1), &t, &n, e);
    if (rc < 0)
        return rc;
    assert_int_equal(n, 3);
    assert_str(t[0].why, STR("old"));
    assert_str(t[0].owner, STR("o"));
    assert_str(t[1].why, STR("added"));
    assert_str(t[1].to, STR("not_analyzed"));
    assert_str(t[2].why, STR("older"));
    assert_str(t[2].from, STR("archived"));
    rc = image_remove(tx, documents, STR("admin"), STR(D1), e);
    return rc < 0 ? rc : 0;
}

static void transitions_of_older_builds_are_told(void **state)
{
    struct arena a;
    struct err e = {0};
    struct step s = {.a = &a, .fn = older_in};
    arena_init(&a, 16 << 20);
    put(&a, "admin", "x:1", D1, (struct image_add){0}, &e);
    assert_ok(run(&s, &e));
    s = (struct step){.a = &a, .fn = older_left_in};
    assert_ok(run(&s, &e));
    assert_int_equal(s.got, 0);
    arena_done(&a);
}

static int facts_in(struct db_tx *tx, struct step *s, struct err *e)
{
    struct image_facts f = {.arch = STR("amd64"), .distro = STR("alpine"), .size = 5, .layers = -1};
    int rc = image_set_facts(tx, STR("admin"), STR(D1), &f, e);
    if (rc < 0)
        return rc;
    struct image_facts g = {
        .size = -1, .layers = 2, .dockerfile = STR("eA=="), .dockerfile_mode = STR("Guessed")};
    return image_set_facts(tx, STR("admin"), STR(D1), &g, e);
}

static void facts_add_up(void **state)
{
    struct arena a;
    struct err e = {0};
    struct step s = {.a = &a, .fn = facts_in};
    arena_init(&a, 16 << 20);
    put(&a, "admin", "x:1", D1, (struct image_add){0}, &e);
    assert_ok(run(&s, &e));
    const struct image_record *r = get(&a, "admin", D1);
    assert_str(r->arch, STR("amd64"));
    assert_int_equal(r->size, 5);
    assert_int_equal(r->layers, 2);
    assert_str(r->dockerfile_mode, STR("Guessed"));
    put(&a, "admin", "x:1", D1, (struct image_add){.dockerfile = STR("eQ=="), .force = true}, &e);
    assert_ok(run(&s, &e));
    r = get(&a, "admin", D1);
    assert_str(r->dockerfile_mode, STR("Actual"));
    assert_str(r->dockerfile, STR("eQ=="));
    arena_done(&a);
}

/* ---- Dockerfiles ---- */

static int guess_in(struct db_tx *tx, struct step *s, struct err *e)
{
    return image_set_guessed(tx, STR("admin"), str_z(s->digest), str_z(s->key), e);
}

static void guess(struct arena *a, const char *digest, const char *text)
{
    struct err e = {0};
    struct step s = {.a = a, .fn = guess_in, .digest = digest, .key = text};
    assert_ok(run(&s, &e));
}

static int drop_in(struct db_tx *tx, struct step *s, struct err *e)
{
    return image_remove(tx, documents, STR("admin"), str_z(s->digest), e);
}

static int count_texts_in(struct db_tx *tx, struct step *s, struct err *e)
{
    int64_t n = 0;
    int rc = db_query_int(tx, "SELECT COUNT(*) FROM dockerfile", DB0, &n, e);
    return rc < 0 ? rc : (int)n;
}

static int texts(void)
{
    struct err e = {0};
    struct step s = {.fn = count_texts_in};
    assert_ok(run(&s, &e));
    return s.got;
}

static void guessed_dockerfiles_are_kept_once(void **state)
{
    struct arena a;
    struct err e = {0};
    arena_init(&a, 16 << 20);
    put(&a, "admin", "x:1", D1, (struct image_add){0}, &e);
    put(&a, "admin", "x:2", D2, (struct image_add){0}, &e);
    guess(&a, D1, "Zmlyc3Q=");
    guess(&a, D2, "Zmlyc3Q=");
    assert_int_equal(texts(), 1);
    assert_str(get(&a, "admin", D2)->dockerfile, STR("Zmlyc3Q="));
    assert_str(get(&a, "admin", D2)->dockerfile_mode, STR("Guessed"));
    guess(&a, D2, "c2Vjb25k"); /* analysed again, with another history */
    assert_int_equal(texts(), 2);
    assert_str(get(&a, "admin", D1)->dockerfile, STR("Zmlyc3Q="));
    assert_str(get(&a, "admin", D2)->dockerfile, STR("c2Vjb25k"));
    guess(&a, D1, "c2Vjb25k");
    assert_int_equal(texts(), 1);
    put(&a, "admin", "x:1", D1, (struct image_add){.dockerfile = STR("eQ=="), .force = true}, &e);
    assert_str(get(&a, "admin", D1)->dockerfile, STR("eQ=="));
    guess(&a, D1, "Zmlyc3Q="); /* the user's stays */
    assert_str(get(&a, "admin", D1)->dockerfile, STR("eQ=="));
    assert_int_equal(texts(), 1);
    assert_str(get(&a, "admin", D1)->parent_digest, STR(D1));
    struct step s = {.a = &a, .fn = drop_in, .digest = D2};
    assert_ok(run(&s, &e));
    assert_int_equal(texts(), 0);
    arena_done(&a);
}

static int subscribe_in(struct db_tx *tx, struct step *s, struct err *e)
{
    return subscription_add_tag(tx, STR("admin"), STR("docker.io/x:1"), false, e);
}

static int delete_in(struct db_tx *tx, struct step *s, struct err *e)
{
    return image_delete(tx, s->a, STR("admin"), str_z(s->digest), s->force, &s->outcome, &s->why,
                        e);
}

static int remove_in(struct db_tx *tx, struct step *s, struct err *e)
{
    return image_remove(tx, documents, STR("admin"), STR(D1), e);
}

static void deletion_is_refused_or_not(void **state)
{
    struct arena a;
    struct err e = {0};
    arena_init(&a, 16 << 20);
    struct step gone = {.a = &a, .fn = delete_in, .digest = D2};
    assert_ok(run(&gone, &e));
    assert_int_equal(gone.outcome, IMAGE_DELETE_NOT_FOUND);
    put(&a, "admin", "x:1", D1, (struct image_add){0}, &e);
    struct step sub = {.fn = subscribe_in};
    assert_ok(run(&sub, &e));
    struct step s = {.a = &a, .fn = delete_in, .digest = D1};
    assert_ok(run(&s, &e));
    assert_int_equal(s.outcome, IMAGE_DELETE_FAILED);
    assert_str(s.why, STR("cannot delete image that is the latest of its tags, and has active "
                          "subscription"));
    s.force = true;
    assert_ok(run(&s, &e));
    assert_int_equal(s.outcome, IMAGE_DELETING);
    assert_str(get(&a, "admin", D1)->image_status, STR("deleting"));
    assert_int_equal(put(&a, "admin", "x:1", D1, (struct image_add){0}, &e), 1);
    assert_str(get(&a, "admin", D1)->image_status, STR("active"));
    set(D1, 0, IMAGE_ANALYZING);
    s.force = false;
    assert_ok(run(&s, &e));
    assert_str(s.why, STR("cannot delete image that is being analyzed"));
    struct step really = {.fn = remove_in};
    assert_ok(run(&really, &e));
    assert_null(get(&a, "admin", D1));
    arena_done(&a);
}

struct count {
    size_t n, tags;
    char digest[80];
};

static int count_one(void *ctx, const struct image_record *r, struct err *e)
{
    struct count *c = ctx;
    if (!c->n++)
        snprintf(c->digest, sizeof c->digest, "%.*s", STR_ARG(r->digest));
    c->tags += r->n_tags;
    return 0;
}

static struct count list(struct image_filter f)
{
    struct count c = {0};
    struct err e = {0};
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_ok(image_each(tx, STR("admin"), &f, count_one, &c, &e));
    db_rollback(tx);
    return c;
}

static void lists_are_filtered(void **state)
{
    struct arena a;
    struct err e = {0};
    arena_init(&a, 16 << 20);
    put(&a, "admin", "x:1", D1, (struct image_add){.created = 1000000}, &e);
    put(&a, "admin", "x:2", D1, (struct image_add){0}, &e);
    put(&a, "admin", "x:1", D2, (struct image_add){0}, &e);
    put(&a, "other", "x:1", D2, (struct image_add){0}, &e);
    set(D1, 0, IMAGE_ANALYZED);
    struct count c = list((struct image_filter){0});
    assert_int_equal(c.n, 2);
    assert_int_equal(c.tags, 3);
    assert_string_equal(c.digest, D2);
    str tag = STR("docker.io/x:1");
    assert_int_equal(list((struct image_filter){.fulltag = tag}).n, 1);
    assert_string_equal(list((struct image_filter){.fulltag = tag}).digest, D2);
    assert_int_equal(list((struct image_filter){.fulltag = tag, .history = true}).n, 2);
    c = list((struct image_filter){.fulltag = tag, .analysis_status = STR("analyzed")});
    assert_int_equal(c.n, 1);
    assert_string_equal(c.digest, D1);
    assert_int_equal(list((struct image_filter){.analysis_status = STR("analyzed")}).n, 1);
    assert_int_equal(list((struct image_filter){.image_status = STR("deleting")}).n, 0);
    assert_int_equal(list((struct image_filter){.image_status = STR("all")}).n, 2);
    assert_int_equal(list((struct image_filter){.image_status = STR("deleting,active")}).n, 2);
    assert_int_equal(list((struct image_filter){.digest = STR(D1)}).n, 1);
    assert_int_equal(list((struct image_filter){.digest = STR("zz")}).n, 0);
    arena_done(&a);
}

static void records_are_written(void **state)
{
    struct image_tag tag = {.registry = STR("r:5000"),
                            .repo = STR("a"),
                            .tag = STR("1"),
                            .fulltag = STR("r:5000/a:1"),
                            .created = 1000000,
                            .updated = 1000000,
                            .detected = 1000000};
    struct image_record r = {.account = STR("admin"),
                             .digest = STR("d"),
                             .parent_digest = STR("p"),
                             .analysis_status = STR("analyzed"),
                             .image_status = STR("active"),
                             .annotations = STR("{\"b\":\"\xc3\xbc\",\"a\":1}"),
                             .size = 7,
                             .layers = -1,
                             .created = 2000000,
                             .updated = 2000000,
                             .tags = &tag,
                             .n_tags = 1};
    struct buf b;
    buf_init(&b, 1 << 20);
    image_json_put(&b, &r, 0);
    assert_true(buf_ok(&b));
    assert_true(str_contains(buf_view(&b), STR("\"annotations\": {\n    \"a\": 1,\n    \"b\": "
                                               "\"\\u00fc\"\n  },")));
    assert_true(str_contains(buf_view(&b), STR("      \"image_size\": 7,\n      \"layer_count\": "
                                               "null\n    }\n  },")));
    assert_true(str_contains(buf_view(&b), STR("\"fulldigest\": \"r:5000/a@d\"")));
    assert_true(str_contains(buf_view(&b), STR("\"last_updated\": \"1970-01-01T00:00:02Z\"")));
    assert_true(str_contains(buf_view(&b), STR("\"analyzed_at\": null")));
    buf_done(&b);
}

static int each(void **state)
{
    struct err e = {0};
    struct documents_options o = {.driver = "db"};
    int rc = store_each(state);
    assert_ok(documents_open(store, &o, &documents, &e));
    return rc;
}

static int each_end(void **state)
{
    documents_close(documents);
    return store_each_end(state);
}

#define image_test(fn) cmocka_unit_test_setup_teardown(fn, each, each_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        image_test(images_are_added_once),
        image_test(tags_move),
        image_test(annotations_are_merged),
        image_test(a_dockerfile_needs_force),
        image_test(states_are_checked),
        image_test(transitions_say_why),
        image_test(a_history_has_an_end),
        image_test(transitions_of_older_builds_are_told),
        image_test(facts_add_up),
        image_test(guessed_dockerfiles_are_kept_once),
        image_test(deletion_is_refused_or_not),
        image_test(lists_are_filtered),
        image_test(records_are_written),
    };
    return store_run("images", tests);
}
