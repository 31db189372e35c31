/* Which layer brought a package: a database that many layers write anew. */
#include "listing.h"

#include "packages/squash.h"

#include <sys/mman.h>

#define STATUS "var/lib/dpkg/status"
#define PACKAGE(name, version)                                                                     \
    "Package: " name "\nStatus: install ok installed\nVersion: " version "\n\n"

enum { LAYERS_MAX = 4 };

struct row {
    const char *status[LAYERS_MAX]; /* NULL: the layer has none; "": it removes the file */
    const char *expected;
};

static const struct row rows[] = {
    {{PACKAGE("a", "1")}, "a 1 layer 0\n"},
    {{PACKAGE("a", "1"), PACKAGE("a", "1") PACKAGE("b", "1")}, "a 1 layer 0\nb 1 layer 1\n"},
    {{PACKAGE("a", "1"), NULL, NULL, PACKAGE("b", "1") PACKAGE("a", "1")},
     "a 1 layer 0\nb 1 layer 3\n"},
    {{PACKAGE("a", "1") PACKAGE("b", "1"), PACKAGE("a", "2") PACKAGE("b", "1"),
      PACKAGE("a", "2") PACKAGE("b", "1")},
     "a 2 layer 1\nb 1 layer 0\n"},
    {{PACKAGE("a", "1") PACKAGE("b", "1"), PACKAGE("b", "1"), PACKAGE("a", "1") PACKAGE("b", "1")},
     "a 1 layer 2\nb 1 layer 0\n"},
    {{PACKAGE("a", "1"), PACKAGE("b", "1"), PACKAGE("c", "1")}, "c 1 layer 2\n"},
    {{PACKAGE("a", "1"), "", PACKAGE("a", "1")}, "a 1 layer 2\n"},
    {{PACKAGE("a", "1"), ""}, ""},
};

/* A layer's record: that it has the file, or that it removed it. */
static struct layer_record *record_of(bool hides)
{
    struct err e = {0};
    struct layer_writer *w;
    struct layer_record *record;
    int fd = memfd_create("record", 0);
    assert_true(fd >= 0);
    assert_ok(layer_writer_new(fd, &w, &e));
    if (hides)
        assert_ok(layer_writer_hide(w, STR(STATUS), HIDES_ALL, &e));
    assert_ok(layer_writer_finish(w, (str){0}, &e));
    layer_writer_free(w);
    assert_ok(layer_record_open(fd, &record, &e));
    close(fd);
    return record;
}

static void test_origin(const struct row *row)
{
    struct err e = {0};
    struct squash_layer layers[LAYERS_MAX] = {0};
    struct layer_record *records[LAYERS_MAX];
    for (size_t l = 0; l < LAYERS_MAX; l++) {
        const char *text = row->status[l];
        struct cat_test_file file = {STR(STATUS), str_z(text ? text : "")};
        assert_ok(catalogue_files(&file, text && *text, &layers[l].facts, &e));
        layers[l].record = records[l] = record_of(text != NULL);
    }
    struct alias_list no_aliases = {0};
    struct inventory inv = {0};
    arena_init(&inv.arena, 1 << 20);
    assert_ok(squash_layers(layers, LAYERS_MAX, &no_aliases, &inv, &e));
    auto_buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < inv.n_packages; i++) {
        const struct inv_package *p = &inv.packages[i];
        assert_int_equal(p->n_evidence, 1);
        assert_str(p->evidence[0].path, STR(STATUS));
        buf_addf(&out, "%.*s %.*s layer %u\n", STR_ARG(p->p.name), STR_ARG(p->p.version),
                 p->evidence[0].layer);
    }
    assert_str(buf_view(&out), str_z(row->expected));
    for (size_t l = 0; l < LAYERS_MAX; l++) {
        facts_done(&layers[l].facts);
        layer_record_close(records[l]);
    }
    arena_done(&inv.arena);
}

static void test_origins(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        test_origin(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_origins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
