/* db_test.h - a scratch DATA directory and made-up claims for the tests of the database. */
#ifndef KELLET_TESTS_DB_TEST_H
#define KELLET_TESTS_DB_TEST_H

#include "unit.h"

#include "vulndb/vulndb.h"

#include <dirent.h>

/* A new directory below $TMPDIR; removed by scratch_remove(). */
static inline void scratch_make(char *path, size_t size)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(path, size, "%s/kellet-db-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(path));
}

static inline void scratch_clear(const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *f = d ? readdir(d) : NULL; f; f = readdir(d)) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, f->d_name);
        if (f->d_name[0] != '.' && unlink(path) < 0)
            scratch_clear(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

/* One row of a table of claims: "lo..hi" as given, everything else often empty. */
struct row {
    const char *vuln, *platform, *ecosystem, *package, *scheme, *lo, *hi, *exact, *fixed;
    enum claim_kind kind;
    enum fix_state state;
    enum severity severity;
};

static inline void send_row(struct claim_sink *sink, const struct row *r)
{
    struct err e;
    struct version_range range = {.lo = str_z(r->lo), .hi = str_z(r->hi)};
    str exact = str_z(r->exact);
    struct claim c = {
        .vuln_id = str_z(r->vuln),
        .platform = str_z(r->platform),
        .ecosystem = str_z(r->ecosystem),
        .package = str_z(r->package),
        .package_kind = *r->platform ? PACKAGE_SOURCE : PACKAGE_LANGUAGE,
        .kind = r->kind,
        .state = r->state,
        .scheme = r->scheme,
        .ranges = &range,
        .n_ranges = *r->lo || *r->hi,
        .exact = &exact,
        .n_exact = exact.n != 0,
        .fixed = str_z(r->fixed),
        .severity = r->severity,
    };
    assert_ok(sink->claim(sink, &c, &e));
}

#endif
