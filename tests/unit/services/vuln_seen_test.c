#include "unit.h"

#include "services/policy_engine/keeper.h"
#include "services/policy_engine/vuln_seen.h"

/* ---- since when --------------------------------------------------------------------------------
 */

static yyjson_mut_val *add_row(yyjson_mut_doc *d, yyjson_mut_val *rows, const char *vuln,
                               const char *fix)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, rows);
    yyjson_mut_obj_add_str(d, o, "vuln", vuln);
    yyjson_mut_obj_add_str(d, o, "package_name", "p");
    yyjson_mut_obj_add_str(d, o, "package_version", "1");
    yyjson_mut_obj_add_str(d, o, "package_type", "npm");
    yyjson_mut_obj_add_str(d, o, "package_path", "/p");
    yyjson_mut_obj_add_str(d, o, "fix", fix);
    return o;
}

static int64_t time_of(yyjson_mut_val *row, const char *key)
{
    return yyjson_mut_get_sint(yyjson_mut_obj_get(row, key));
}

static void times_are_taken_over(void **state)
{
    static const char old[] =
        "[{\"vuln\":\"CVE-1\",\"package_name\":\"p\",\"package_version\":\"1\","
        "\"package_type\":\"npm\",\"package_path\":\"/p\",\"fix\":\"2\",\"detected_at\":5,"
        "\"fix_observed_at\":6},"
        "{\"vuln\":\"CVE-2\",\"package_name\":\"p\",\"package_version\":\"1\","
        "\"package_type\":\"npm\",\"package_path\":\"/p\",\"fix\":\"None\",\"detected_at\":7}]";
    struct err e = {0};
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *rows = yyjson_mut_arr(d);
    yyjson_mut_val *same = add_row(d, rows, "CVE-1", "2"), *fixed = add_row(d, rows, "CVE-2", "3"),
                   *fresh = add_row(d, rows, "CVE-3", "None");
    assert_ok(vuln_seen_note(STR(old), 100, d, rows, &e));
    assert_int_equal(time_of(same, "detected_at"), 5);
    assert_int_equal(time_of(same, "fix_observed_at"), 6);
    assert_int_equal(time_of(fixed, "detected_at"), 7);
    assert_int_equal(time_of(fixed, "fix_observed_at"), 100); /* a fix that is new */
    assert_int_equal(time_of(fresh, "detected_at"), 100);
    assert_null(yyjson_mut_obj_get(fresh, "fix_observed_at"));
    yyjson_mut_doc_free(d);
}

/* A place that an older report did not list has been there as long as the others. */
static void another_place_is_no_news(void **state)
{
    static const char old[] =
        "[{\"vuln\":\"CVE-1\",\"package_name\":\"p\",\"package_version\":"
        "\"1\",\"package_type\":\"npm\",\"package_path\":\"/q\",\"fix\":\"2\","
        "\"detected_at\":5,\"fix_observed_at\":6}]";
    struct err e = {0};
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *rows = yyjson_mut_arr(d), *row = add_row(d, rows, "CVE-1", "2");
    assert_ok(vuln_seen_note(STR(old), 100, d, rows, &e));
    assert_int_equal(time_of(row, "detected_at"), 5);
    assert_int_equal(time_of(row, "fix_observed_at"), 6);
    yyjson_mut_doc_free(d);
}

/* An image that was clean, or whose report is damaged, still shows what is new. */
static void nothing_before_is_no_reason_to_lose_rows(void **state)
{
    static const char *const olds[] = {"", "[]", "{", "[1,null]", "{\"a\":1}"};
    for (size_t i = 0; i < KE_ARRAY_LEN(olds); i++) {
        struct err e = {0};
        yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
        yyjson_mut_val *rows = yyjson_mut_arr(d);
        yyjson_mut_val *row = add_row(d, rows, "CVE-1", "2");
        assert_ok(vuln_seen_note(str_z(olds[i]), 9, d, rows, &e));
        assert_int_equal(yyjson_mut_arr_size(rows), 1);
        assert_int_equal(time_of(row, "detected_at"), 9);
        assert_int_equal(time_of(row, "fix_observed_at"), 9);
        yyjson_mut_doc_free(d);
    }
}

/* ---- what is kept in memory --------------------------------------------------------------------
 */

static unsigned ended;

static void end(struct kept *k)
{
    ended++;
    free(k);
}

static struct kept *make(size_t bytes)
{
    struct kept *k = calloc(1, sizeof *k);
    assert_non_null(k);
    *k = (struct kept){.free = end, .bytes = bytes, .uses = 1};
    return k;
}

static void the_least_used_goes_first(void **state)
{
    struct keeper *k;
    struct err e = {0};
    static const char *const keys[] = {"a", "b", "c"};
    ended = 0;
    assert_ok(keeper_new(100, &k, &e));
    for (size_t i = 0; i < 2; i++) {
        struct kept *x = make(40);
        keeper_put(k, str_z(keys[i]), x);
        kept_drop(x);
    }
    kept_drop(keeper_take(k, STR("a")));
    struct kept *c = make(40);
    keeper_put(k, STR("c"), c); /* "b" is the oldest now */
    assert_int_equal(ended, 1);
    assert_null(keeper_take(k, STR("b")));
    struct kept *a = keeper_take(k, STR("a"));
    assert_non_null(a);
    struct kept *again = make(1);
    keeper_put(k, STR("a"), again); /* whoever holds the old one keeps it */
    assert_int_equal(ended, 1);
    kept_drop(a);
    assert_int_equal(ended, 2);
    kept_drop(again);
    kept_drop(c);
    struct kept *large = make(1000);
    keeper_put(k, STR("large"), large);
    assert_null(keeper_take(k, STR("large")));
    kept_drop(large);
    keeper_free(k);
    assert_int_equal(ended, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_taken_over),
        cmocka_unit_test(another_place_is_no_news),
        cmocka_unit_test(nothing_before_is_no_reason_to_lose_rows),
        cmocka_unit_test(the_least_used_goes_first),
    };
    return cmocka_run_group_tests_name("vuln_seen", tests, NULL, NULL);
}
