/* Packages of rpm's databases, whatever their back end, and of the lists that distroless images
 * keep instead.
 *
 * Each database file is evidence of its own: an image that moved from one back end to another may
 * hold two. SQLite's database and its write-ahead log are two files that may come in any order, so
 * they are read when the layer ends; so is the short list, which only counts where the full one is
 * missing. */
#include "packages/rpm.h"

#include "base/auto.h"
#include "base/buf.h"
#include "codec/bdb.h"
#include "codec/ndb.h"
#include "packages/package_files.h"
#include "packages/rpm_sqlite.h"

#include <sys/stat.h>

static const uint64_t database_max = 512 << 20; /* real ones stay below 300 MB */
enum {
    MANIFEST_MAX = 16 << 20,
    VERSION_MAX = 64 << 10,
    LOST_LISTED = 16, /* damages of one database that are told one by one */
};

enum kind {
    KIND_NONE,
    KIND_BDB,
    KIND_NDB,
    KIND_SQLITE,
    KIND_WAL,
    KIND_JOURNAL,
    KIND_FULL_LIST,
    KIND_SHORT_LIST,
};

struct named {
    const char *name;
    enum kind kind;
};
static const struct named database_names[] = {
    {"Packages", KIND_BDB},
    {"Packages.db", KIND_NDB},
    {"rpmdb.sqlite", KIND_SQLITE},
    {"rpmdb.sqlite-wal", KIND_WAL},
    {"rpmdb.sqlite-journal", KIND_JOURNAL},
};
static const struct named list_names[] = {
    {"container-manifest-2", KIND_FULL_LIST},
    {"container-manifest-1", KIND_SHORT_LIST},
};

static const struct directory {
    const char *path;
    const struct named *names;
    size_t n;
} directories[] = {
    {"var/lib/rpm/", database_names, KE_ARRAY_LEN(database_names)},
    {"usr/lib/sysimage/rpm/", database_names, KE_ARRAY_LEN(database_names)},
    {"usr/share/rpm/", database_names, KE_ARRAY_LEN(database_names)},
    {"var/lib/rpmmanifest/", list_names, KE_ARRAY_LEN(list_names)},
};
enum { N_DIRECTORIES = KE_ARRAY_LEN(directories) };

/* What is kept until the end of the layer, for each directory. */
struct rpm_state {
    struct spool *db[N_DIRECTORIES], *wal[N_DIRECTORIES];
    struct spool *short_list;
    bool full_list;
};

static enum kind kind_of(str path, size_t *directory)
{
    if (path.n == 0 || (path.p[0] != 'v' && path.p[0] != 'u'))
        return KIND_NONE;
    for (size_t d = 0; d < N_DIRECTORIES; d++) {
        str prefix = str_z(directories[d].path);
        if (!str_starts(path, prefix))
            continue;
        *directory = d;
        for (size_t i = 0; i < directories[d].n; i++)
            if (str_eq(str_from(path, prefix.n), str_z(directories[d].names[i].name)))
                return directories[d].names[i].kind;
    }
    return KIND_NONE;
}

static bool rpm_wants(str path, uint64_t size, uint32_t mode)
{
    size_t directory;
    return kind_of(path, &directory) != KIND_NONE;
}

/* ---- packages -----------------------------------------------------------------------------------
 */

static int rpm_version(const struct rpm_header *h, struct buf *out, struct err *e)
{
    if (h->has_epoch)
        buf_addf(out, "%u:", h->epoch);
    buf_add_str(out, h->version);
    if (h->release.n) {
        buf_add_char(out, '-');
        buf_add_str(out, h->release);
    }
    return buf_check(out, "a package's version", e) < 0 ? ERR_LIMIT : 0;
}

int rpm_package(struct cat *c, str path, const struct rpm_header *h, struct err *e)
{
    if (str_eq(h->name, STR("gpg-pubkey")))
        return 0;
    auto_buf version;
    buf_init(&version, VERSION_MAX);
    if (rpm_version(h, &version, e) < 0)
        return ERR_LIMIT;
    struct package p = {
        .type = package_type_find(STR("rpm")),
        .name = h->name,
        .version = buf_view(&version),
        .arch = h->arch,
        .module = h->module,
        .licence = h->licence,
        .vendor = h->vendor,
        .path = path,
    };
    if (!rpm_source_split(h->source_rpm, &p.source_name, &p.source_version))
        p.source_name = p.source_version = (str){"", 0};
    return cat_package(c, &p, e);
}

struct collect {
    struct cat *c;
    str path;  /* of the database */
    str owner; /* package whose files are walked */
    struct rpm_file_cursor files;
    uint32_t n_lost;
};

static void collect_lost(void *ctx, const struct err *why)
{
    struct collect *k = ctx;
    if (++k->n_lost <= LOST_LISTED)
        cat_problem(k->c, k->path, why->code == ERR_LIMIT ? "limit" : "parse", "%s", why->text);
}

/* As rpm -V: not what was never installed, or was replaced by another package's file. */
static void collect_owned(struct collect *k, uint32_t index, str path)
{
    struct rpm_file file;
    if (!cat_files_wanted(k->c) || !rpm_file_at(&k->files, index, &file) || file.state != 0 ||
        file.flags & (RPM_FILE_GHOST | RPM_FILE_MISSING_OK))
        return;
    bool directory = (file.mode & S_IFMT) == S_IFDIR;
    struct owned_file f = {
        .flags = (file.mode ? OWNED_MODE : 0u) | (directory ? OWNED_DIRECTORY : 0u) |
                 (file.flags & RPM_FILE_CONFIG ? OWNED_CONFIG : 0u),
        .mode = file.mode & 07777,
        .size = (file.mode & S_IFMT) == S_IFREG ? file.size : 0,
    };
    owned_digest_hex(&f,
                     file.algorithm == 1   ? OWNED_MD5
                     : file.algorithm == 2 ? OWNED_SHA1
                     : file.algorithm == 8 ? OWNED_SHA256
                                           : OWNED_NO_DIGEST,
                     file.digest);
    cat_files_add(k->c, path, &f);
}

static int collect_file(void *ctx, uint32_t index, str path, struct err *e)
{
    struct collect *k = ctx;
    collect_owned(k, index, path);
    return cat_owned(k->c, path, k->owner, e);
}

static void collect_begin(struct collect *k, const struct rpm_header *h)
{
    auto_buf version;
    buf_init(&version, VERSION_MAX);
    if (cat_files_wanted(k->c) && rpm_version(h, &version, NULL) == 0)
        cat_files_begin(k->c, k->path, "rpm", h->name, buf_view(&version), h->arch);
}

/* A header that is damaged costs its package, a list of files that is damaged only the rest of the
 * list. */
static int collect_blob(void *ctx, uint32_t number, str blob, struct err *e)
{
    struct collect *k = ctx;
    struct rpm_header h;
    struct err why = {0};
    if (rpm_header_read(blob, &h, &why) < 0) {
        err_wrap(&why, "record %u", number);
        collect_lost(k, &why);
        return 0;
    }
    int r = rpm_package(k->c, k->path, &h, e);
    if (r < 0)
        return r;
    k->owner = h.name;
    k->files = (struct rpm_file_cursor){.header = &h};
    collect_begin(k, &h);
    r = rpm_header_files(&h, collect_file, k, &why);
    cat_files_end(k->c);
    if (r == ERR_NO_MEMORY)
        return err_set(e, r, "%s", why.text);
    if (r < 0) {
        err_wrap(&why, "files of %.*s", STR_ARG(h.name));
        collect_lost(k, &why);
    }
    return 0;
}

/* After a reader: what it returned, if it is about this file only, becomes a problem too. */
static int collect_end(struct collect *k, int r, const struct err *why, struct err *e)
{
    if (k->n_lost > LOST_LISTED)
        cat_problem(k->c, k->path, "parse", "%u more records or pages are damaged",
                    k->n_lost - LOST_LISTED);
    if (r == ERR_FORMAT || r == ERR_UNSUPPORTED) {
        cat_problem(k->c, k->path, r == ERR_FORMAT ? "parse" : "unsupported", "%s", why->text);
        return 0;
    }
    return r < 0 ? err_set(e, r, "%s", why->text) : 0;
}

/* ---- files --------------------------------------------------------------------------------------
 */

static void free_spool(struct spool **s)
{
    spool_free(*s);
}

static int parse_now(struct cat *c, const struct cat_file *f, enum kind kind, struct err *e)
{
    KE_CLEANUP(free_spool) struct spool *s = NULL;
    int r = cat_spool(c, f, database_max, &s, e);
    if (r != 0)
        return r < 0 ? r : 0;
    struct collect k = {.c = c, .path = f->path};
    struct rpmdb_sink sink = {collect_blob, collect_lost, &k};
    struct err why = {0};
    r = kind == KIND_NDB ? ndb_read(s, &sink, &why) : bdb_read(s, &sink, &why);
    return collect_end(&k, r, &why, e);
}

static struct rpm_state *state_of(struct cat *c, struct err *e)
{
    void **slot = cat_state(c);
    if (!*slot)
        *slot = calloc(1, sizeof(struct rpm_state));
    if (!*slot)
        err_no_memory(e);
    return *slot;
}

static int keep(struct cat *c, const struct cat_file *f, uint64_t max, struct spool **slot,
                struct err *e)
{
    spool_free(*slot);
    *slot = NULL;
    int r = cat_spool(c, f, max, slot, e);
    return r < 0 ? r : 0;
}

static int parse_full_list(struct cat *c, const struct cat_file *f, struct err *e)
{
    str text;
    int r = cat_read_all(c, f, MANIFEST_MAX, &text, e);
    if (r != 0)
        return r < 0 ? r : 0;
    return rpm_manifest_full(c, f->path, text, e);
}

/* A journal is hot when it begins with this magic (sqlite.org/fileformat2.html, "The Rollback
 * Journal"); one that is kept between transactions begins with zeros. */
static int parse_journal(struct cat *c, const struct cat_file *f, struct err *e)
{
    static const uint8_t magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    uint8_t start[sizeof magic];
    int64_t n = stream_read(f->content, start, sizeof start, e);
    if (n == sizeof start && memcmp(start, magic, sizeof magic) == 0)
        cat_problem(c, f->path, "unsupported",
                    "the database beside this journal was being changed: packages may be wrong");
    return n < 0 ? (int)n : 0;
}

static int rpm_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    size_t d = 0;
    enum kind kind = kind_of(f->path, &d);
    struct rpm_state *state = state_of(c, e);
    if (!state)
        return ERR_NO_MEMORY;
    switch (kind) {
    case KIND_BDB:
    case KIND_NDB:
        return parse_now(c, f, kind, e);
    case KIND_SQLITE:
        return keep(c, f, database_max, &state->db[d], e);
    case KIND_WAL:
        return keep(c, f, database_max, &state->wal[d], e);
    case KIND_JOURNAL:
        return parse_journal(c, f, e);
    case KIND_FULL_LIST:
        state->full_list = true;
        return parse_full_list(c, f, e);
    case KIND_SHORT_LIST:
        return keep(c, f, MANIFEST_MAX, &state->short_list, e);
    case KIND_NONE:
        break;
    }
    return 0;
}

/* ---- the end of the layer -----------------------------------------------------------------------
 */

static str directory_file(struct cat *c, size_t d, const char *name)
{
    return arena_printf(cat_scratch(c), "%s%s", directories[d].path, name);
}

static int finish_sqlite(struct cat *c, const struct rpm_state *state, size_t d, struct err *e)
{
    if (!state->db[d]) {
        if (state->wal[d] && spool_size(state->wal[d]))
            cat_problem(c, directory_file(c, d, "rpmdb.sqlite-wal"), "unsupported",
                        "a write-ahead log without its database in the same layer");
        return 0;
    }
    struct collect k = {.c = c, .path = directory_file(c, d, "rpmdb.sqlite")};
    struct rpmdb_sink sink = {collect_blob, collect_lost, &k};
    struct err why = {0};
    int r = rpm_sqlite_read(state->db[d], state->wal[d], &sink, &why);
    return collect_end(&k, r, &why, e);
}

static int finish_short_list(struct cat *c, const struct rpm_state *state, struct err *e)
{
    if (state->full_list || !state->short_list)
        return 0;
    size_t n = (size_t)spool_size(state->short_list);
    char *text = arena_alloc(cat_scratch(c), n + 1);
    if (!text)
        return err_no_memory(e);
    int r = spool_read(state->short_list, text, n, 0, e);
    if (r < 0)
        return r;
    return rpm_manifest_short(c, STR("var/lib/rpmmanifest/container-manifest-1"), (str){text, n},
                              e);
}

static int rpm_finish(struct cat *c, struct err *e)
{
    const struct rpm_state *state = *cat_state(c);
    if (!state)
        return 0;
    for (size_t d = 0; d < N_DIRECTORIES; d++) {
        int r = finish_sqlite(c, state, d, e);
        if (r < 0)
            return r;
    }
    return finish_short_list(c, state, e);
}

static void rpm_drop(struct cat *c)
{
    struct rpm_state *state = *cat_state(c);
    if (!state)
        return;
    for (size_t d = 0; d < N_DIRECTORIES; d++) {
        spool_free(state->db[d]);
        spool_free(state->wal[d]);
    }
    spool_free(state->short_list);
    free(state);
}

extern const struct cataloguer cataloguer_rpm; /* listed in all.c */
const struct cataloguer cataloguer_rpm = {
    .name = "rpm",
    .distro = true,
    .wants = rpm_wants,
    .parse = rpm_parse,
    .finish = rpm_finish,
    .drop = rpm_drop,
};
