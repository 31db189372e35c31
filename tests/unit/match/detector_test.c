/* detector_test.c - cases of another scanner's detectors for operating system packages, as hints:
 * where both mean the same, both must find the same. Its data (../shared/data/matching) are read
 * from there. */
#include "match_fixture.h"

#include "codec/json.h"
#include "codec/yaml.h"

static const struct family {
    const char *file, *bucket, *id, *type, *scheme;
} families[] = {
    {"alma", "alma", "almalinux", "rpm", "rpm-evr"},
    {"alpine", "alpine", "alpine", "apk", "apk"},
    {"amazon", "amazon linux", "amzn", "rpm", "rpm-evr"},
    {"chainguard", "chainguard", "chainguard", "apk", "apk"},
    {"debian", "debian", "debian", "deb", "deb"},
    {"minimos", "minimos", "minimos", "apk", "apk"},
    {"ubuntu", "ubuntu", "ubuntu", "deb", "deb"},
    {"wolfi", "wolfi", "wolfi", "apk", "apk"},
};

/* Where kellet means something else, and why. */
static const struct {
    const char *family, *name, *why;
} differences[] = {
    {"alpine", "repository is newer than OS version", "the release is what os-release says"},
    {"alpine", "No src name", "the release is what os-release says"},
    {"chainguard", "happy path", "a claim without a fix counts here too"},
    {"minimos", "happy path", "a claim without a fix counts here too"},
    {"wolfi", "happy path", "a claim without a fix counts here too"},
    {"ubuntu", "ubuntu 20.04-ESM. 20.04 is not outdated", "ESM is told by versions, not by names"},
};

static const char *difference(const char *family, str name)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(differences); i++)
        if (strcmp(differences[i].family, family) == 0 && str_eq(name, str_z(differences[i].name)))
            return differences[i].why;
    return NULL;
}

enum { CLAIMS_MAX = 64, MEMORY = 16 << 20 };

struct cases {
    struct arena arena;
    const struct family *family;
    struct claim_row claims[CLAIMS_MAX];
    size_t n_claims;
};

static const char *keep(struct cases *c, str s)
{
    return s.n ? arena_dup(&c->arena, s).p : NULL;
}

static void read_json(const char *path, bool yaml, yyjson_doc **doc)
{
    struct err e = {0};
    auto_buf text;
    buf_init(&text, MEMORY);
    assert_ok(fs_read(path, &text, &e));
    if (yaml)
        assert_ok(yaml_parse(buf_view(&text), path, NULL, doc, &e));
    else
        assert_ok(json_parse(buf_view(&text), path, doc, &e));
}

/* "nginx:1.14::nginx" is the package nginx of a module. */
static void add_claim(struct cases *c, str where, str bucket, yyjson_val *row)
{
    yyjson_val *value = json_get(row, "value");
    ptrdiff_t module = str_find(bucket, STR("::"));
    bool is_text = yyjson_is_str(json_get(value, "FixedVersion"));
    if (!is_text || c->n_claims == CLAIMS_MAX)
        return;
    c->claims[c->n_claims++] = (struct claim_row){
        .source = c->family->file,
        .vuln = keep(c, json_str(row, "key")),
        .where = keep(c, where),
        .package = keep(c, module < 0 ? bucket : str_from(bucket, (size_t)module + 2)),
        .module = module < 0 ? NULL : keep(c, str_sub(bucket, 0, (size_t)module)),
        .lo = keep(c, json_str(value, "AffectedVersion")),
        .hi = keep(c, json_str(value, "FixedVersion")),
        .of = strcmp(c->family->type, "rpm") == 0 ? PACKAGE_BINARY : PACKAGE_SOURCE,
        .scheme = c->family->scheme,
    };
}

static void add_fixture(struct cases *c, const char *path)
{
    yyjson_doc *doc KE_CLEANUP(json_free_) = NULL;
    size_t i, k, m, n_platforms, n_packages, n_rows;
    yyjson_val *platform, *package, *row;
    read_json(path, true, &doc);
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n_platforms, platform)
    {
        str name = json_str(platform, "bucket"), family = str_z(c->family->bucket);
        if (!str_starts(name, family))
            continue;
        str version = str_trim(str_from(name, family.n));
        str where = version.n ? arena_printf(&c->arena, "%s:%.*s", c->family->id, STR_ARG(version))
                              : str_z(c->family->id);
        yyjson_arr_foreach(json_get(platform, "pairs"), k, n_packages, package)
        {
            yyjson_arr_foreach(json_get(package, "pairs"), m, n_rows, row)
            {
                add_claim(c, where, json_str(package, "bucket"), row);
            }
        }
    }
}

static const char *evr(struct cases *c, yyjson_val *p, const char *epoch, const char *version,
                       const char *release)
{
    int64_t e = yyjson_get_sint(json_get(p, epoch));
    str v = json_str(p, version), r = json_str(p, release);
    if (!v.n)
        return NULL;
    str text = e ? arena_printf(&c->arena, "%lld:%.*s", (long long)e, STR_ARG(v)) : v;
    if (r.n)
        text = arena_printf(&c->arena, "%.*s-%.*s", STR_ARG(text), STR_ARG(r));
    return keep(c, text);
}

static void run_case(struct cases *c, yyjson_val *row, struct buf *got)
{
    struct match_case m = {.distro = c->family->id};
    yyjson_val *args = json_get(row, "args"), *p;
    size_t i, n;
    m.version = keep(c, json_str(args, "osVer"));
    memcpy(m.claims, c->claims, sizeof m.claims);
    yyjson_arr_foreach(json_get(args, "pkgs"), i, n, p)
    {
        m.packages[i] = (struct package_row){
            .type = c->family->type,
            .name = keep(c, json_str(p, "Name")),
            .version = evr(c, p, "Epoch", "Version", "Release"),
            .source = keep(c, json_str(p, "SrcName")),
            .source_version = evr(c, p, "SrcEpoch", "SrcVersion", "SrcRelease"),
            .arch = keep(c, json_str(p, "Arch")),
            .module = keep(c, json_str(p, "Modularitylabel")),
        };
    }
    struct fixture f;
    fixture_make(&f, &m);
    for (size_t k = 0; k < f.findings->n; k++) {
        const struct finding *x = &f.findings->items[k];
        buf_addf(got, "%.*s %.*s %.*s\n", STR_ARG(f.inv.packages[x->package].p.name),
                 STR_ARG(x->id), STR_ARG(x->n_fix_versions ? x->fix_versions[0] : STR("")));
    }
    fixture_done(&f);
}

static void render_want(yyjson_val *row, struct buf *want)
{
    size_t i, n;
    yyjson_val *w;
    yyjson_arr_foreach(json_get(row, "want"), i, n, w)
    {
        buf_addf(want, "%.*s %.*s %.*s\n", STR_ARG(json_str(w, "PkgName")),
                 STR_ARG(json_str(w, "VulnerabilityID")), STR_ARG(json_str(w, "FixedVersion")));
    }
}

static bool agrees(struct cases *c, yyjson_val *row)
{
    auto_buf got, want;
    buf_init(&got, 1 << 16);
    buf_init(&want, 1 << 16);
    run_case(c, row, &got);
    render_want(row, &want);
    if (str_eq(buf_view(&got), buf_view(&want)))
        return true;
    print_error("%s: %.*s\ngot:\n%.*swant:\n%.*s", c->family->file, STR_ARG(json_str(row, "name")),
                STR_ARG(buf_view(&got)), STR_ARG(buf_view(&want)));
    return false;
}

static void test_detectors(void **state)
{
    size_t run = 0, agreed = 0, known = 0;
    if (!shared_path("data/matching/trivy-detector")) {
        skip_without_shared("data/matching/trivy-detector");
        return;
    }
    for (size_t i = 0; i < KE_ARRAY_LEN(families); i++) {
        char relative[256];
        yyjson_doc *doc KE_CLEANUP(json_free_) = NULL;
        struct cases *c = calloc(1, sizeof *c);
        assert_non_null(c);
        c->family = &families[i];
        arena_init(&c->arena, MEMORY);
        snprintf(relative, sizeof relative, "data/matching/trivy-detector/ospkg__%s.json",
                 families[i].file);
        read_json(shared_path(relative), false, &doc);
        snprintf(relative, sizeof relative,
                 "data/matching/trivy-detector/db/ospkg__%s/fixtures/%s.yaml", families[i].file,
                 families[i].file);
        add_fixture(c, shared_path(relative));
        snprintf(relative, sizeof relative,
                 "data/matching/trivy-detector/db/ospkg__%s/fixtures/modular.yaml",
                 families[i].file);
        if (shared_path(relative))
            add_fixture(c, shared_path(relative));
        size_t k, n;
        yyjson_val *row;
        yyjson_arr_foreach(yyjson_doc_get_root(doc), k, n, row)
        {
            str fixture = json_text(yyjson_arr_get_first(json_get(row, "fixtures")));
            if (!str_eq(json_str(row, "_func"), STR("TestScanner_Detect")) ||
                str_contains(fixture, STR("invalid")))
                continue;
            if (difference(families[i].file, json_str(row, "name"))) {
                known++;
                continue;
            }
            run++;
            agreed += agrees(c, row);
        }
        arena_done(&c->arena);
        free(c);
    }
    printf("%zu of %zu cases agree; %zu mean something else by intent\n", agreed, run, known);
    assert_true(run > 20);
    assert_int_equal(agreed, run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
