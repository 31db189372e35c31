/* apk.c - Alpine's package database: lines of a letter, a colon and a value, an empty line after
 * each package (apk-tools doc/apk-installed, src/database.c).
 *
 * Virtual packages (".build-deps", made by apk add -t) are listed, as apk info lists them. */
#include "packages/cataloguer.h"

#include "net/base64.h"
#include "packages/lines.h"
#include "packages/package_files.h"

enum {
    LINE_MAX_BYTES = 64 << 10, /* of a value that is read; others may be of any length */
    PROBLEMS_MAX = 100,        /* of one file */
};
static const uint64_t file_max = 512u << 20;

static const str databases[] = {
    STR_INIT("lib/apk/db/installed"),
    STR_INIT("usr/lib/apk/db/installed"),
};

static bool apk_at_root(str path)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(databases); i++)
        if (str_eq(path, databases[i]))
            return true;
    return false;
}

static bool apk_wants(str path, uint64_t size, uint32_t mode)
{
    return str_ends(path, STR("lib/apk/db/installed")) &&
           (apk_at_root(path) || str_ends(path, STR("/lib/apk/db/installed")));
}

enum value { NAME, VERSION, ARCH, ORIGIN, LICENCE, MAINTAINER, SIZE, FOLDER, N_VALUES };
static const char value_keys[N_VALUES] = {
    [NAME] = 'P',    [VERSION] = 'V',    [ARCH] = 'A', [ORIGIN] = 'o',
    [LICENCE] = 'L', [MAINTAINER] = 'm', [SIZE] = 'I', [FOLDER] = 'F',
};

struct apk_parse {
    struct cat *c;
    struct lines lines;
    struct buf values[N_VALUES];
    struct buf path;         /* of a file: folder and name */
    struct buf entry;        /* path of the file at hand; empty: none */
    struct owned_file owned; /* what is known of it */
    bool listing;            /* the package's list of files was begun */
    bool begun;              /* some line of the package was read */
    bool complained;         /* it has its problem entry */
    uint64_t line;           /* where it begins */
    uint32_t problems;
};

static void complain(struct apk_parse *a, const char *what)
{
    if (a->complained)
        return;
    a->complained = true;
    if (++a->problems > PROBLEMS_MAX)
        return;
    if (a->problems == PROBLEMS_MAX)
        what = "and more broken packages after it";
    str name = str_sub(buf_view(&a->values[NAME]), 0, 100);
    cat_problem(a->c, (str){0}, "parse", "package at line %llu (%.*s): %s",
                (unsigned long long)a->line, STR_ARG(name), what);
}

/* ---- the package's files: F: a directory, R: a file in it, a: its owner and mode, Z: its digest
 *
 * Directories are left out, as by the original: what is mounted there (/proc, /dev/pts) differs. */

static void entry_end(struct apk_parse *a)
{
    if (a->listing && a->entry.n && buf_ok(&a->entry))
        cat_files_add(a->c, buf_view(&a->entry), &a->owned);
    buf_clear(&a->entry);
    a->entry.failed = false;
}

/* Modes are only written where they are not the usual ones. */
static void entry_begin(struct apk_parse *a, str path)
{
    entry_end(a);
    if (!cat_files_wanted(a->c))
        return;
    str name = buf_view(&a->values[NAME]), version = buf_view(&a->values[VERSION]);
    if (!a->listing && name.n && version.n) {
        cat_files_begin(a->c, (str){0}, "apk", name, version, buf_view(&a->values[ARCH]));
        a->listing = true;
    }
    buf_add_str(&a->entry, path);
    a->owned = (struct owned_file){.flags = OWNED_MODE, .mode = 0644};
}

/* "uid:gid:mode", possibly with a digest of extended attributes behind it. */
static void entry_mode(struct apk_parse *a, str value)
{
    uint32_t mode = 0;
    str_split(&value, ':');
    str_split(&value, ':');
    str text = str_split(&value, ':');
    if (text.n == 0 || text.n > 5)
        return;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '7')
            return;
        mode = mode << 3 | (uint32_t)(text.p[i] - '0');
    }
    a->owned.mode = mode & 07777;
}

/* "Q1" and a SHA-1, "Q2" and a SHA-256, as base64. */
static void entry_digest(struct apk_parse *a, str value)
{
    enum owned_algorithm algorithm = str_starts(value, STR("Q1"))   ? OWNED_SHA1
                                     : str_starts(value, STR("Q2")) ? OWNED_SHA256
                                                                    : OWNED_NO_DIGEST;
    auto_buf digest;
    buf_init(&digest, 64);
    if (algorithm == OWNED_NO_DIGEST || value.n > 64 ||
        base64_decode(str_from(value, 2), &digest, NULL) < 0 ||
        digest.n != owned_digest_size(algorithm))
        return;
    memcpy(a->owned.digest, digest.p, digest.n);
    a->owned.algorithm = algorithm;
}

static int package_end(struct apk_parse *a, struct err *e)
{
    entry_end(a);
    if (a->listing)
        cat_files_end(a->c);
    a->listing = false;
    int r = 0;
    struct package p = {
        .type = package_type_find(STR("apk")),
        .name = buf_view(&a->values[NAME]),
        .version = buf_view(&a->values[VERSION]),
        .arch = buf_view(&a->values[ARCH]),
        .source_name = buf_view(&a->values[ORIGIN]),
        .licence = buf_view(&a->values[LICENCE]),
        .vendor = buf_view(&a->values[MAINTAINER]),
        .size = buf_view(&a->values[SIZE]),
    };
    if (a->begun && p.name.n && p.version.n)
        r = cat_package(a->c, &p, e);
    else if (a->begun)
        complain(a, p.name.n ? "no version" : "no name");
    for (size_t i = 0; i < N_VALUES; i++)
        buf_clear(&a->values[i]);
    a->begun = a->complained = false;
    return r;
}

static int own_file(struct apk_parse *a, str name, struct err *e)
{
    str folder = buf_view(&a->values[FOLDER]);
    buf_clear(&a->path);
    buf_add_str(&a->path, folder);
    if (folder.n)
        buf_add_char(&a->path, '/');
    buf_add_str(&a->path, name);
    if (!buf_ok(&a->path))
        return err_no_memory(e);
    entry_begin(a, buf_view(&a->path));
    return cat_owned(a->c, buf_view(&a->path), buf_view(&a->values[NAME]), e);
}

static int package_line(struct apk_parse *a, str line, struct err *e)
{
    if (!a->begun)
        a->line = a->lines.number;
    a->begun = true;
    if (line.n < 2 || line.p[1] != ':') {
        complain(a, "a line that is no value");
        return 0;
    }
    str value = str_from(line, 2);
    if (line.p[0] == 'R')
        return a->lines.cut ? 0 : own_file(a, value, e);
    if (a->entry.n && line.p[0] == 'a')
        entry_mode(a, value);
    if (a->entry.n && line.p[0] == 'Z')
        entry_digest(a, value);
    const char *key = memchr(value_keys, line.p[0], N_VALUES);
    if (!key)
        return 0;
    if (a->lines.cut)
        complain(a, "a value is too long");
    int r = 0;
    enum value which = (enum value)(key - value_keys);
    if (which == NAME && a->values[NAME].n) {
        complain(a, "not ended by an empty line");
        r = package_end(a, e);
        a->line = a->lines.number;
        a->begun = true;
    }
    buf_clear(&a->values[which]);
    buf_add_str(&a->values[which], value);
    if (!buf_ok(&a->values[which]))
        return err_no_memory(e);
    return r;
}

static int apk_database(struct apk_parse *a, struct err *e)
{
    str line;
    int r = 0, more;
    while (r == 0 && (more = lines_next(&a->lines, &line, e)) != 0) {
        if (more < 0)
            return more;
        r = line.n == 0 ? package_end(a, e) : package_line(a, line, e);
    }
    if (r == 0 && a->lines.limited)
        cat_problem(a->c, (str){0}, "limit", "only the first %llu bytes were read",
                    (unsigned long long)file_max);
    else if (r == 0 && a->begun)
        complain(a, "the file ends inside it");
    return r == 0 ? package_end(a, e) : r;
}

static int apk_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    if (!apk_at_root(f->path)) {
        cat_unsupported(c, "apk-below-root");
        return 0;
    }
    struct apk_parse a = {.c = c};
    lines_init(&a.lines, f->content, LINE_MAX_BYTES, file_max);
    for (size_t i = 0; i < N_VALUES; i++)
        buf_init(&a.values[i], LINE_MAX_BYTES);
    buf_init(&a.path, 2 * LINE_MAX_BYTES + 1);
    buf_init(&a.entry, 2 * LINE_MAX_BYTES + 1);
    int r = apk_database(&a, e);
    for (size_t i = 0; i < N_VALUES; i++)
        buf_done(&a.values[i]);
    buf_done(&a.path);
    buf_done(&a.entry);
    lines_done(&a.lines);
    return r;
}

const struct cataloguer cataloguer_apk = {
    .name = "apk",
    .distro = true,
    .wants = apk_wants,
    .parse = apk_parse,
};
