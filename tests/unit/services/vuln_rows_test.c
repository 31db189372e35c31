/* Vulnerability rows: the recorded reports of the original over its own synthetic feed data, and
 * the parts of CVSS scores. */
#include "unit.h"

#include "base/vec.h"
#include "feeds/anchore.h"
#include "match/finding.h"
#include "services/call.h"
#include "services/policy_engine/vuln_query.h"
#include "services/policy_engine/vuln_rows.h"

#include <ftw.h>

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *w)
{
    return remove(path);
}

static char directory[64];

static void load_group(str feed, str group, yyjson_val *records)
{
    struct err e = {0};
    struct arena a;
    struct vulndb_builder *b;
    struct vulndb_stats stats;
    size_t i, n;
    yyjson_val *record;
    arena_init(&a, 1 << 16);
    assert_ok(vulndb_builder_new(directory, anchore_source(&a, feed, group), &b, &e));
    yyjson_arr_foreach(records, i, n, record)
    {
        size_t length;
        char *text = yyjson_val_write(record, 0, &length);
        assert_ok(anchore_record(feed, group, (str){text, length}, vulndb_builder_sink(b), &e));
        free(text);
    }
    assert_ok(vulndb_builder_install(b, &stats, &e));
    vulndb_builder_free(b);
    arena_done(&a);
}

static yyjson_doc *read_json(const char *relative)
{
    struct err e = {0};
    yyjson_doc *doc = NULL;
    auto_buf text;
    buf_init(&text, 64 << 20);
    const char *path = shared_path(relative);
    assert_non_null(path);
    assert_ok(fs_read(path, &text, &e));
    assert_ok(json_parse(buf_view(&text), relative, &doc, &e));
    return doc;
}

static struct vulndb *load_feeds(void)
{
    struct err e = {0};
    struct vulndb *db;
    size_t i, n, k, m;
    yyjson_val *feed, *groups, *group, *records;
    snprintf(directory, sizeof directory, "/tmp/kellet-vuln-rows-XXXXXX");
    assert_non_null(mkdtemp(directory));
    yyjson_doc *doc = read_json("data/api/golden/feeds.json");
    yyjson_obj_foreach(yyjson_doc_get_root(doc), i, n, feed, groups)
    {
        yyjson_obj_foreach(groups, k, m, group, records)
        {
            load_group(json_text(feed), json_text(group), records);
        }
    }
    yyjson_doc_free(doc);
    assert_ok(vulndb_open(directory, &db, &e));
    return db;
}

/* ---- an image's packages from its recorded content ---------------------------------------------
 */

struct image {
    const char *name, *distro_version;
    struct inventory inv;
    yyjson_doc *contents[8];
    size_t n_contents;
};

static str group_of(yyjson_val *row)
{
    str text = json_str(json_get(row, "metadata"), "pom.properties"), line;
    while (str_line(&text, &line))
        if (str_starts(line, STR("groupId=")) && line.n > 8)
            return str_from(line, 8);
    return STR("");
}

static void add_packages(struct image *im, const char *content, const char *type)
{
    char path[256];
    size_t i, n;
    yyjson_val *row;
    struct inventory *inv = &im->inv;
    snprintf(path, sizeof path, "data/api/golden/%s/content_%s.json", im->name, content);
    yyjson_doc *doc = im->contents[im->n_contents++] = read_json(path);
    yyjson_val *rows = json_get(yyjson_doc_get_root(doc), "content");
    inv->packages = realloc(inv->packages,
                            (inv->n_packages + yyjson_arr_size(rows) + 1) * sizeof *inv->packages);
    yyjson_arr_foreach(rows, i, n, row)
    {
        str location = json_str(row, "location");
        inv->packages[inv->n_packages++] = (struct inv_package){
            .p = {.type = package_type_find(str_z(type)),
                  .name = json_str(row, "package"),
                  .version = json_str(row, "version"),
                  .source_name = json_str(row, "sourcepkg"),
                  .group = group_of(row),
                  .path = location.n ? str_from(location, 1) : STR("lib/apk/db/installed")}};
        if (inv->packages[inv->n_packages - 1].p.type->ecosystem)
            inv->packages[inv->n_packages - 1].p.source_name = STR("");
    }
}

static void make_image(struct image *im)
{
    im->inv.release =
        (struct release_info){.id = STR("alpine"), .version_id = str_z(im->distro_version)};
    add_packages(im, "os", "apk");
    add_packages(im, "npm", "npm");
    add_packages(im, "gem", "gem");
    add_packages(im, "python", "python");
    add_packages(im, "java", "java-archive");
}

static void end_image(struct image *im)
{
    for (size_t i = 0; i < im->n_contents; i++)
        yyjson_doc_free(im->contents[i]);
    free(im->inv.packages);
}

static int read_content(void *ctx, const char *type, struct buf *out, struct err *e)
{
    const struct image *im = ctx;
    char path[256];
    snprintf(path, sizeof path, "data/api/golden/%s/content_%s.json", im->name, type);
    const char *file = shared_path(path);
    return file && fs_read(file, out, e) == 0;
}

/* ---- comparing ---------------------------------------------------------------------------------
 */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All rows as sorted texts; `skip_wont`: as clients get them. */
static void render(yyjson_mut_val *rows, struct buf *out)
{
    VEC(char *) texts = {0};
    struct err e = {0};
    size_t i, n;
    yyjson_mut_val *row;
    yyjson_mut_arr_foreach(rows, i, n, row)
    {
        if (yyjson_mut_is_true(yyjson_mut_obj_get(row, "will_not_fix")) ||
            yyjson_mut_obj_get(row, "shadowed"))
            continue;
        auto_buf text;
        buf_init(&text, 1 << 20);
        for (size_t k = 0; vuln_row_hidden[k]; k++)
            yyjson_mut_obj_remove_str(row, vuln_row_hidden[k]);
        assert_ok(json_pretty(row, &text, &e));
        *vec_push(&texts) = strdup(buf_z(&text));
    }
    if (texts.n)
        qsort(texts.p, texts.n, sizeof *texts.p, by_text);
    for (i = 0; i < texts.n; i++) {
        buf_add_str(out, str_z(texts.p[i]));
        free(texts.p[i]);
    }
    vec_done(&texts);
}

static void compare(const struct vulndb *db, struct image *im)
{
    struct err e = {0};
    char path[256];
    auto_buf got, want;
    yyjson_mut_val *rows;
    make_image(im);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    assert_ok(vuln_rows(db, &im->inv, (struct content_reader){read_content, im}, doc, &rows, &e));
    snprintf(path, sizeof path, "data/api/golden/%s/vuln_all.json", im->name);
    yyjson_doc *golden = read_json(path);
    yyjson_mut_val *expected =
        yyjson_val_mut_copy(doc, json_get(yyjson_doc_get_root(golden), "vulnerabilities"));
    buf_init(&got, 1 << 20);
    buf_init(&want, 1 << 20);
    render(rows, &got);
    render(expected, &want);
    if (!str_eq(buf_view(&got), buf_view(&want)))
        printf("%s: got\n%s\nwant\n%s\n", im->name, buf_z(&got), buf_z(&want));
    assert_true(str_eq(buf_view(&got), buf_view(&want)));
    yyjson_doc_free(golden);
    yyjson_mut_doc_free(doc);
    end_image(im);
}

static void test_recorded_reports(void **state)
{
    if (!shared_path("data/api/golden/feeds.json")) {
        skip_without_shared("data/api/golden/feeds.json");
        return;
    }
    struct image images[] = {
        {.name = "alpine-3.10", .distro_version = "3.10.9"},
        {.name = "alpine-3.18", .distro_version = "3.18.9"},
        {.name = "kitchen1", .distro_version = "3.10.9"},
        {.name = "kitchen4-dockerfile", .distro_version = "3.10.9"},
    };
    struct vulndb *db = load_feeds();
    for (size_t i = 0; i < KE_ARRAY_LEN(images); i++)
        compare(db, &images[i]);
    vulndb_close(db);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- questions ---------------------------------------------------------------------------------
 */

static size_t ask(const struct vulndb *db, struct vuln_query q, struct buf *out)
{
    struct err e = {0};
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    assert_ok(vuln_query_run(db, &q, doc, list, &e));
    size_t n = yyjson_mut_arr_size(list);
    buf_clear(out);
    render(list, out);
    yyjson_mut_doc_free(doc);
    return n;
}

static void test_questions(void **state)
{
    if (!shared_path("data/api/11_query.jsonl")) {
        skip_without_shared("data/api/11_query.jsonl");
        return;
    }
    struct vulndb *db = load_feeds();
    auto_buf got, want, all;
    struct err e = {0};
    buf_init(&got, 1 << 20);
    buf_init(&want, 1 << 20);
    buf_init(&all, 64 << 20);
    assert_ok(fs_read(shared_path("data/api/11_query.jsonl"), &all, &e));
    str rest = buf_view(&all), line;
    size_t compared = 0;
    while (str_line(&rest, &line)) {
        auto_json *doc = NULL;
        struct vuln_query q = {0};
        assert_ok(json_parse(line, "a line", &doc, &e));
        yyjson_val *root = yyjson_doc_get_root(doc);
        str query = json_str(root, "query");
        yyjson_val *answer = json_at(root, "response_body", "vulnerabilities", NULL);
        if (!str_ends(json_str(root, "path"), STR("/query/vulnerabilities")) || !answer ||
            str_contains(query, STR("limit")) || str_contains(query, STR("&id=")))
            continue;
        while (query.n) {
            str value = str_split(&query, '&'), name = str_split(&value, '=');
            if (str_eq(name, STR("id")))
                q.ids = value;
            else if (str_eq(name, STR("namespace")))
                q.namespaces = value;
            else if (str_eq(name, STR("affected_package")))
                q.package = value;
            else if (str_eq(name, STR("affected_package_version")))
                q.package_version = value;
        }
        yyjson_mut_doc *copy = yyjson_mut_doc_new(NULL);
        buf_clear(&want);
        render(yyjson_val_mut_copy(copy, answer), &want);
        yyjson_mut_doc_free(copy);
        ask(db, q, &got);
        assert_str(buf_view(&got), buf_view(&want));
        compared++;
    }
    assert_true(compared > 10);
    vulndb_close(db);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_ranges(void **state)
{
    struct version_range r[4];
    assert_int_equal(anchore_ranges(STR(">= 2.0 < 2.2.1"), r, 4), 1);
    assert_str(r[0].lo, STR("2.0"));
    assert_str(r[0].hi, STR("2.2.1"));
    assert_false(r[0].hi_included);
    assert_int_equal(anchore_ranges(STR("<= 2.19.1"), r, 4), 1);
    assert_true(r[0].hi_included);
    assert_int_equal(anchore_ranges(STR(">1,<2||= 3.1"), r, 4), 2);
    assert_true(r[0].lo_excluded);
    assert_str(r[1].lo, STR("3.1"));
    assert_str(r[1].hi, STR("3.1"));
    assert_int_equal(anchore_ranges(STR("~> 2"), r, 4), -1);
    assert_int_equal(anchore_ranges(STR("<"), r, 4), -1);
    assert_int_equal(anchore_ranges(STR("1||2||3||4||5"), r, 4), -1);
    assert_int_equal(anchore_ranges(STR(""), r, 4), 0);
}

static void assert_parts(struct cvss_parts p, double base, double exploitability, double impact)
{
    assert_true(p.base > base - 0.01 && p.base < base + 0.01);
    assert_true(p.exploitability > exploitability - 0.01 &&
                p.exploitability < exploitability + 0.01);
    assert_true(p.impact > impact - 0.01 && p.impact < impact + 0.01);
}

static void test_scores(void **state)
{
    assert_parts(cvss_parts_v2(STR("AV:N/AC:L/Au:N/C:P/I:P/A:P")), 7.5, 10.0, 6.4);
    assert_parts(cvss_parts_v2(STR("AV:N/AC:M/Au:N/C:C/I:C/A:C")), 9.3, 8.6, 10.0);
    assert_parts(cvss_parts_v2(STR("nonsense")), -1, -1, -1);
    assert_parts(cvss_parts_v3(STR("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")), 9.8, 3.9, 5.9);
    assert_parts(cvss_parts_v3(STR("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H")), 10.0, 3.9,
                 6.0);
    assert_parts(cvss_parts_v3(STR("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H")), 8.8, 2.8, 5.9);
    assert_parts(cvss_parts_v3(STR("CVSS:3.0/AV:N")), -1, -1, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_reports),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
