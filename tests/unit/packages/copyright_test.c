/* Licences out of Debian's documentation. */
#include "listing.h"

static const struct {
    const char *path, *text, *licence;
} rows[] = {
    {"usr/share/doc/bash/copyright",
     "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
     "Files: *\nCopyright: x\nLicense: GPL-3+\n On Debian: /usr/share/common-licenses/GPL-3\n\n"
     "Files: b\nlicense: GPL-3+\n\nFiles: c\nLicense: MIT or BSD-2-clause\n\nLicense:\n x\n",
     "GPL-3+ AND (MIT or BSD-2-clause)"},
    {"usr/share/doc/a/copyright", "Format: x\nLicense: MIT or BSD", "MIT or BSD"},
    {"usr/share/doc/tar/copyright",
     "License: this is free software, and so on.\nSee /usr/share/common-licenses/GPL-2.\n"
     "`/usr/share/common-licenses/LGPL-2.1', /usr/share/common-licenses/GPL-2\n",
     "GPL-2 AND LGPL-2.1"},
    {"usr/share/doc/x/copyright", "Format: x\nSee /usr/share/common-licenses/Artistic-\n",
     "Artistic"},
    {"usr/share/doc/x/copyright", "Do what you want.\n/usr/share/common-licenses/\n", NULL},
    {"usr/share/doc/x/copyright", "", NULL},
    {"usr/share/doc/x/y/copyright", "Format: x\nLicense: MIT\n", NULL},
    {"usr/share/doc/copyright", "Format: x\nLicense: MIT\n", NULL},
    {"srv/usr/share/doc/x/copyright", "Format: x\nLicense: MIT\n", NULL},
};

static void test_files(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct facts f;
        listing_facts(rows[i].path, str_z(rows[i].text), &f);
        assert_int_equal(f.licences.n, rows[i].licence != NULL);
        if (rows[i].licence) {
            assert_str(f.licences.p[0].licence, str_z(rows[i].licence));
            assert_str(f.licences.p[0].path, str_z(rows[i].path));
        }
        assert_int_equal(f.problems.n, 0);
        facts_done(&f);
    }
}

/* Hostile: very many names, and very long ones. */
static void test_bounds(void **state)
{
    auto_buf text;
    buf_init(&text, 1 << 20);
    buf_add_str(&text, STR("Format: x\n"));
    for (int i = 0; i < 10000; i++)
        buf_addf(&text, "License: L%d\n", i);
    buf_addf(&text, "License: %01000d\n", 1);
    struct facts f;
    listing_facts("usr/share/doc/x/copyright", buf_view(&text), &f);
    assert_int_equal(f.licences.n, 1);
    assert_true(f.licences.p[0].licence.n < 1000);
    facts_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
