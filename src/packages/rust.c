#include "packages/rust.h"

#include "base/auto.h"
#include "codec/json.h"

enum {
    NAMES_MAX = 64 << 10,
    SECTIONS_MAX = 256 << 10, /* bytes of section headers */
    DATA_MAX = 4 << 20,       /* compressed */
    JSON_MAX = 32 << 20,
    ZLIB_HEADER = 2,
};
static const uint64_t TAIL_MAX = 1ull << 30;

struct tail {
    struct cat *c;
    const struct elf *elf;
    struct spool *bytes;
    uint64_t at; /* of the file where the spool begins */
};

static int tail_read(struct tail *t, uint64_t offset, uint64_t n, size_t max, str *out,
                     struct err *e)
{
    if (n > max || offset < t->at)
        return err_set(e, ERR_FORMAT, "a section outside the file's end");
    char *p = arena_alloc(cat_scratch(t->c), (size_t)n + 1);
    if (!p)
        return err_no_memory(e);
    *out = (str){p, (size_t)n};
    return spool_read(t->bytes, p, (size_t)n, offset - t->at, e);
}

static bool named(str names, uint32_t at, str want)
{
    return at < names.n && names.n - at > want.n && memcmp(names.p + at, want.p, want.n) == 0 &&
           names.p[at + want.n] == '\0';
}

/* 1: found. */
static int tail_section(struct tail *t, struct elf_section *out)
{
    str table, names;
    struct elf_section s;
    if (tail_read(t, t->elf->sections_at, elf_sections_bytes(t->elf), SECTIONS_MAX, &table, NULL) <
            0 ||
        !elf_section(t->elf, table, t->elf->names, &s) ||
        tail_read(t, s.offset, s.size, NAMES_MAX, &names, NULL) < 0)
        return 0;
    for (size_t i = 0; i < t->elf->n_sections; i++)
        if (elf_section(t->elf, table, i, out) && named(names, out->name, STR(".dep-v0")))
            return 1;
    return 0;
}

static int rust_packages(struct cat *c, str json, struct err *e)
{
    auto_json *doc = NULL;
    struct err why = {0};
    size_t i, n;
    yyjson_val *v;
    if (json_parse(json, "cargo-auditable data", &doc, &why) < 0) {
        cat_problem(c, (str){0}, "parse", "%s", why.text);
        return 0;
    }
    yyjson_val *packages = json_get(yyjson_doc_get_root(doc), "packages");
    if (!yyjson_is_arr(packages))
        cat_problem(c, (str){0}, "parse", "cargo-auditable data without packages");
    yyjson_arr_foreach(packages, i, n, v)
    {
        struct package p = {.type = package_type_find(STR("rust-crate")),
                            .name = json_str(v, "name"),
                            .version = json_str(v, "version")};
        if (p.name.n == 0 || str_eq(json_str(v, "kind"), STR("build")))
            continue;
        int r = cat_package(c, &p, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int rust_data(struct tail *t, const struct elf_section *s, struct err *e)
{
    struct err why = {0};
    str data = {0};
    auto_stream *in = NULL, *plain = NULL;
    auto_buf json;
    const struct inflate_limits limits = {.max_out = JSON_MAX};
    buf_init(&json, JSON_MAX);
    int r = s->size > ZLIB_HEADER ? tail_read(t, s->offset, s->size, DATA_MAX, &data, &why)
                                  : err_set(&why, ERR_FORMAT, "cargo-auditable data are empty");
    if (r == 0)
        r = stream_from_mem(str_from(data, ZLIB_HEADER), &in, &why);
    if (r == 0)
        r = stream_inflate(in, COMP_DEFLATE, &limits, &plain, &why);
    if (r == 0)
        r = stream_read_all(plain, &json, "cargo-auditable data", &why);
    if (r == ERR_NO_MEMORY)
        return err_no_memory(e);
    if (r < 0) {
        cat_problem(t->c, (str){0}, "parse", "cargo-auditable data: %s", why.text);
        return 0;
    }
    return rust_packages(t->c, buf_view(&json), e);
}

int rust_tail(struct cat *c, const struct elf *elf, struct stream *in, uint64_t at, uint64_t size,
              struct err *e)
{
    struct tail t = {.c = c, .elf = elf, .at = at};
    struct elf_section s;
    if (elf->n_sections == 0 || elf_sections_bytes(elf) > SECTIONS_MAX)
        return 0;
    if (size > TAIL_MAX) {
        cat_problem(c, (str){0}, "limit", "more than 1 GiB that is not loaded");
        return 0;
    }
    int r = spool_new(in, cat_spool_limits(c), &t.bytes, e);
    if (r == 0 && tail_section(&t, &s) == 1)
        r = rust_data(&t, &s, e);
    spool_free(t.bytes);
    return r;
}
