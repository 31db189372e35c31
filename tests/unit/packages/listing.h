/* listing.h - what a cataloguer found, as sorted lines that tests compare. */
#ifndef KELLET_TESTS_PACKAGES_LISTING_H
#define KELLET_TESTS_PACKAGES_LISTING_H

#include "unit.h"

#include "packages/catalogue.h"

static inline int listing_order(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* Sorts the lines of a text. */
static inline void listing_sort(str text, struct buf *out)
{
    VEC(str) lines = {0};
    str line;
    while (str_line(&text, &line))
        *(str *)vec_push(&lines) = line;
    if (lines.n)
        qsort(lines.p, lines.n, sizeof *lines.p, listing_order);
    for (size_t i = 0; i < lines.n; i++) {
        buf_add_str(out, lines.p[i]);
        buf_add_char(out, '\n');
    }
    vec_done(&lines);
}

/* One file as a layer of its own. */
static inline void listing_facts(const char *path, str content, struct facts *f)
{
    struct err e = {0};
    struct cat_test_file file = {.path = str_z(path), .content = content};
    assert_ok(catalogue_files(&file, 1, f, &e));
}

/* A whole file of ../shared, or false when it is not there. */
static inline bool listing_shared(const char *relative, struct buf *out)
{
    struct err e = {0};
    const char *path = shared_path(relative);
    if (!path)
        return false;
    buf_init(out, 64 << 20);
    assert_ok(fs_read(path, out, &e));
    return true;
}

#endif
