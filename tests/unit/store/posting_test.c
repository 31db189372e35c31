#include "store_test.h"

#include "store/posting.h"

static struct err e;

/* ---- sets */

static void check_block(const uint64_t *words, size_t most)
{
    uint64_t back[POSTING_WORDS] = {0};
    struct buf b;
    buf_init(&b, POSTING_BYTES_MAX + 10);
    posting_encode(words, &b);
    assert_true(buf_ok(&b));
    assert_in_range(b.n, 1, most);
    assert_ok(posting_decode(buf_view(&b), back, &e));
    assert_memory_equal(words, back, sizeof back);
    for (size_t cut = 0; cut < b.n && cut < 40; cut++) { /* cut: an error or fewer, no crash */
        uint64_t other[POSTING_WORDS] = {0};
        (void)posting_decode((str){b.p, cut}, other, &e);
    }
    buf_done(&b);
}

static void blocks_are_small(void **state)
{
    static uint64_t words[POSTING_WORDS];
    words[POSTING_WORDS - 1] = (uint64_t)1 << 63;
    check_block(words, 4);
    memset(words, 0xff, sizeof words);
    check_block(words, 1);
    words[7] = 12345;
    check_block(words, 128);
    for (size_t i = 0; i < POSTING_WORDS; i++)
        words[i] = 0x5555aaaa5555aaaa;
    check_block(words, POSTING_BYTES_MAX);
    memset(words, 0, sizeof words);
    for (size_t i = 0; i < POSTING_BLOCK; i += 1000)
        words[i / 64] |= (uint64_t)1 << i % 64;
    check_block(words, 1 + 66 * 2);
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
        {"", 0},
        {"\3", 1},
        {"\0\xff", 2},
        {"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11},
        {"\0\x80\x80\x04", 4},
        {"\1abc", 4},
        {"\2\xff\xff\x03\1", 5},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(bad); i++) {
        uint64_t words[POSTING_WORDS] = {0};
        assert_int_equal(posting_decode((str){bad[i].bytes, bad[i].n}, words, &e), ERR_FORMAT);
    }
}

static void sets_walk_in_order(void **state)
{
    struct posting_set s;
    const int64_t members[] = {0, 63, 64, 65535, 65536, 1000000, 40000000};
    posting_set_init(&s);
    assert_int_equal(posting_set_next(&s, 0), -1);
    for (size_t i = 0; i < KE_ARRAY_LEN(members); i++)
        assert_true(posting_set_add(&s, members[KE_ARRAY_LEN(members) - 1 - i]));
    assert_false(posting_set_add(&s, -1));
    assert_false(posting_set_add(&s, (int64_t)1 << 40));
    int64_t at = 0;
    for (size_t i = 0; i < KE_ARRAY_LEN(members); i++, at++)
        assert_int_equal(at = posting_set_next(&s, at), members[i]);
    assert_int_equal(posting_set_next(&s, at), -1);
    assert_int_equal(posting_set_count(&s), KE_ARRAY_LEN(members));
    assert_true(posting_set_has(&s, 64));
    assert_false(posting_set_has(&s, 65));
    assert_false(posting_set_has(&s, (int64_t)1 << 40));
    posting_set_done(&s);
}

/* ---- the index */

enum { PACKAGES = 40, IMAGES = 60 };

static int64_t ids[PACKAGES];
static bool has[IMAGES][PACKAGES], there[IMAGES];

static void register_packages(struct db_tx *tx)
{
    for (int i = 0; i < PACKAGES; i++) {
        char identity[32];
        const uint64_t names[] = {(uint64_t)i % 7, UINT64_MAX - (uint64_t)i};
        snprintf(identity, sizeof identity, "package %d", i);
        const struct posting_package p = {str_z(identity), names, 2};
        bool fresh;
        int64_t again;
        assert_ok(posting_package_ids(tx, &p, 1, &ids[i], &fresh, &e));
        assert_true(fresh);
        assert_ok(posting_package_ids(tx, &p, 1, &again, &fresh, &e));
        assert_int_equal(again, ids[i]);
        assert_false(fresh);
    }
}

static void put_image(struct db_tx *tx, int image, unsigned seed)
{
    int64_t list[PACKAGES * 2];
    size_t n = 0;
    char digest[32];
    snprintf(digest, sizeof digest, "sha256:%d", image);
    for (int p = 0; p < PACKAGES; p++) {
        has[image][p] = (seed = seed * 1103515245 + 12345) >> 16 & 1;
        for (int k = 0; has[image][p] && k < 2; k++)
            list[n++] = ids[p];
    }
    there[image] = true;
    assert_ok(posting_put(tx, image % 2 ? STR("a") : STR("b"), str_z(digest), 0, list, n, &e));
}

static void drop_image(struct db_tx *tx, int image)
{
    char digest[32];
    snprintf(digest, sizeof digest, "sha256:%d", image);
    assert_int_equal(posting_delete(tx, image % 2 ? STR("a") : STR("b"), str_z(digest), &e),
                     there[image]);
    there[image] = false;
}

static bool found[IMAGES];

static int note(void *ctx, const struct posting_image *i, struct err *err)
{
    int number = 0;
    for (size_t k = STR("sha256:").n; k < i->digest.n; k++)
        number = number * 10 + i->digest.p[k] - '0';
    assert_false(found[number]);
    assert_true(str_eq(i->account, number % 2 ? STR("a") : STR("b")));
    found[number] = true;
    return 0;
}

/* All lists at once, and sets joined, are the lists one by one. */
static void compare_union(struct posting_reader *r, size_t from, size_t n)
{
    struct posting_set all, one, joined;
    posting_set_init(&all);
    posting_set_init(&joined);
    assert_ok(posting_read_all(r, ids + from, n, &all, &e));
    for (size_t p = from; p < from + n; p++) {
        posting_set_init(&one);
        assert_ok(posting_read(r, ids[p], &one, &e));
        assert_true(posting_set_join(&joined, &one));
        posting_set_done(&one);
    }
    assert_int_equal(posting_set_count(&all), posting_set_count(&joined));
    for (int64_t i = posting_set_next(&joined, 0); i >= 0; i = posting_set_next(&joined, i + 1))
        assert_true(posting_set_has(&all, i));
    posting_set_done(&all);
    posting_set_done(&joined);
}

static int count_row(void *ctx, const struct posting_row *row, struct err *err)
{
    size_t *n = ctx;
    char identity[32];
    snprintf(identity, sizeof identity, "package %zu", *n);
    assert_int_equal(row->id, ids[(*n)++]);
    assert_true(str_eq(row->identity, str_z(identity)));
    assert_false(row->matched);
    return 0;
}

static void compare(str account)
{
    struct db_tx *tx;
    struct posting_reader *r;
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_ok(posting_open(tx, &r, &e));
    for (int p = 0; p < PACKAGES; p++) {
        struct posting_set set;
        size_t n = 0;
        posting_set_init(&set);
        assert_ok(posting_read(r, ids[p], &set, &e));
        memset(found, 0, sizeof found);
        assert_ok(posting_images(tx, &set, account, note, NULL, &e));
        for (int i = 0; i < IMAGES; i++) {
            bool wanted = !account.n || str_eq(account, i % 2 ? STR("a") : STR("b"));
            assert_int_equal(found[i], wanted && there[i] && has[i][p]);
            n += there[i] && has[i][p];
        }
        assert_int_equal(posting_set_count(&set), n);
        posting_set_done(&set);
    }
    size_t rows = 0;
    assert_ok(posting_rows(tx, ids, PACKAGES, count_row, &rows, &e));
    assert_int_equal(rows, PACKAGES);
    compare_union(r, 0, PACKAGES);
    compare_union(r, 3, 2);
    compare_union(r, 0, 0);
    posting_close(r);
    db_rollback(tx);
}

static int64_t count(const char *sql)
{
    struct db_tx *tx;
    int64_t n = -1;
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_ok(db_query_int(tx, sql, DB0, &n, &e));
    db_rollback(tx);
    return n;
}

static void images_come_and_go(void **state)
{
    unsigned seed = 7;
    struct db_tx *tx;
    memset(there, 0, sizeof there);
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    register_packages(tx);
    assert_ok(db_commit(tx, &e));
    for (int round = 0; round < 12; round++) {
        assert_ok(db_begin(store, DB_WRITE, &tx, &e));
        for (int k = 0; k < 25; k++) {
            seed = seed * 1103515245 + 12345;
            int image = (int)(seed >> 16) % IMAGES;
            if ((seed >> 8) % 4 == 0)
                drop_image(tx, image);
            else
                put_image(tx, image, seed % 50);
        }
        assert_ok(db_commit(tx, &e));
        compare(STR(""));
        assert_ok(posting_merge(store, round % 3 ? 7 : 1000, false, &e));
        compare(round % 2 ? STR("a") : STR(""));
    }
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    for (int i = 0; i < IMAGES; i++)
        drop_image(tx, i);
    assert_ok(db_commit(tx, &e));
    compare(STR(""));
    assert_true(posting_merge(store, 1000, false, &e) > 0);
    assert_int_equal(posting_merge(store, 1000, false, &e), 0);
    assert_int_equal(count("SELECT COUNT(*) FROM posting"), 0);
    assert_int_equal(count("SELECT COUNT(*) FROM posting_list"), 0);
    assert_int_equal(count("SELECT COUNT(*) FROM posting_dead"), 0);
}

static void an_image_keeps_its_time(void **state)
{
    struct db_tx *tx;
    int64_t image, other, since;
    posting_ids list = {0};
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    register_packages(tx);
    assert_ok(posting_put(tx, STR("a"), STR("sha256:1"), 1234567, ids, 3, &e));
    assert_int_equal(
        posting_image_packages(tx, STR("a"), STR("sha256:1"), &image, &since, &list, &e), 1);
    assert_int_equal(since, 1234567);
    assert_int_equal(list.n, 3);
    assert_ok(posting_put(tx, STR("a"), STR("sha256:1"), 0, ids, 3, &e));
    assert_int_equal(posting_image_packages(tx, STR("a"), STR("sha256:1"), &other, NULL, &list, &e),
                     1);
    assert_int_equal(other, image);
    assert_ok(posting_put(tx, STR("a"), STR("sha256:1"), 0, ids, 0, &e));
    list.n = 0;
    assert_int_equal(
        posting_image_packages(tx, STR("a"), STR("sha256:1"), &other, &since, &list, &e), 1);
    assert_true(other != image);
    assert_int_equal(since, 1234567);
    assert_int_equal(list.n, 0);
    assert_int_equal(posting_list(tx, image, &list, &e), 0);
    assert_int_equal(
        posting_image_packages(tx, STR("b"), STR("sha256:1"), &other, &since, &list, &e), 0);
    assert_ok(posting_by_names(tx, (const int64_t[]){3}, 1, &list, &e));
    assert_int_equal(list.n, 6);
    list.n = 0;
    assert_ok(posting_by_names(tx, (const int64_t[]){-1}, 1, &list, &e));
    assert_int_equal(list.n, 1);
    assert_int_equal(list.p[0], ids[0]);
    assert_ok(db_commit(tx, &e));
    vec_done(&list);
}

static int add_id(void *ctx, const struct posting_row *row, struct err *err)
{
    posting_ids *list = ctx;
    int64_t *slot = vec_push(list);
    assert_non_null(slot);
    *slot = row->id;
    return 0;
}

/* As many as no statement takes at once: every third is known already, every tenth stands twice,
 * every 97th has no name. */
static void many_packages_get_numbers(void **state)
{
    enum { MANY = 2500 };
    static char identities[MANY][32];
    static uint64_t names[MANY][3];
    static struct posting_package p[MANY];
    static int64_t number[MANY], again[MANY];
    static bool fresh[MANY];
    struct db_tx *tx;
    posting_ids list = {0};
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_ok(posting_package_ids(tx, p, 0, number, fresh, &e));
    for (size_t i = 0; i < MANY; i++) {
        size_t same = i % 10 == 9 ? i - 9 : i;
        snprintf(identities[i], sizeof identities[i], "identity %zu", same);
        names[i][0] = names[i][2] = same;
        names[i][1] = UINT64_MAX;
        p[i] = (struct posting_package){.identity = str_z(identities[i]),
                                        .names = names[i],
                                        .n_names = i % 4,
                                        .name = i % 97 ? str_z(identities[i]) : (str){0}};
    }
    for (size_t i = 0; i < MANY; i += 3) {
        assert_ok(posting_package_ids(tx, &p[i], 1, &number[i], &fresh[i], &e));
        assert_true(number[i] > 0);
    }
    assert_ok(posting_package_ids(tx, p, MANY, again, fresh, &e));
    int64_t last = 0;
    for (size_t i = 0; i < MANY; i++) {
        size_t same = i % 10 == 9 ? i - 9 : i;
        assert_int_equal(again[i], again[same]);
        assert_int_equal(fresh[i], i % 3 != 0 && same == i);
        if (i % 3 == 0)
            assert_int_equal(again[i], number[i]);
        if (!fresh[i])
            continue;
        assert_true(again[i] > last); /* in the caller's order */
        last = again[i];
    }
    assert_ok(posting_by_names(tx, (const int64_t[]){24}, 1, &list, &e));
    assert_int_equal(list.n, 0); /* it has no names: 24 % 4 is 0 */
    assert_ok(posting_by_names(tx, (const int64_t[]){22}, 1, &list, &e));
    assert_int_equal(list.n, 1);
    assert_int_equal(list.p[0], again[22]);
    vec_done(&list);
    assert_ok(posting_package_ids(tx, p, MANY, number, fresh, &e));
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(number[i], again[i]);
        assert_false(fresh[i]);
    }
    assert_ok(db_commit(tx, &e));
}

static void packages_are_found_by_name(void **state)
{
    static char wide[5000];
    memset(wide, 'w', sizeof wide);
    const struct posting_package p[] = {
        {.identity = STR_INIT("one"), .name = STR_INIT("same")},
        {.identity = STR_INIT("two"), .name = STR_INIT("same")},
        {.identity = STR_INIT("three"), .name = STR_INIT("Same")},
        {.identity = STR_INIT("four"),
         .name = {wide, sizeof wide}}, /* found whatever is asked for */
    };
    int64_t number[4];
    posting_ids list = {0};
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_ok(posting_package_ids(tx, p, 4, number, NULL, &e));
    assert_ok(posting_named(tx, STR("same"), add_id, &list, &e));
    assert_int_equal(list.n, 3);
    assert_int_equal(list.p[0] + list.p[1] + list.p[2], number[0] + number[1] + number[3]);
    list.n = 0;
    assert_ok(posting_named(tx, STR("other"), add_id, &list, &e));
    assert_int_equal(list.n, 1);
    assert_int_equal(list.p[0], number[3]);
    list.n = 0;
    assert_ok(posting_named(tx, STR(""), add_id, &list, &e));
    assert_int_equal(list.n, 4);
    assert_ok(posting_put(tx, STR("a"), STR("sha256:1"), 0, number, 2, &e));
    for (size_t only = 0; only < 3; only++) {
        struct posting_reader *r;
        struct posting_set set;
        posting_set_init(&set);
        assert_ok(posting_open_for(tx, &number[only], 1, &r, &e));
        assert_ok(posting_read(r, number[only], &set, &e));
        assert_int_equal(posting_set_count(&set), only < 2);
        posting_set_done(&set);
        posting_close(r);
    }
    assert_ok(db_commit(tx, &e));
    vec_done(&list);
}

int main(void)
{
    const struct CMUnitTest sets[] = {
        cmocka_unit_test(blocks_are_small),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(sets_walk_in_order),
    };
    const struct CMUnitTest tests[] = {
        store_test(images_come_and_go),
        store_test(an_image_keeps_its_time),
        store_test(many_packages_get_numbers),
        store_test(packages_are_found_by_name),
    };
    int failed = cmocka_run_group_tests(sets, NULL, NULL);
    return failed + store_run("postings", tests);
}
