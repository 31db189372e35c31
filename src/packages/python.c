/* python.c - metadata that pip, setuptools and distro packages leave beside installed modules.
 *
 * Format: the Python packaging "Core metadata specifications": e-mail headers (RFC 5322 folding),
 * the description as body. Only the headers are read. */
#include "packages/cataloguer.h"

#include "codec/zip.h"

enum {
    HEADERS_MAX = 1 << 20, /* bytes of headers; descriptions may stand among them */
    LINE_MAX_BYTES = 64 << 10,
    LICENCE_TEXT_MAX = 300,
};
static const uint64_t EGG_MAX = 512ull << 20;

static bool ends_nocase(str s, const char *end)
{
    size_t n = strlen(end);
    return s.n >= n && str_eq_nocase(str_from(s, s.n - n), (str){end, n});
}

static bool python_wants(str path, uint64_t size, uint32_t mode)
{
    static const char *const ends[] = {"dist-info/METADATA", "egg-info/PKG-INFO", ".egg-info",
                                       ".egg"};
    char last = path.n ? ke_tolower(path.p[path.n - 1]) : 0;
    if (last != 'a' && last != 'o' && last != 'g')
        return false;
    for (size_t i = 0; i < KE_ARRAY_LEN(ends); i++)
        if (ends_nocase(path, ends[i]))
            return true;
    return false;
}

/* ---- headers ------------------------------------------------------------------------------------
 */

struct metadata {
    str name, version, licence, expression, classifier, author, mail;
};

static void first_of(str *field, str value)
{
    if (field->n == 0 && !str_eq(value, STR("UNKNOWN")))
        *field = value;
}

static void header_note(struct metadata *m, str line)
{
    ptrdiff_t colon = str_index(line, ':');
    if (colon <= 0)
        return;
    str key = str_sub(line, 0, (size_t)colon), value = str_trim(str_from(line, (size_t)colon + 1));
    if (str_eq_nocase(key, STR("Name")))
        first_of(&m->name, value);
    else if (str_eq_nocase(key, STR("Version")))
        first_of(&m->version, value);
    else if (str_eq_nocase(key, STR("License")))
        first_of(&m->licence, value);
    else if (str_eq_nocase(key, STR("License-Expression")))
        first_of(&m->expression, value);
    else if (str_eq_nocase(key, STR("Author")))
        first_of(&m->author, value);
    else if (str_eq_nocase(key, STR("Author-email")))
        first_of(&m->mail, value);
    else if (str_eq_nocase(key, STR("Classifier")) && str_starts(value, STR("License ::"))) {
        ptrdiff_t last = str_rindex(value, ':');
        first_of(&m->classifier, str_trim(str_from(value, (size_t)last + 1)));
    }
}

/* Headers are at their end at the first empty line; a line that starts with a blank goes on with
 * the one before, which for the fields of interest is only the text of a licence. */
static void headers_parse(str text, struct metadata *m)
{
    str line;
    text = str_starts(text, STR("\xEF\xBB\xBF")) ? str_from(text, 3) : text;
    while (str_line(&text, &line) && line.n)
        if (!ke_isspace(line.p[0]))
            header_note(m, line);
}

/* The bytes of `in` up to the first empty line (or a little more) into scratch memory. */
static int headers_read(struct cat *c, struct stream *in, str *out, struct err *e)
{
    auto_buf b;
    buf_init(&b, HEADERS_MAX);
    size_t from = 0;
    for (;;) {
        const uint8_t *p;
        int64_t have = stream_view(in, &p, e);
        if (have < 0)
            return (int)have;
        size_t room = b.max - b.n,
               take = (size_t)have < LINE_MAX_BYTES ? (size_t)have : LINE_MAX_BYTES;
        take = take < room ? take : room;
        if (take == 0)
            break;
        buf_add(&b, p, take);
        stream_consume(in, take);
        str fresh = str_from(buf_view(&b), from);
        if (!buf_ok(&b) || str_contains(fresh, STR("\n\n")) || str_contains(fresh, STR("\n\r\n")))
            break;
        from = b.n < 2 ? 0 : b.n - 2;
    }
    if (!buf_ok(&b))
        return err_no_memory(e);
    *out = arena_dup(cat_scratch(c), buf_view(&b));
    return out->p ? 0 : err_no_memory(e);
}

static int metadata_catalogue(struct cat *c, struct stream *in, str path, struct err *e)
{
    str text;
    int r = headers_read(c, in, &text, e);
    if (r < 0)
        return r;
    struct metadata m = {0};
    headers_parse(text, &m);
    if (m.name.n == 0 || m.version.n == 0) {
        cat_problem(c, path, "parse", "Python metadata without %s", m.name.n ? "Version" : "Name");
        return 0;
    }
    if (m.author.n && m.mail.n)
        m.author = arena_printf(cat_scratch(c), "%.*s <%.*s>", STR_ARG(m.author), STR_ARG(m.mail));
    struct package p = {
        .type = package_type_find(STR("python")),
        .name = m.name,
        .version = m.version,
        .licence = m.expression.n   ? m.expression
                   : m.classifier.n ? m.classifier
                                    : m.licence,
        .vendor = m.author.n ? m.author : m.mail,
        .path = path,
    };
    p.licence = str_sub(p.licence, 0, LICENCE_TEXT_MAX);
    p.vendor = str_sub(p.vendor, 0, LICENCE_TEXT_MAX);
    return cat_package(c, &p, e);
}

/* ---- egg archives -------------------------------------------------------------------------------
 */

static int egg_member(struct cat *c, const struct cat_file *f, struct zip *z,
                      const struct zip_entry *entry, struct err *e)
{
    auto_stream *in = NULL;
    int r = zip_content(z, entry, &in, e);
    if (r < 0)
        return err_wrap(e, "%.*s", STR_ARG(entry->name));
    str path = arena_printf(cat_scratch(c), "%.*s:%.*s", STR_ARG(f->path), STR_ARG(entry->name));
    return path.p ? metadata_catalogue(c, in, path, e) : err_no_memory(e);
}

static int egg_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    struct spool *s = NULL;
    struct zip *z = NULL;
    struct zip_entry entry;
    int r = cat_spool(c, f, EGG_MAX, &s, e);
    if (r != 0)
        return r < 0 ? r : 0;
    r = zip_open(s, NULL, &z, e);
    while (r >= 0 && (r = zip_next(z, &entry, e)) > 0)
        if (str_eq_nocase(entry.name, STR("EGG-INFO/PKG-INFO"))) {
            r = egg_member(c, f, z, &entry, e);
            break;
        }
    zip_close(z);
    spool_free(s);
    return r;
}

static int python_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    if (ends_nocase(f->path, ".egg"))
        return egg_parse(c, f, e);
    return metadata_catalogue(c, f->content, (str){0}, e);
}

const struct cataloguer cataloguer_python = {
    .name = "python", .wants = python_wants, .parse = python_parse};
