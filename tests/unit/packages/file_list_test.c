/* What the analyzer wants to know beyond packages, through a whole scan of an archive made here. */
#include "unit.h"

#include "base/auto.h"
#include "base/fs.h"
#include "codec/regex.h"
#include "packages/inventory.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- an image of two layers, as `docker save` writes it
 * ---------------------------------------------------- */

static void tar_add(struct buf *t, const char *path, char type, unsigned mode, const char *link,
                    str content)
{
    char h[512] = {0};
    size_t n = content.n;
    snprintf(h, 100, "%s", path);
    snprintf(h + 100, 8, "%07o", mode);
    snprintf(h + 108, 8, "%07o", 10);
    snprintf(h + 116, 8, "%07o", 20);
    snprintf(h + 124, 12, "%011zo", n);
    snprintf(h + 136, 12, "%011o", 0);
    memset(h + 148, ' ', 8);
    h[156] = type;
    snprintf(h + 157, 100, "%s", link);
    memcpy(h + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof h; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    buf_add(t, h, sizeof h);
    buf_add_str(t, content);
    static const char zeros[512];
    buf_add(t, zeros, (512 - n % 512) % 512);
}

static void tar_end(struct buf *t)
{
    static const char zeros[1024];
    buf_add(t, zeros, sizeof zeros);
}

static void diff_id(const struct buf *layer, char text[SHA256_TEXT])
{
    struct sha256 d = sha256_of(layer->p, layer->n);
    sha256_format(&d, text);
}

static void make_image(const char *path)
{
    auto_buf lower, upper, all, config;
    buf_init(&lower, 1 << 20);
    buf_init(&upper, 1 << 20);
    buf_init(&all, 4 << 20);
    buf_init(&config, 1 << 16);
    tar_add(&lower, "etc/", '5', 0755, "", STR(""));
    tar_add(&lower, "etc/app.conf", '0', 0640, "", STR("a\npassword = x\n# TODO\n"));
    tar_add(&lower, "etc/gone", '0', 0644, "", STR("gone"));
    tar_add(&lower, "opt/old/below", '0', 0644, "", STR("below"));
    tar_add(&lower, "opt/old/a/", '5', 0755, "", STR(""));
    tar_add(&lower, "opt/old/a/b/", '5', 0755, "", STR(""));
    tar_add(&lower, "opt/old/a/b/c/", '5', 0755, "", STR(""));
    tar_add(&lower, "srv/", '5', 0755, "", STR(""));
    tar_add(&lower, "srv/a/b/", '5', 0755, "", STR(""));
    tar_add(&lower, "srv/a/b/c/link", '2', 0777, "x", STR(""));
    tar_add(&lower, "srv/a/b/c/d/", '5', 0755, "", STR(""));
    tar_add(&lower, "var/a/b/c/", '5', 0755, "", STR(""));
    tar_add(&lower, "var/a/b/c/file", '0', 0644, "", STR("file"));
    tar_add(&lower, "var/kept/b/c/", '5', 0755, "", STR(""));
    tar_add(&lower, "var/kept/b/c/file", '0', 0644, "", STR("file"));
    tar_add(&lower, "var/keptb/", '5', 0755, "", STR(""));
    tar_add(&lower, "bin/su", '0', 04755, "", STR("su"));
    tar_add(&lower, "bin/hard", '1', 04755, "bin/su", STR(""));
    tar_end(&lower);
    tar_add(&upper, "etc/", '5', 0700, "", STR(""));
    tar_add(&upper, "etc/.wh.gone", '0', 0644, "", STR(""));
    tar_add(&upper, "opt/old/.wh..wh..opq", '0', 0644, "", STR(""));
    tar_add(&upper, "srv", '0', 0644, "", STR("a file now"));
    tar_add(&upper, "var/.wh.a", '0', 0644, "", STR(""));
    tar_add(&upper, "var/kept/", '5', 0700, "", STR(""));
    tar_add(&upper, "etc/link", '2', 0777, "app.conf", STR(""));
    tar_add(&upper, "dev/null", '3', 0666, "", STR(""));
    tar_end(&upper);
    char one[SHA256_TEXT], two[SHA256_TEXT];
    diff_id(&lower, one);
    diff_id(&upper, two);
    buf_addf(&config,
             "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
             "\"diff_ids\":[\"%s\",\"%s\"]}}",
             one, two);
    tar_add(
        &all, "manifest.json", '0', 0644, "",
        STR("[{\"Config\":\"c.json\",\"RepoTags\":[\"t:1\"],\"Layers\":[\"1.tar\",\"2.tar\"]}]"));
    tar_add(&all, "c.json", '0', 0644, "", buf_view(&config));
    tar_add(&all, "1.tar", '0', 0644, "", buf_view(&lower));
    tar_add(&all, "2.tar", '0', 0644, "", buf_view(&upper));
    tar_end(&all);
    assert_true(buf_ok(&all));
    assert_int_equal(fs_write_atomic(path, buf_view(&all), 0644, NULL), 0);
}

static const struct image_file *file_at(const struct inventory *inv, const char *path)
{
    for (size_t i = 0; i < inv->n_files; i++)
        if (str_eq(inv->files[i].path, str_z(path)))
            return &inv->files[i];
    return NULL;
}

static void check_files(const struct inventory *inv)
{
    const struct image_file *f = file_at(inv, "etc");
    assert_non_null(f);
    assert_int_equal(f->mode, 0700); /* the upper layer's */
    assert_null(file_at(inv, "etc/gone"));
    assert_null(file_at(inv, "opt/old/below"));
    assert_null(file_at(inv, "etc/.wh.gone"));
    static const char *const hidden[] = {"opt/old/a", "opt/old/a/b",    "opt/old/a/b/c",
                                         "srv/a/b",   "srv/a/b/c/link", "srv/a/b/c/d",
                                         "var/a/b/c", "var/a/b/c/file"};
    for (size_t i = 0; i < KE_ARRAY_LEN(hidden); i++) /* however far above it was hidden */
        if (file_at(inv, hidden[i]))
            fail_msg("%s is listed", hidden[i]);
    assert_int_equal(file_at(inv, "srv")->type, FACT_FILE);
    assert_int_equal(file_at(inv, "var/kept")->mode, 0700);
    assert_non_null(file_at(inv, "var/kept/b/c"));
    assert_non_null(file_at(inv, "var/kept/b/c/file"));
    assert_non_null(file_at(inv, "var/keptb"));
    f = file_at(inv, "etc/app.conf");
    assert_non_null(f);
    assert_int_equal(f->uid, 10);
    assert_int_equal(f->gid, 20);
    assert_int_equal(f->size, 22);
    struct sha256 want = sha256_of("a\npassword = x\n# TODO\n", 22);
    assert_true(f->has_digest && sha256_eq(&f->digest, &want));
    assert_int_equal(f->n_matches, 2);
    assert_int_equal(f->matches[0].rule, 0);
    assert_int_equal(f->matches[0].line, 1);
    assert_int_equal(f->matches[1].rule, 1);
    assert_int_equal(f->matches[1].line, 2);
    assert_true(str_eq(f->content, STR("a\npassword = x\n# TODO\n")));
    f = file_at(inv, "etc/link"); /* searches follow links */
    assert_int_equal(f->type, FACT_SYMLINK);
    assert_int_equal(f->n_matches, 2);
    assert_null(f->content.p);
    f = file_at(inv, "bin/hard");
    assert_true(f->hard_link && f->has_digest);
    assert_int_equal(f->size, 2);
    assert_int_equal(f->mode, 04755);
    assert_int_equal(file_at(inv, "dev/null")->type, FACT_DEVICE);
    assert_true(str_contains(inv->config_json, STR("diff_ids")));
}

static void check_old_digests(const struct image_file *f, const char *text, size_t n)
{
    uint8_t md5[MD5_SIZE], sha1[SHA1_SIZE];
    struct digest_ctx *d;
    assert_int_equal(f->digests, FACT_MD5 | FACT_SHA1);
    assert_int_equal(digest_old_new("MD5", &d, NULL), 0);
    for (int round = 0; round < 2; round++) { /* a finished one starts afresh */
        digest_update(d, text, n);
        digest_old_final(d, md5, sizeof md5);
        assert_memory_equal(f->md5, md5, sizeof md5);
    }
    digest_free(d);
    assert_int_equal(digest_old_new("SHA1", &d, NULL), 0);
    digest_update(d, text, n);
    digest_old_final(d, sha1, sizeof sha1);
    assert_memory_equal(f->sha1, sha1, sizeof sha1);
    digest_free(d);
}

static void test_listing(void **state)
{
    char dir[] = "/tmp/kellet-listing-XXXXXX", image[64], source[80];
    struct fact_rule rules[] = {
        {.name = STR("P"), .pattern = STR("(?i).*PASSWORD *=.*"), .max_file_size = 10000},
        {.name = STR("T"), .pattern = STR(".*TODO"), .max_file_size = 10000},
    };
    static const str retrieve[] = {STR_INIT("/etc/app.conf")};
    struct facts_wanted wanted = {rules, 2, retrieve, 1, 1000};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(
            regex_compile(rules[i].pattern, REGEX_ANCHORED, (struct regex **)&rules[i].regex, NULL),
            0);
    assert_non_null(mkdtemp(dir));
    snprintf(image, sizeof image, "%s/i.tar", dir);
    snprintf(source, sizeof source, "docker-archive:%s", image);
    make_image(image);
    struct scan_options o = {.source = source, .data_dir = dir, .facts = &wanted};
    for (int round = 0; round < 2; round++) { /* the second time from the cache */
        struct err e = {0};
        struct inventory *inv;
        int r = inventory_scan(&o, &inv, &e);
        if (r < 0)
            fail_msg("%s", e.text);
        assert_int_equal(inv->layers_cached, round ? 2 : 0);
        check_files(inv);
        inventory_free(inv);
    }
    wanted.digests = FACT_MD5 | FACT_SHA1;
    struct inventory *with;
    assert_int_equal(inventory_scan(&o, &with, NULL), 0);
    assert_int_equal(with->layers_cached, 0);
    check_files(with);
    check_old_digests(file_at(with, "etc/app.conf"), "a\npassword = x\n# TODO\n", 22);
    assert_int_equal(file_at(with, "bin/hard")->digests, FACT_MD5 | FACT_SHA1);
    assert_int_equal(file_at(with, "etc")->digests, 0);
    inventory_free(with);
    wanted.digests = 0;
    wanted.n_rules = 1; /* other wishes, other records */
    struct inventory *inv;
    assert_int_equal(inventory_scan(&o, &inv, NULL), 0);
    assert_int_equal(inv->layers_cached, 0);
    assert_int_equal(file_at(inv, "etc/app.conf")->n_matches, 1);
    inventory_free(inv);
    for (size_t i = 0; i < 2; i++)
        regex_free((struct regex *)(uintptr_t)rules[i].regex);
    unlink(image);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_listing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
