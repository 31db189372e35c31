/* chisel.c - Ubuntu's chiselled images: manifest.wall, zstd over one JSON object a line
 * ("jsonwall").
 *
 * Source: the manifest reference in Chisel's documentation. The header's count is the number of
 * lines, itself included. Source packages are not in it. */
#include "codec/json.h"
#include "packages/cataloguer.h"
#include "packages/lines.h"

enum {
    LINE_MAX_BYTES = 1 << 20,
    LINES_MAX = 5000000,
};
static const struct inflate_limits inflate_max = {.max_out = 512u << 20, .max_ratio = 1000};

static bool chisel_wants(str path, uint64_t size, uint32_t mode)
{
    return str_ends(path, STR("manifest.wall")) && str_eq(str_basename(path), STR("manifest.wall"));
}

struct chisel_parse {
    struct cat *c;
    uint64_t lines, expected;
    bool complained;
};

static void complain(struct chisel_parse *p, const char *what)
{
    if (!p->complained)
        cat_problem(p->c, (str){0}, "parse", "line %llu: %s", (unsigned long long)p->lines, what);
    p->complained = true;
}

/* "openssl_config" is a slice of openssl. */
static str slice_package(str slice)
{
    ptrdiff_t i = str_index(slice, '_');
    return i < 0 ? slice : str_sub(slice, 0, (size_t)i);
}

static int chisel_line(struct chisel_parse *p, yyjson_val *line, struct err *e)
{
    str kind = json_str(line, "kind");
    if (json_get(line, "jsonwall")) {
        p->expected = yyjson_get_uint(json_get(line, "count"));
    } else if (str_eq(kind, STR("package"))) {
        struct package package = {
            .type = package_type_find(STR("deb")),
            .name = json_str(line, "name"),
            .version = json_str(line, "version"),
            .arch = json_str(line, "arch"),
        };
        if (package.name.n && package.version.n)
            return cat_package(p->c, &package, e);
        complain(p, "a package without name or version");
    } else if (str_eq(kind, STR("content"))) {
        return cat_owned(p->c, json_str(line, "path"), slice_package(json_str(line, "slice")), e);
    }
    return 0;
}

static int chisel_lines(struct chisel_parse *p, struct lines *lines, struct err *e)
{
    str text;
    int r = 0, more;
    while (r == 0 && (more = lines_next(lines, &text, e)) != 0) {
        if (more < 0)
            return more;
        if (text.n == 0)
            continue;
        if (++p->lines > LINES_MAX) {
            cat_problem(p->c, (str){0}, "limit", "only the first %d lines were read", LINES_MAX);
            return 0;
        }
        auto_json *doc = NULL;
        if (json_parse(text, "manifest.wall", &doc, NULL) < 0)
            complain(p, "not JSON");
        else
            r = chisel_line(p, yyjson_doc_get_root(doc), e);
    }
    if (r == 0 && p->lines != p->expected)
        complain(p, "the file does not hold as many lines as its header says");
    return r;
}

static int chisel_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    enum compression kind;
    int r = stream_sniff(f->content, &kind, e);
    if (r < 0)
        return r;
    if (kind != COMP_ZSTD) {
        cat_problem(c, (str){0}, "parse", "not compressed with zstd");
        return 0;
    }
    auto_stream *in = NULL;
    r = stream_inflate(f->content, kind, &inflate_max, &in, e);
    if (r < 0)
        return r;
    struct chisel_parse p = {.c = c};
    struct lines lines;
    lines_init(&lines, in, LINE_MAX_BYTES, UINT64_MAX);
    r = chisel_lines(&p, &lines, e);
    lines_done(&lines);
    return r;
}

const struct cataloguer cataloguer_chisel = {
    .name = "chisel",
    .distro = true,
    .wants = chisel_wants,
    .parse = chisel_parse,
};
