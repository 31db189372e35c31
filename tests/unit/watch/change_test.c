/* What is remembered and what is seen become changes, and changes become words. */
#include "unit.h"

#include "watch/tell.h"

#include <dirent.h>

struct world {
    char dir[64];
    struct watch_state *state;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct err e = {0};
    snprintf(w->dir, sizeof w->dir, "/tmp/kellet-watch-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_ok(watch_state_open(w->dir, "unit", &w->state, &e));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char path[400];
    watch_state_close(w->state);
    snprintf(path, sizeof path, "%s/watch", w->dir);
    DIR *d = opendir(path);
    for (struct dirent *f; d && (f = readdir(d));) {
        snprintf(path, sizeof path, "%s/watch/%s", w->dir, f->d_name);
        unlink(path);
    }
    closedir(d);
    snprintf(path, sizeof path, "%s/watch", w->dir);
    rmdir(path);
    rmdir(w->dir);
    free(w);
    return 0;
}

#define ENTRY(cve, severity, version, fix)                                                         \
    "{\"CVE_ID\": \"" cve "\", \"Severity\": \"" severity "\", \"Vulnerable_Package\": \"p\","     \
    " \"Fix_Available\": \"" fix "\", \"URL\": \"u\", \"Package_Name\": \"p\","                    \
    " \"Package_Version\": \"" version "\", \"Package_Type\": \"APKG\", \"Feed\": \"f\","          \
    " \"Feed_Group\": \"g\", \"path\": \"\"}"

struct settle {
    struct seen seen;
    bool fresh;
    const char *trouble; /* NULL: settle */
};

static int run_settle(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct settle *s = ctx;
    struct arena a;
    struct remembered was;
    arena_init(&a, 1 << 20);
    int rc = remembered_get(tx, &a, STR("r.example/a:1"), STR(""), &was, e);
    if (rc >= 0 && s->trouble)
        rc = change_trouble(tx, &a, &was, str_z(s->trouble), STR("why\x1b[1m"), e);
    else if (rc >= 0)
        rc = change_settle(tx, &a, &was, &s->seen, s->fresh, e);
    arena_done(&a);
    return rc;
}

struct reading {
    struct arena a;
    int64_t after;
    struct change c;
};

static int read_change(struct db_tx *tx, void *ctx, struct err *e)
{
    struct reading *r = ctx;
    return change_after(tx, &r->a, r->after, &r->c, e);
}

/* The words of the changes after *id, and moves it on. */
static void told(struct world *w, int64_t *id, enum severity min, const char *want, bool want_worse)
{
    struct err e = {0};
    struct reading r = {.after = *id};
    bool worse = false, one;
    auto_buf out;
    buf_init(&out, 1 << 20);
    arena_init(&r.a, 1 << 20);
    while (db_run(watch_state_db(w->state), DB_READ, read_change, &r, &e) == 1) {
        assert_ok(tell_change(&r.c, &(struct tell_style){.min = min}, &out, &one, &e));
        worse |= one;
        *id = r.after = r.c.id;
    }
    assert_int_equal(e.code, 0);
    assert_str(buf_view(&out), str_z(want));
    assert_int_equal(worse, want_worse);
    arena_done(&r.a);
}

static void settle(struct world *w, const char *image, const char *findings, const char *uncovered,
                   const char *verdict)
{
    struct err e = {0};
    struct settle s = {.seen = {.digest = str_z(image),
                                .image = str_z(image),
                                .findings = str_z(findings),
                                .generation = STR("g"),
                                .uncovered = str_z(uncovered),
                                .policy = STR(""),
                                .verdict = str_z(verdict),
                                .gaps = uncovered[0] ? STR("no data") : STR("")}};
    assert_ok(db_run(watch_state_db(w->state), DB_WRITE, run_settle, &s, &e));
}

static void check_changes(void **state)
{
    struct world *w = *state;
    int64_t id = 0;
    const char *first = "[" ENTRY("CVE-1", "Medium", "1", "None") "]";
    settle(w, "sha256:a", first, "", "go");
    told(w, &id, SEV_UNKNOWN, "", false);
    settle(w, "sha256:a", first, "", "go");
    told(w, &id, SEV_UNKNOWN, "", false);
    settle(w, "sha256:a",
           "[" ENTRY("CVE-1", "High", "1", "2") "," ENTRY("CVE-2", "Low", "1", "None") "]", "",
           "stop");
    told(w, &id, SEV_UNKNOWN,
         "r.example/a:1\n"
         "  + CVE-2  Low  p 1  no fix yet\n"
         "  ~ CVE-1  Medium -> High  p 1  fixed in 2 (before: no fix yet)\n"
         "r.example/a:1\n  > the policy says stop, before: go\n",
         true);
    /* a newer package that still has it is no news; the other one is gone */
    settle(w, "sha256:b", "[" ENTRY("CVE-1", "High", "1.5", "2") "]", "", "stop");
    told(w, &id, SEV_UNKNOWN,
         "r.example/a:1\n  > the tag has moved from sha256:a to sha256:b\n"
         "r.example/a:1\n  - CVE-2  Low  p 1  no longer affected\n",
         false);
    /* less bad than what is wanted: nothing */
    settle(w, "sha256:b",
           "[" ENTRY("CVE-1", "High", "1.5", "2") "," ENTRY("CVE-3", "Medium", "1.5", "None") "]",
           "", "stop");
    told(w, &id, SEV_HIGH, "", false);
    /* a fall from high to low is told to who wants high */
    settle(w, "sha256:b",
           "[" ENTRY("CVE-1", "Low", "1.5", "2") "," ENTRY("CVE-3", "Medium", "1.5", "None") "]",
           "", "stop");
    told(w, &id, SEV_HIGH, "r.example/a:1\n  ~ CVE-1  High -> Low  p 1.5  fixed in 2\n", false);
}

static void check_held(void **state)
{
    struct world *w = *state;
    int64_t id = 0;
    const char *first = "[" ENTRY("CVE-1", "Medium", "1", "None") "]";
    settle(w, "sha256:a", first, "npm", "");
    told(w, &id, SEV_UNKNOWN, "r.example/a:1\n  ! not all of it could be seen: no data\n", false);
    /* more is not covered: nothing is taken back */
    settle(w, "sha256:a", "[]", "alpine:3.18, npm", "");
    told(w, &id, SEV_UNKNOWN, "", false);
    settle(w, "sha256:a", "[]", "", "");
    told(w, &id, SEV_UNKNOWN,
         "r.example/a:1\n  - CVE-1  Medium  p 1  no longer affected\n"
         "r.example/a:1\n  ! all of it could be seen again\n",
         false);
}

static void check_trouble(void **state)
{
    struct world *w = *state;
    struct err e = {0};
    int64_t id = 0;
    static const struct {
        const char *kind, *want;
    } cases[] = {
        {"unreachable", "r.example/a:1\n  ! could not be checked: why\\x1b[1m\n"},
        {"unreachable", ""},
        {"refused", "r.example/a:1\n  ! could not be checked: why\\x1b[1m\n"},
        {"", "r.example/a:1\n  ! can be checked again: why\\x1b[1m\n"},
        {"gone", "r.example/a:1\n  ! the image is gone: why\\x1b[1m\n"},
        {"", "r.example/a:1\n  ! the image is there again: why\\x1b[1m\n"},
    };
    settle(w, "sha256:a", "[]", "", "");
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct settle s = {.trouble = cases[i].kind};
        assert_ok(db_run(watch_state_db(w->state), DB_WRITE, run_settle, &s, &e));
        told(w, &id, SEV_UNKNOWN, cases[i].want, false);
    }
}

static void check_new_tag(void **state)
{
    struct world *w = *state;
    struct err e = {0};
    int64_t id = 0;
    struct settle s = {.seen = {.digest = STR("sha256:a"),
                                .image = STR("sha256:a"),
                                .findings = STR("[" ENTRY("CVE-1", "High", "1", "2") "]"),
                                .generation = STR("g"),
                                .uncovered = STR(""),
                                .policy = STR("p"),
                                .verdict = STR("stop"),
                                .gaps = STR("")},
                       .fresh = true};
    assert_ok(db_run(watch_state_db(w->state), DB_WRITE, run_settle, &s, &e));
    told(w, &id, SEV_UNKNOWN,
         "r.example/a:1\n  > a new tag; vulnerabilities: 1 High; policy: stop\n", true);
}

struct document {
    struct buf out;
    int have;
};

static int documents(struct db_tx *tx, void *ctx, struct err *e)
{
    struct document *d = ctx;
    int rc = image_document_put(tx, STR("sha256:a"), STR(""), "inventory", STR("text"), e);
    if (rc >= 0)
        rc = d->have = image_document_get(tx, STR("sha256:a"), STR(""), "inventory", &d->out, e);
    if (rc >= 0)
        rc = image_document_get(tx, STR("sha256:b"), STR(""), "inventory", &d->out, e);
    return rc;
}

static int damage(struct db_tx *tx, void *ctx, struct err *e)
{
    int64_t n = db_exec(tx, "UPDATE document SET body = $1", DB(DBB(STR("no zstd"))), e);
    struct document *d = ctx;
    return n < 0 ? (int)n
                 : image_document_get(tx, STR("sha256:a"), STR(""), "inventory", &d->out, e);
}

static void check_state(void **state)
{
    struct world *w = *state;
    struct err e = {0};
    struct watch_state *other;
    assert_int_equal(watch_state_open(w->dir, "unit", &other, &e), ERR_CONFLICT);
    assert_int_equal(watch_state_open(w->dir, "../up", &other, &e), ERR_USAGE);
    assert_int_equal(watch_state_open(w->dir, "", &other, &e), ERR_USAGE);
    struct document d = {0};
    buf_init(&d.out, 1 << 20);
    assert_int_equal(db_run(watch_state_db(w->state), DB_WRITE, documents, &d, &e), 0);
    assert_int_equal(d.have, 1);
    assert_str(buf_view(&d.out), STR("text"));
    assert_int_equal(db_run(watch_state_db(w->state), DB_WRITE, damage, &d, &e), ERR_FORMAT);
    buf_done(&d.out);
    assert_ok(db_run(watch_state_db(w->state), DB_WRITE, watch_sweep, NULL, &e));
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH(check_changes), WITH(check_held),  WITH(check_trouble),
        WITH(check_new_tag), WITH(check_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
