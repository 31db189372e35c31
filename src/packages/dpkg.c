/* dpkg.c - Debian's package database and its kin.
 *
 * deb822 stanzas, deb-control(5), dpkg's own lib/dpkg/parse.c for what counts: a package is there
 * when the third word of Status is neither "not-installed" nor "config-files", whatever the first
 * word wishes for. Distroless images keep one stanza a file in status.d, without Status; opkg
 * writes the same format.
 *
 * What packages say of their files: info/ *.list (paths), *.md5sums, and the field Conffiles. */
#include "packages/cataloguer.h"
#include "packages/lines.h"
#include "packages/package_files.h"

enum {
    LINE_MAX_BYTES = 64 << 10, /* of a field that is read; others may be of any length */
    PROBLEMS_MAX = 100,        /* of one file */
    CONFFILES_MAX = 1 << 20,   /* of one package */
};
static const uint64_t file_max = 512u << 20;

/* ---- paths -------------------------------------------------------------------------------------
 */

static const str databases[] = {
    STR_INIT("var/lib/dpkg/status"), STR_INIT("usr/lib/dpkg/status"),
    STR_INIT("lib/dpkg/status"),     STR_INIT("usr/lib/opkg/status"),
    STR_INIT("var/lib/opkg/status"), STR_INIT("opt/lib/opkg/status"),
};
static const str single_dirs[] = {
    STR_INIT("var/lib/dpkg/status.d"),
    STR_INIT("usr/lib/dpkg/status.d"),
    STR_INIT("lib/dpkg/status.d"),
};
static const str info_dirs[] = {
    STR_INIT("var/lib/dpkg/info"), STR_INIT("usr/lib/dpkg/info"), STR_INIT("lib/dpkg/info"),
    STR_INIT("usr/lib/opkg/info"), STR_INIT("var/lib/opkg/info"), STR_INIT("opt/lib/opkg/info"),
};

enum kind { NOT_OURS, DATABASE, SINGLE, FILE_LIST, MD5SUMS, INFO_MD5SUMS, JOURNAL, NESTED };

static bool one_of(str s, const str *set, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(s, set[i]))
            return true;
    return false;
}

static enum kind dpkg_kind(str path)
{
    if (str_ends(path, STR("pkg/status"))) {
        if (one_of(path, databases, KE_ARRAY_LEN(databases)))
            return DATABASE;
        return str_ends(path, STR("/lib/dpkg/status")) ? NESTED : NOT_OURS;
    }
    str below = path; /* asked for every file of an image: the cheap tests come first */
    if (str_starts(path, STR("var/")) || str_starts(path, STR("usr/")) ||
        str_starts(path, STR("opt/")))
        below = str_from(path, 4);
    if (!str_starts(below, STR("lib/dpkg/")) && !str_starts(below, STR("lib/opkg/")))
        return NOT_OURS;
    str dir = str_dirname(path);
    uint64_t number;
    if (str_eq(dir, STR("var/lib/dpkg/updates")))
        return str_to_u64(str_basename(path), &number) ? JOURNAL : NOT_OURS;
    if (one_of(dir, single_dirs, KE_ARRAY_LEN(single_dirs)))
        return str_ends(path, STR(".md5sums")) ? MD5SUMS : SINGLE;
    bool list = str_ends(path, STR(".list"));
    if ((list || str_ends(path, STR(".md5sums"))) &&
        one_of(dir, info_dirs, KE_ARRAY_LEN(info_dirs)))
        return list ? FILE_LIST : INFO_MD5SUMS;
    return NOT_OURS;
}

static bool dpkg_wants(str path, uint64_t size, uint32_t mode)
{
    return dpkg_kind(path) != NOT_OURS;
}

static bool dpkg_only_lists(str path)
{
    return dpkg_kind(path) == INFO_MD5SUMS;
}

/* ---- stanzas -----------------------------------------------------------------------------------
 */

enum field { PACKAGE, STATUS, VERSION, ARCHITECTURE, SOURCE, MAINTAINER, SIZE, N_FIELDS };
static const str field_names[N_FIELDS] = {
    [PACKAGE] = STR_INIT("Package"),     [STATUS] = STR_INIT("Status"),
    [VERSION] = STR_INIT("Version"),     [ARCHITECTURE] = STR_INIT("Architecture"),
    [SOURCE] = STR_INIT("Source"),       [MAINTAINER] = STR_INIT("Maintainer"),
    [SIZE] = STR_INIT("Installed-Size"),
};

struct dpkg_parse {
    struct cat *c;
    enum kind kind;
    struct lines lines;
    struct buf values[N_FIELDS];
    struct buf conffiles; /* "path digest" a line */
    bool in_conffiles;    /* the line before is of that field */
    bool seen[N_FIELDS];
    bool begun;      /* some line of the stanza was read */
    bool complained; /* the stanza has its problem entry */
    uint64_t line;   /* where the stanza begins */
    uint32_t problems;
};

static void complain(struct dpkg_parse *d, const char *what)
{
    if (d->complained)
        return;
    d->complained = true;
    if (++d->problems > PROBLEMS_MAX)
        return;
    if (d->problems == PROBLEMS_MAX)
        what = "and more broken stanzas after it";
    str name = buf_view(&d->values[PACKAGE]);
    cat_problem(d->c, (str){0}, "parse", "stanza at line %llu (%.*s): %s",
                (unsigned long long)d->line, (int)(name.n > 100 ? 100 : name.n),
                name.n ? name.p : "", what);
}

/* The last word of Status; opkg has "install user installed". */
static bool installed(struct dpkg_parse *d)
{
    if (!d->seen[STATUS]) {
        if (d->kind == DATABASE)
            complain(d, "no Status");
        return d->kind == SINGLE;
    }
    static const str there[] = {
        STR_INIT("installed"),       STR_INIT("unpacked"),         STR_INIT("half-installed"),
        STR_INIT("half-configured"), STR_INIT("triggers-awaited"), STR_INIT("triggers-pending"),
    };
    static const str gone[] = {STR_INIT("not-installed"), STR_INIT("config-files")};
    str status = str_trim(buf_view(&d->values[STATUS]));
    ptrdiff_t blank = str_rindex(status, ' ');
    str state = blank < 0 ? status : str_from(status, (size_t)blank + 1);
    if (one_of(state, there, KE_ARRAY_LEN(there)))
        return true;
    if (!one_of(state, gone, KE_ARRAY_LEN(gone))) {
        complain(d, "unknown Status; listed as installed");
        return true;
    }
    return false;
}

/* "name" or "name (version)". */
static void split_source(str source, struct package *p)
{
    ptrdiff_t open = str_index(source, '(');
    if (open < 0) {
        p->source_name = source;
        return;
    }
    p->source_name = str_trim(str_sub(source, 0, (size_t)open));
    str version = str_from(source, (size_t)open + 1);
    ptrdiff_t close = str_index(version, ')');
    if (close >= 0)
        version = str_sub(version, 0, (size_t)close);
    p->source_version = str_trim(version);
}

/* " /etc/x 0123...", possibly with " obsolete" after it. */
static void conffile(struct dpkg_parse *d, str line)
{
    line = str_trim(line);
    ptrdiff_t blank = str_index(line, ' ');
    if (blank < 0 || d->lines.cut)
        return;
    struct owned_file f = {.flags = OWNED_CONFIG};
    str rest = str_trim(str_from(line, (size_t)blank)), digest = str_split(&rest, ' ');
    if (str_index(rest, 'o') >= 0 || str_index(rest, 'r') >= 0)
        return; /* "obsolete", "remove-on-upgrade": no longer the package's */
    owned_digest_hex(&f, OWNED_MD5, digest);
    cat_files_add(d->c, str_sub(line, 0, (size_t)blank), &f);
}

static void stanza_conffiles(struct dpkg_parse *d, const struct package *p)
{
    str rest = buf_view(&d->conffiles), line;
    if (rest.n == 0 || !buf_ok(&d->conffiles))
        return;
    cat_files_begin(d->c, (str){0}, p->type->name, p->name, p->version, p->arch);
    while (str_line(&rest, &line))
        conffile(d, line);
    cat_files_end(d->c);
}

static int stanza_end(struct dpkg_parse *d, struct err *e)
{
    int r = 0;
    if (d->begun && installed(d)) {
        struct package p = {
            .type = package_type_find(STR("deb")),
            .name = str_trim(buf_view(&d->values[PACKAGE])),
            .version = str_trim(buf_view(&d->values[VERSION])),
            .arch = str_trim(buf_view(&d->values[ARCHITECTURE])),
            .vendor = str_trim(buf_view(&d->values[MAINTAINER])),
            .size = str_trim(buf_view(&d->values[SIZE])),
        };
        split_source(str_trim(buf_view(&d->values[SOURCE])), &p);
        if (p.name.n == 0 || p.version.n == 0)
            complain(d, p.name.n ? "no Version" : "no Package");
        else
            r = cat_package(d->c, &p, e);
        if (r == 0)
            stanza_conffiles(d, &p);
    }
    buf_clear(&d->conffiles);
    d->conffiles.failed = d->in_conffiles = false;
    for (size_t i = 0; i < N_FIELDS; i++) {
        buf_clear(&d->values[i]);
        d->seen[i] = false;
    }
    d->begun = d->complained = false;
    return r;
}

static int field_of(str key)
{
    for (int i = 0; i < N_FIELDS; i++)
        if (str_eq_nocase(key, field_names[i]))
            return i;
    return -1;
}

static int stanza_line(struct dpkg_parse *d, str line, struct err *e)
{
    int r = 0;
    if (!d->begun && str_trim(line).n == 0)
        return 0;
    if (!d->begun)
        d->line = d->lines.number;
    d->begun = true;
    if (line.p[0] == ' ' || line.p[0] == '\t' || line.p[0] == '#') {
        if (d->in_conffiles && line.p[0] != '#') { /* the others are not folded */
            buf_add_str(&d->conffiles, line);
            buf_add_char(&d->conffiles, '\n');
        }
        return 0;
    }
    ptrdiff_t colon = str_index(line, ':');
    if (colon <= 0) {
        complain(d, "a line without a field name");
        return 0;
    }
    str key = str_trim(str_sub(line, 0, (size_t)colon));
    d->in_conffiles = cat_files_wanted(d->c) && str_eq_nocase(key, STR("Conffiles"));
    int field = field_of(key);
    if (field < 0)
        return 0;
    if (d->lines.cut)
        complain(d, "a field is too long");
    if (d->seen[field] && field == PACKAGE) {
        complain(d, "not ended by an empty line");
        r = stanza_end(d, e);
        d->line = d->lines.number;
        d->begun = true;
    } else if (d->seen[field]) {
        complain(d, "a field is there twice");
        return 0;
    }
    d->seen[field] = true;
    buf_add_str(&d->values[field], str_from(line, (size_t)colon + 1));
    if (!buf_ok(&d->values[field]))
        return err_no_memory(e);
    if (d->lines.unterminated)
        complain(d, "the file ends inside it");
    return r;
}

static int dpkg_stanzas(struct dpkg_parse *d, struct err *e)
{
    str line;
    int r = 0, more;
    while (r == 0 && (more = lines_next(&d->lines, &line, e)) != 0) {
        if (more < 0)
            return more;
        r = line.n == 0 ? stanza_end(d, e) : stanza_line(d, line, e);
    }
    if (r == 0 && d->lines.limited)
        cat_problem(d->c, (str){0}, "limit", "only the first %llu bytes were read",
                    (unsigned long long)file_max);
    else if (r == 0 && d->begun && d->kind == DATABASE)
        complain(d, "the file ends inside it");
    return r == 0 ? stanza_end(d, e) : r;
}

/* ---- file lists --------------------------------------------------------------------------------
 */

/* info/NAME[:ARCH].list: a path a line; NAME.md5sums: a digest, blanks and a path. */
static int dpkg_file_list(struct dpkg_parse *d, str path, struct err *e)
{
    str name = str_basename(path), arch = {0};
    name = str_sub(name, 0, (size_t)str_rindex(name, '.'));
    ptrdiff_t colon = str_index(name, ':');
    if (colon >= 0) {
        arch = str_from(name, (size_t)colon + 1);
        name = str_sub(name, 0, (size_t)colon);
    }
    str line;
    int r;
    cat_files_begin(d->c, (str){0}, "deb", name, (str){0}, arch);
    while ((r = lines_next(&d->lines, &line, e)) > 0) {
        struct owned_file f = {.flags = OWNED_THERE};
        if (d->lines.cut)
            continue;
        if (d->kind != FILE_LIST) {
            ptrdiff_t blank = str_index(line, ' ');
            if (blank > 0)
                owned_digest_hex(&f, OWNED_MD5, str_sub(line, 0, (size_t)blank));
            line = blank < 0 ? (str){0} : str_trim(str_from(line, (size_t)blank));
        }
        cat_files_add(d->c, line, &f);
        if (d->kind == INFO_MD5SUMS)
            continue; /* the list says whose they are */
        int owned = cat_owned(d->c, line, name, e);
        if (owned < 0)
            return owned;
    }
    cat_files_end(d->c);
    return r;
}

static int dpkg_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    struct dpkg_parse d = {.c = c, .kind = dpkg_kind(f->path)};
    if (d.kind == NESTED) {
        cat_unsupported(c, "dpkg-below-root");
        return 0;
    }
    if (d.kind == JOURNAL) { /* dpkg merges it into status when it runs next */
        if (f->size)
            cat_problem(c, (str){0}, "unsupported",
                        "dpkg was interrupted; what this file changes is not listed");
        return 0;
    }
    lines_init(&d.lines, f->content, LINE_MAX_BYTES, file_max);
    for (size_t i = 0; i < N_FIELDS; i++)
        buf_init(&d.values[i], LINE_MAX_BYTES);
    buf_init(&d.conffiles, CONFFILES_MAX);
    int r = d.kind == FILE_LIST || d.kind == MD5SUMS || d.kind == INFO_MD5SUMS
                ? dpkg_file_list(&d, f->path, e)
                : dpkg_stanzas(&d, e);
    buf_done(&d.conffiles);
    for (size_t i = 0; i < N_FIELDS; i++)
        buf_done(&d.values[i]);
    lines_done(&d.lines);
    return r;
}

const struct cataloguer cataloguer_dpkg = {
    .name = "dpkg",
    .distro = true,
    .wants = dpkg_wants,
    .only_lists = dpkg_only_lists,
    .parse = dpkg_parse,
};
