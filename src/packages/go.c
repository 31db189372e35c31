/* go.c - Go programs: modules and toolchain from the build information that the linker leaves.
 *
 * Images hold thousands of executables that are not Go's: one costs its first bytes and a look at
 * every 16th byte of its data segment as it streams by. Only what pointers may lead into is
 * spooled, and only for files that carry Go's note. */
#include "packages/go.h"
#include "packages/rust.h"

enum {
    HEAD = 4096, /* file header, program headers and Go's note are in here */
    SEGMENTS_MAX = 64,
    UPX_WITHIN = 512,
    TABLE_MAX = 64 << 10,
};
static const uint64_t WHOLE_MAX = 1ull << 30; /* for files that must be read back and forth */

/* Executable bits say little where everything is installed with them: what is text by its name is
 * not looked into. */
static bool text_by_name(str path)
{
    static const char *const ends[] = {
        ".sh",  ".py",  ".js",   ".mjs", ".cjs", ".ts",  ".pl",    ".pm",   ".rb",
        ".php", ".lua", ".json", ".xml", ".css", ".map", ".html",  ".htm",  ".md",
        ".txt", ".yml", ".yaml", ".svg", ".png", ".jpg", ".gif",   ".h",    ".c",
        ".cc",  ".hpp", ".java", ".pyc", ".pyi", ".jar", ".class", ".conf", ".ini",
    };
    str base = str_basename(path);
    ptrdiff_t dot = str_rindex(base, '.');
    if (dot <= 0)
        return false;
    str end = str_from(base, (size_t)dot);
    for (size_t i = 0; i < KE_ARRAY_LEN(ends); i++)
        if (str_eq(end, str_z(ends[i])))
            return true;
    return false;
}

static bool go_wants(str path, uint64_t size, uint32_t mode)
{
    if (mode & 0111)
        return !text_by_name(path);
    str base = str_basename(path);
    return str_ends(base, STR(".so")) || str_contains(base, STR(".so.")) ||
           str_ends(base, STR(".exe"));
}

struct walk {
    struct cat *c;
    const struct cat_file *file;
    str head;
    struct elf elf;
    struct elf_segment segments[SEGMENTS_MAX]; /* what is loaded, in the file's order */
    size_t n_segments;
    bool go_note;
    uint64_t at;       /* offset in the file of the content stream */
    uint8_t block[16]; /* the start of the header, when the stream is already behind it */
    size_t n_block;
    struct spool *spools[SEGMENTS_MAX];
    struct go_image image;
};

/* ---- the whole file -----------------------------------------------------------------------------
 */

/* The head that was read already, then the rest. */
struct rejoined {
    struct stream s;
    struct stream *rest;
};

static int rejoined_fill(struct stream *s, struct err *e)
{
    struct rejoined *j = (struct rejoined *)s;
    const uint8_t *p;
    int64_t have = stream_view(j->rest, &p, e);
    if (have < 0)
        return (int)have;
    stream_consume(j->rest, (size_t)have);
    s->p = p;
    s->end = p + have;
    s->eof = have == 0;
    return 0;
}

static void rejoined_close(struct stream *s)
{
}

static const struct stream_ops rejoined_ops = {
    .name = "rejoined", .fill = rejoined_fill, .close = rejoined_close};

static int info_from_image(struct walk *w, const struct go_image *g, struct go_info *info,
                           struct err *e);

/* The parts of an ELF file, by its program headers. */
static int elf_parts(struct walk *w, const struct spool *file, struct go_image *out, struct err *e)
{
    size_t n = elf_segments_bytes(&w->elf);
    if (n > TABLE_MAX)
        return err_set(e, ERR_FORMAT, "%u ELF program headers", w->elf.n_segments);
    char *table = arena_alloc(cat_scratch(w->c), n + 1);
    if (!table)
        return err_no_memory(e);
    int r = spool_read(file, table, n, w->elf.segments_at, e);
    for (size_t i = 0; r == 0 && i < w->elf.n_segments; i++) {
        struct elf_segment s;
        if (elf_segment(&w->elf, (str){table, n}, i, &s) && s.type == ELF_PT_LOAD)
            go_image_add(out, s.address, file, s.offset, s.file_size);
    }
    return r;
}

static int whole_file(struct walk *w, bool is_elf, struct go_info *info, struct err *e)
{
    struct rejoined all = {.s = {.ops = &rejoined_ops}, .rest = w->file->content};
    all.s.p = (const uint8_t *)w->head.p;
    all.s.end = all.s.p + w->head.n;
    struct cat_file f = *w->file;
    f.content = &all.s;
    struct go_image g = {0};
    int r = cat_spool(w->c, &f, WHOLE_MAX, &w->spools[0], e);
    if (r != 0)
        return r < 0 ? r : 0;
    if (is_elf)
        r = elf_parts(w, w->spools[0], &g, e);
    else if (go_image_foreign(w->spools[0], &g, NULL) < 0)
        return 0;
    return r < 0 ? r : info_from_image(w, &g, info, e);
}

static int info_from_image(struct walk *w, const struct go_image *g, struct go_info *info,
                           struct err *e)
{
    uint64_t address;
    uint8_t header[GO_HEADER];
    if (!go_image_search(g, &address, e))
        return 0;
    for (size_t i = 0; i < g->n; i++) {
        if (address < g->parts[i].address || address - g->parts[i].address >= g->parts[i].size)
            continue;
        uint64_t in_part = address - g->parts[i].address, left = g->parts[i].size - in_part;
        auto_stream *in = NULL;
        int r = spool_stream(g->parts[i].in, g->parts[i].offset + in_part, left, &in, e);
        if (r == 0)
            r = stream_read_exact(in, header, sizeof header, e);
        if (r < 0)
            return r;
        if (header[15] & 2)
            return go_info_in_place(w->c, in, info, e);
        return go_info_by_pointers(w->c, g, header, info, e);
    }
    return 0;
}

/* ---- ELF, as it streams by ----------------------------------------------------------------------
 */

/* Takes what is loaded from the program headers, sorted by offset. False when this cannot be
 * streamed: headers out of reach, too many, or segments that overlap. */
static bool segments_take(struct walk *w)
{
    str table =
        str_sub(w->head, w->elf.segments_at, w->elf.segments_at + elf_segments_bytes(&w->elf));
    if (w->elf.segments_at > w->head.n || table.n < elf_segments_bytes(&w->elf))
        return false;
    for (size_t i = 0; i < w->elf.n_segments; i++) {
        struct elf_segment s;
        if (!elf_segment(&w->elf, table, i, &s))
            return false;
        if (s.type != ELF_PT_LOAD || s.file_size == 0)
            continue;
        if (w->n_segments == SEGMENTS_MAX)
            return false;
        size_t to = w->n_segments++;
        for (; to > 0 && w->segments[to - 1].offset > s.offset; to--)
            w->segments[to] = w->segments[to - 1];
        w->segments[to] = s;
    }
    for (size_t i = 1; i < w->n_segments; i++)
        if (w->segments[i].offset - w->segments[i - 1].offset < w->segments[i - 1].file_size)
            return false;
    return true;
}

static int skip_to(struct walk *w, uint64_t offset, struct err *e)
{
    int64_t n = stream_skip(w->file->content, offset - w->at, e);
    if (n < 0)
        return (int)n;
    w->at += (uint64_t)n;
    return 0;
}

/* Keeps the next n bytes, which lie at that address. */
static int keep_part(struct walk *w, size_t slot, uint64_t address, uint64_t n, struct err *e)
{
    auto_stream *part = NULL;
    int r = stream_limit(w->file->content, n, &part, e);
    if (r == 0)
        r = spool_new(part, cat_spool_limits(w->c), &w->spools[slot], e);
    if (r < 0)
        return r;
    w->at += spool_size(w->spools[slot]);
    go_image_add(&w->image, address, w->spools[slot], 0, spool_size(w->spools[slot]));
    return 0;
}

/* Looks for the magic in the next n bytes, at offsets that are multiples of 16. 1: the stream
 * stands at it, or w->n_block bytes behind. */
static int scan(struct walk *w, uint64_t n, struct err *e)
{
    struct stream *in = w->file->content;
    while (n >= 16) {
        const uint8_t *p;
        int64_t have = stream_view(in, &p, e);
        if (have <= 0)
            return (int)have;
        size_t usable = (size_t)((uint64_t)have < n ? (uint64_t)have : n) & ~(size_t)15, i = 0;
        while (i < usable && !go_magic_is(p + i))
            i += 16;
        stream_consume(in, i);
        w->at += i;
        n -= i;
        if (i < usable)
            return 1;
        if (usable)
            continue;
        int64_t got = stream_read(in, w->block, 16, e); /* lies across two views */
        if (got < 16)
            return got < 0 ? (int)got : 0;
        w->at += 16;
        n -= 16;
        if (go_magic_is(w->block)) {
            w->n_block = 16;
            return 1;
        }
    }
    return 0;
}

static int found_in_stream(struct walk *w, const struct elf_segment *s, struct go_info *info,
                           struct err *e)
{
    uint8_t header[GO_HEADER];
    size_t rest = sizeof header - w->n_block;
    memcpy(header, w->block, w->n_block);
    int r = stream_read_exact(w->file->content, header + w->n_block, rest, e);
    if (r < 0)
        return r;
    w->at += rest;
    if (header[15] & 2)
        return go_info_in_place(w->c, w->file->content, info, e);
    uint64_t inside = w->at - s->offset;
    if (inside >= s->file_size)
        return 0;
    r = keep_part(w, SEGMENTS_MAX - 1, s->address + inside, s->file_size - inside, e);
    return r < 0 ? r : go_info_by_pointers(w->c, &w->image, header, info, e);
}

static int elf_stream(struct walk *w, struct go_info *info, struct err *e)
{
    for (size_t i = 0; i < w->n_segments; i++) {
        const struct elf_segment *s = &w->segments[i];
        uint64_t start = s->offset > w->at ? s->offset : w->at;
        uint64_t inside = start - s->offset;
        bool writable = s->flags & ELF_PF_WRITE;
        if (inside >= s->file_size || (!writable && (!w->go_note || s->flags & ELF_PF_EXEC)))
            continue;
        uint64_t aligned = (start + 15) & ~(uint64_t)15;
        if (writable && aligned - s->offset < s->file_size) {
            int r = skip_to(w, aligned, e);
            int found = r < 0 ? r : scan(w, s->file_size - (aligned - s->offset), e);
            if (found != 0)
                return found < 0 ? found : found_in_stream(w, s, info, e);
        } else if (!writable && i + 1 < SEGMENTS_MAX) {
            int r = skip_to(w, start, e);
            if (r == 0)
                r = keep_part(w, i, s->address + inside, s->file_size - inside, e);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* What is not loaded lies behind what is. */
static int elf_tail(struct walk *w, struct err *e)
{
    uint64_t end = w->at, segment_end;
    for (size_t i = 0; i < w->n_segments; i++) {
        const struct elf_segment *s = &w->segments[i];
        if (!ke_add_overflow(s->offset, s->file_size, &segment_end) && segment_end > end)
            end = segment_end;
    }
    if (w->elf.sections_at < end || end >= w->file->size)
        return 0;
    int r = skip_to(w, end, e);
    return r < 0 ? r : rust_tail(w->c, &w->elf, w->file->content, end, w->file->size - end, e);
}

static bool magic_in_head(const struct walk *w)
{
    for (size_t i = 0; i + 16 <= w->head.n; i += 16)
        if (go_magic_is((const uint8_t *)w->head.p + i))
            return true;
    return false;
}

static int elf_info(struct walk *w, struct go_info *info, struct err *e)
{
    if (elf_parse(w->head, &w->elf, NULL) < 0)
        return 0;
    if (str_contains(str_sub(w->head, 0, UPX_WITHIN), STR("UPX!"))) {
        cat_problem(w->c, (str){0}, "unsupported",
                    "packed with UPX: what it was built from cannot be seen");
        return 0;
    }
    /* a note of type 4, whose owner is "Go" */
    w->go_note =
        str_contains(w->head, w->elf.big_endian ? STR("\0\0\0\4Go\0\0") : STR("\4\0\0\0Go\0\0"));
    bool streams = segments_take(w);
    if (magic_in_head(w) || (w->go_note && !streams))
        return whole_file(w, true, info, e);
    if (!streams) {
        w->segments[0] = (struct elf_segment){.flags = ELF_PF_WRITE, .file_size = w->file->size};
        w->n_segments = 1;
    }
    int r = elf_stream(w, info, e);
    return r < 0 || info->version.n || w->go_note || !streams ? r : elf_tail(w, e);
}

static bool foreign_program(str head)
{
    static const char *const macho[] = {"\xcf\xfa\xed\xfe", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe",
                                        "\xfe\xed\xfa\xce"};
    for (size_t i = 0; i < KE_ARRAY_LEN(macho); i++)
        if (head.n >= 4 && memcmp(head.p, macho[i], 4) == 0)
            return true;
    return head.n >= 2 && memcmp(head.p, "MZ", 2) == 0;
}

static int go_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    char head[HEAD];
    struct go_info info = {0};
    struct walk w = {.c = c, .file = f};
    int64_t n = stream_read(f->content, head, 4, e);
    if (n < 4)
        return n < 0 ? (int)n : 0;
    bool is_elf = elf_is((str){head, 4});
    if (!is_elf && !foreign_program((str){head, 4}))
        return 0;
    n = stream_read(f->content, head + 4, sizeof head - 4, e);
    if (n < 0)
        return (int)n;
    w.head = (str){head, (size_t)n + 4};
    w.at = w.head.n;
    int r = is_elf ? elf_info(&w, &info, e) : whole_file(&w, false, &info, e);
    for (size_t i = 0; i < SEGMENTS_MAX; i++)
        spool_free(w.spools[i]);
    if (r < 0)
        return r;
    if (info.version.n)
        return go_info_catalogue(c, &info, e);
    if (w.go_note)
        cat_problem(c, (str){0}, "unsupported",
                    "a Go program without build information that can be read");
    return 0;
}

const struct cataloguer cataloguer_go = {.name = "go", .wants = go_wants, .parse = go_parse};
