/* Many scans at once in a process whose threads never rest: whatever they hold while an analyst is
 * started (locks of malloc, stdio, the crypto library, the sanitizer) must not matter. */
#include "packages/zygote.h"

#include "codec/digest.h"
#include "codec/regex.h"
#include "packages/analyst_order.h"
#include "packages/inventory.h"
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { BUSY = 6, SCANNERS = 8, SCANS = 25 };

static bool over;
static char source[80];
static struct zygote *zygote;

static void *busy(void *p)
{
    FILE *nowhere = fopen("/dev/null", "w");
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
        void *blocks[32];
        for (size_t i = 0; i < KE_ARRAY_LEN(blocks); i++)
            blocks[i] = malloc(100 << (i % 12));
        for (size_t i = 0; i < KE_ARRAY_LEN(blocks); i++)
            free(blocks[i]);
        struct sha256 d = sha256_of("x", 1);
        fprintf(nowhere, "%d\n", d.b[0]);
    }
    fclose(nowhere);
    return NULL;
}

static void *scanner(void *p)
{
    uintptr_t failed = 0;
    for (int i = 0; i < SCANS; i++) {
        struct err e = {0};
        struct inventory *inv;
        const struct scan_options o = {.source = source, .zygote = zygote, .threads = 2};
        int r = inventory_scan(&o, &inv, &e);
        if (r < 0)
            print_error("%s\n", e.text);
        failed += r < 0 || inv->n_packages != 1 || !str_eq(inv->release.id, STR("debian"));
        if (r == 0)
            inventory_free(inv);
    }
    return (void *)failed;
}

static void make_root(char *dir)
{
    char path[128];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/etc", dir);
    assert_int_equal(fs_mkdirs(path, NULL), 0);
    snprintf(path, sizeof path, "%s/etc/os-release", dir);
    assert_int_equal(fs_write_atomic(path, STR("ID=debian\nVERSION_ID=12\n"), 0644, NULL), 0);
    snprintf(path, sizeof path, "%s/var/lib/dpkg", dir);
    assert_int_equal(fs_mkdirs(path, NULL), 0);
    snprintf(path, sizeof path, "%s/var/lib/dpkg/status", dir);
    assert_int_equal(fs_write_atomic(path,
                                     STR("Package: a\nStatus: install ok installed\nVersion: "
                                         "1\nArchitecture: all\n\n"),
                                     0644, NULL),
                     0);
    snprintf(source, sizeof source, "dir:%s", dir);
}

static void test_many_scans(void **state)
{
    char dir[] = "/tmp/kellet-zygote-XXXXXX";
    struct err e = {0};
    pthread_t busy_threads[BUSY], scanners[SCANNERS];
    make_root(dir);
    assert_ok(zygote_start(&zygote, &e));
    alarm(300); /* a hang ends the test */
    for (size_t i = 0; i < BUSY; i++)
        assert_int_equal(pthread_create(&busy_threads[i], NULL, busy, NULL), 0);
    for (size_t i = 0; i < SCANNERS; i++)
        assert_int_equal(pthread_create(&scanners[i], NULL, scanner, NULL), 0);
    uintptr_t failed = 0;
    for (size_t i = 0; i < SCANNERS; i++) {
        void *n;
        pthread_join(scanners[i], &n);
        failed += (uintptr_t)n;
    }
    __atomic_store_n(&over, true, __ATOMIC_RELAXED);
    for (size_t i = 0; i < BUSY; i++)
        pthread_join(busy_threads[i], NULL);
    alarm(0);
    assert_int_equal(failed, 0);
    assert_true(zygote_alive(zygote));
    zygote_stop(zygote);
}

/* ---- dying
 * --------------------------------------------------------------------------------------------- */

static void test_gone(void **state)
{
    struct err e = {0};
    struct inventory *inv;
    assert_ok(zygote_start(&zygote, &e));
    assert_true(zygote_alive(zygote));
    kill(zygote_pid(zygote), SIGKILL);
    while (zygote_alive(zygote))
        usleep(1000);
    const struct scan_options o = {.source = source, .zygote = zygote, .threads = 1};
    assert_int_equal(inventory_scan(&o, &inv, &e), ERR_IO);
    assert_non_null(strstr(e.text, "the process that starts analysers is gone"));
    zygote_stop(zygote);
}

/* ---- orders
 * ------------------------------------------------------------------------------------------- */

static void test_order(void **state)
{
    struct err e = {0};
    struct fact_rule rules[] = {{.name = STR("R"), .pattern = STR("a+"), .max_file_size = 7}};
    const str retrieve[] = {STR_INIT("/etc/passwd")};
    const struct facts_wanted wanted = {rules, 1, retrieve, 1, 99};
    const struct alias aliases[] = {{STR_INIT("real"), STR_INIT("as"), true}};
    const struct source s = {.shape = SHAPE_ARCHIVE,
                             .kind = "oci-archive",
                             .selector = "latest",
                             .seekable = true,
                             .platform_asked = true,
                             .platform = {STR_INIT("linux"), STR_INIT("arm"), STR_INIT("v7")}};
    const struct analyst_options o = {
        .threads = 3, .facts = &wanted, .aliases = aliases, .n_aliases = 1};
    auto_buf bytes;
    buf_init(&bytes, ORDER_BYTES_MAX);
    order_encode(&s, &o, &bytes);
    struct analyst_order *got;
    assert_ok(order_decode(buf_view(&bytes), &got, &e));
    assert_int_equal(got->source.shape, SHAPE_ARCHIVE);
    assert_string_equal(got->source.kind, "oci-archive");
    assert_string_equal(got->source.selector, "latest");
    assert_true(got->source.seekable && got->source.platform_asked && !got->source.host);
    assert_str(got->source.platform.variant, STR("v7"));
    assert_int_equal(got->source.fd, -1);
    assert_int_equal(got->options.threads, 3);
    assert_true(got->options.n_aliases == 1 && got->options.aliases[0].hard);
    assert_str(got->options.aliases[0].as, STR("as"));
    assert_str(got->facts.rules[0].pattern, STR("a+"));
    assert_int_equal(regex_match(got->facts.rules[0].regex, STR("aaa"), NULL), 1);
    assert_str(got->facts.retrieve[0], STR("/etc/passwd"));
    assert_int_equal(got->facts.retrieve_max, 99);
    order_free(got);
    for (size_t cut = 0; cut < bytes.n; cut++)
        assert_true(order_decode(str_sub(buf_view(&bytes), 0, cut), &got, &e) < 0);
    buf_add_char(&bytes, 0);
    assert_int_equal(order_decode(buf_view(&bytes), &got, &e), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_scans),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
