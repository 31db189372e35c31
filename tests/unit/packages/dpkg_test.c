/* dpkg: as dpkg-query lists, and every trap of the format. */
#include "listing.h"

/* name, version, arch, source, source's version: as dpkg-query's ${source:Package} has them. */
static void list(const struct facts *f, struct buf *out)
{
    auto_buf lines;
    buf_init(&lines, 16 << 20);
    for (size_t i = 0; i < f->packages.n; i++) {
        const struct package *p = &f->packages.p[i];
        assert_string_equal(p->type->name, "deb");
        str source = p->source_name.n ? p->source_name : p->name;
        str version = p->source_version.n ? p->source_version : p->version;
        buf_addf(&lines, "%.*s %.*s %.*s %.*s %.*s\n", STR_ARG(p->name), STR_ARG(p->version),
                 STR_ARG(p->arch), STR_ARG(source), STR_ARG(version));
    }
    listing_sort(buf_view(&lines), out);
}

/* The rows of expected-dpkg-query.tsv that are installed. */
static void expected(str tsv, struct buf *out)
{
    auto_buf lines;
    buf_init(&lines, 16 << 20);
    str line;
    str_line(&tsv, &line);
    while (str_line(&tsv, &line)) {
        str columns[6];
        for (size_t i = 0; i < 6; i++)
            columns[i] = str_split(&line, '\t');
        if (columns[5].n < 2 || columns[5].p[1] != 'i')
            continue;
        for (size_t i = 0; i < 5; i++)
            buf_addf(&lines, "%.*s%c", STR_ARG(columns[i]), i < 4 ? ' ' : '\n');
    }
    listing_sort(buf_view(&lines), out);
}

static void test_as_dpkg_query(void **state)
{
    static const struct {
        const char *dir;
        size_t packages, problems;
    } rows[] = {
        {"debian12-host", 891, 0}, {"trivy-corrupsed", 4, 2}, {"trivy-digest", 2, 0},
        {"trivy-md5sums", 1, 0},   {"trivy-only-apt", 1, 1},  {"trivy-third-party", 2, 0},
        {"trivy-valid", 90, 0},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        char path[200];
        auto_buf status, tsv, want, got;
        snprintf(path, sizeof path, "data/fixtures/dpkg/%s/root/var/lib/dpkg/status", rows[i].dir);
        if (!listing_shared(path, &status)) {
            skip_without_shared(path);
            return;
        }
        snprintf(path, sizeof path, "data/fixtures/dpkg/%s/expected-dpkg-query.tsv", rows[i].dir);
        assert_true(listing_shared(path, &tsv));
        buf_init(&want, 16 << 20);
        buf_init(&got, 16 << 20);
        struct facts f;
        listing_facts("var/lib/dpkg/status", buf_view(&status), &f);
        list(&f, &got);
        expected(buf_view(&tsv), &want);
        assert_str(buf_view(&got), buf_view(&want));
        assert_int_equal(f.packages.n, rows[i].packages);
        assert_int_equal(f.problems.n, rows[i].problems);
        facts_done(&f);
    }
}

#define OK_ "Status: install ok installed\n"

static const struct {
    const char *path, *text, *packages;
    size_t problems;
} rows[] = {
    /* what counts as there is the third word */
    {"var/lib/dpkg/status",
     "Package: a\nStatus: deinstall ok config-files\nVersion: 1\n\n"
     "Package: b\nStatus: deinstall ok installed\nVersion: 1\nArchitecture: all\n\n"
     "Package: c\nStatus: hold ok installed\nVersion: 1\nArchitecture: all\n\n"
     "Package: d\nStatus: install reinstreq half-installed\nVersion: 1\nArchitecture: all\n\n"
     "Package: e\nStatus: install ok unpacked\nVersion: 1\nArchitecture: all\n\n"
     "Package: f\nStatus: install ok half-configured\nVersion: 1\nArchitecture: all\n\n"
     "Package: g\nStatus: install ok triggers-awaited\nVersion: 1\nArchitecture: all\n\n"
     "Package: h\nStatus: install ok triggers-pending\nVersion: 1\nArchitecture: all\n\n"
     "Package: i\nStatus: purge ok not-installed\nVersion: 1\n\n",
     "b 1 all b 1\nc 1 all c 1\nd 1 all d 1\ne 1 all e 1\nf 1 all f 1\ng 1 all g 1\n"
     "h 1 all h 1\n",
     0},
    /* Source with and without version, binNMU, epoch; names of fields in any case */
    {"var/lib/dpkg/status",
     "Package: bash\n" OK_ "Architecture: amd64\nSource: bash (5.2-2)\nVersion: 5.2-2+b8\n\n"
     "PACKAGE: libgcc1\nstatus: install ok installed\narchitecture: amd64\nsource:gcc-5\n"
     "VERSION: 1:5.1\n\n"
     "Package: x\n" OK_ "Architecture: amd64\nVersion: 2+b1\n\n",
     "bash 5.2-2+b8 amd64 bash 5.2-2\nlibgcc1 1:5.1 amd64 gcc-5 1:5.1\nx 2+b1 amd64 x 2+b1\n", 0},
    /* folded fields, dots, a field name in a continuation, CRLF, several empty lines */
    {"var/lib/dpkg/status",
     "\n\nPackage: a\r\n" OK_ "Description: x\n Version: 9\n .\n\tPackage: z\nVersion: 1\n"
     "Conffiles:\n /etc/a 0123\nArchitecture: all\r\n\r\n\n\n",
     "a 1 all a 1\n", 0},
    /* multi-arch */
    {"var/lib/dpkg/status",
     "Package: libc6\n" OK_ "Architecture: amd64\nVersion: 1\nMulti-Arch: same\n\n"
     "Package: libc6\n" OK_ "Architecture: i386\nVersion: 1\nMulti-Arch: same\n\n",
     "libc6 1 amd64 libc6 1\nlibc6 1 i386 libc6 1\n", 0},
    /* broken stanzas and what stands around them */
    {"var/lib/dpkg/status",
     "Package: a\n" OK_ "Version: 1\nArchitecture: all\n\n"
     "Package: broken\n\n"
     "Package: nothing\n" OK_ "\n"
     "what is this\n\n"
     "Version: 1\n" OK_ "\n"
     "Package: b\n" OK_ "Version: 2\nArchitecture: all\n\n",
     "a 1 all a 1\nb 2 all b 2\n", 4},
    /* the empty line is missing; a field twice; a state that dpkg does not know */
    {"var/lib/dpkg/status",
     "Package: a\n" OK_ "Version: 1\nArchitecture: all\n"
     "Package: b\n" OK_ "Version: 2\nVersion: 3\nArchitecture: all\n\n"
     "Package: c\nStatus: install ok weird\nVersion: 1\nArchitecture: all\n\n",
     "a 1 all a 1\nb 2 all b 2\nc 1 all c 1\n", 3},
    {"var/lib/dpkg/status", "", "", 0},
    {"var/lib/dpkg/status", "\n", "", 0},
    {"var/lib/dpkg/status", "garbage", "", 1},
    {"var/lib/dpkg/status", ": \n\n", "", 1},
    /* distroless: no Status, no empty line at the end, or Status all the same */
    {"var/lib/dpkg/status.d/libc6",
     "Package: libc6\nArchitecture: amd64\nSource: glibc\nVersion: 2.31-13\nDescription: x\n y",
     "libc6 2.31-13 amd64 glibc 2.31-13\n", 0},
    {"var/lib/dpkg/status.d/rc", "Package: rc\nStatus: deinstall ok config-files\nVersion: 1\n", "",
     0},
    {"var/lib/dpkg/status.d/half", "Package: half\nArchitecture: all\n", "", 1},
    /* opkg */
    {"usr/lib/opkg/status",
     "Package: busybox\nVersion: 1.36.1-1\nDepends: libc\nStatus: install hold,user installed\n"
     "Architecture: x86_64\nConffiles:\n /etc/syslog.conf 0\nInstalled-Time: 1\n\n"
     "Package: gone\nVersion: 1\nStatus: unknown ok not-installed\n\n",
     "busybox 1.36.1-1 x86_64 busybox 1.36.1-1\n", 0},
    /* not ours */
    {"var/lib/dpkg/status-old", "Package: a\n" OK_ "Version: 1\n\n", "", 0},
    {"home/var/lib/dpkg/status", "Package: a\n" OK_ "Version: 1\n\n", "", 0},
};

static void test_traps(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct facts f;
        auto_buf got;
        buf_init(&got, 1 << 20);
        listing_facts(rows[i].path, str_z(rows[i].text), &f);
        list(&f, &got);
        assert_str(buf_view(&got), str_z(rows[i].packages));
        if (f.problems.n != rows[i].problems)
            fail_msg("row %zu: %zu problems, want %zu", i, f.problems.n, rows[i].problems);
        for (size_t k = 0; k < f.problems.n; k++) {
            assert_str(f.problems.p[k].what, STR("parse"));
            assert_str(f.problems.p[k].path, str_z(rows[i].path));
        }
        for (size_t k = 0; k < f.packages.n; k++)
            assert_str(f.packages.p[k].path, str_z(rows[i].path));
        facts_done(&f);
    }
}

/* A database below the root belongs to another system: not listed, not silent either. */
static void test_below_root(void **state)
{
    struct facts f;
    listing_facts("srv/chroot/var/lib/dpkg/status", STR("Package: a\n" OK_ "Version: 1\n\n"), &f);
    assert_int_equal(f.packages.n, 0);
    assert_int_equal(f.unsupported.n, 1);
    assert_str(f.unsupported.p[0], STR("dpkg-below-root"));
    facts_done(&f);
}

/* Cut anywhere: what was before the cut stanza is all there, and the cut is told. */
static void test_cut_anywhere(void **state)
{
    static const char text[] =
        "Package: a\n" OK_
        "Architecture: all\nSource: s (1)\nVersion: 1.0-1\nDescription: x\n y\n\n"
        "Package: b\n" OK_ "Architecture: all\nVersion: 2.0-1\nDescription: x\n y\n\n"
        "Package: c\n" OK_ "Architecture: all\nVersion: 3.0-1\nDescription: x\n y\n\n";
    size_t ended = 0;
    for (size_t n = 0; n < sizeof text; n++) {
        autofree char *part = malloc(n + 1);
        memcpy(part, text, n);
        struct facts f;
        listing_facts("var/lib/dpkg/status", (str){part, n}, &f);
        bool between = n == 0 || (n >= 2 && text[n - 1] == '\n' && text[n - 2] == '\n');
        if (n && between)
            ended++;
        if (f.problems.n == 0 && !between)
            fail_msg("cut at byte %zu: not told", n);
        assert_true(f.packages.n >= ended);
        if (between)
            assert_int_equal(f.packages.n, ended);
        facts_done(&f);
    }
}

/* Lines of any length that nobody reads are skipped; a field that is read has a limit. */
static void test_long_lines(void **state)
{
    enum { LONG = 3 << 20 };
    auto_buf text;
    buf_init(&text, 16 << 20);
    buf_add_str(&text, STR("Package: a\n" OK_ "Version: 1\nDescription: "));
    memset(buf_reserve(&text, LONG), 'x', LONG);
    text.n += LONG;
    buf_add_str(&text, STR("\nArchitecture: all\n\nPackage: b\n" OK_ "Version: "));
    memset(buf_reserve(&text, LONG), '1', LONG);
    text.n += LONG;
    buf_add_str(&text, STR("\n\nPackage: c\n" OK_ "Version: 1\n\n"));
    struct facts f;
    listing_facts("var/lib/dpkg/status", buf_view(&text), &f);
    assert_int_equal(f.packages.n, 3);
    assert_str(f.packages.p[0].arch, STR("all"));
    assert_int_equal(f.problems.n, 1);
    assert_true(f.packages.p[1].version.n < 1 << 17);
    facts_done(&f);
}

static void test_many_broken_stanzas(void **state)
{
    auto_buf text;
    buf_init(&text, 16 << 20);
    for (int i = 0; i < 5000; i++)
        buf_add_str(&text, STR("Package: a\n\n"));
    buf_add_str(&text, STR("Package: c\n" OK_ "Version: 1\n\n"));
    struct facts f;
    listing_facts("var/lib/dpkg/status", buf_view(&text), &f);
    assert_int_equal(f.packages.n, 1);
    assert_int_equal(f.problems.n, 100);
    facts_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_dpkg_query), cmocka_unit_test(test_traps),
        cmocka_unit_test(test_below_root),    cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_long_lines),    cmocka_unit_test(test_many_broken_stanzas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
