/* go_image.c - a program's memory by address, and the build information in it. */
#include "packages/go.h"

#include "base/auto.h"
#include "base/cursor.h"

static const char go_magic[] = "\xff Go buildinf:";
enum {
    MAGIC = sizeof go_magic - 1,
    CHUNK = 64 << 10,
    SENTINEL = 16, /* bytes around the module list */
    PE_SECTIONS_MAX = 96,
    MACHO_COMMANDS_MAX = 256,
};

bool go_magic_is(const uint8_t *p)
{
    return memcmp(p, go_magic, MAGIC) == 0;
}

void go_image_add(struct go_image *g, uint64_t address, const struct spool *in, uint64_t offset,
                  uint64_t size)
{
    uint64_t whole = spool_size(in), end;
    if (g->n == GO_PARTS_MAX || offset >= whole || ke_add_overflow(address, size, &end))
        return;
    size = size < whole - offset ? size : whole - offset;
    if (size == 0)
        return;
    g->parts[g->n].address = address;
    g->parts[g->n].size = size;
    g->parts[g->n].offset = offset;
    g->parts[g->n++].in = in;
}

bool go_image_search(const struct go_image *g, uint64_t *address, struct err *e)
{
    autofree uint8_t *chunk = malloc(CHUNK);
    for (size_t i = 0; chunk && i < g->n; i++) {
        uint64_t skew = (16 - g->parts[i].address % 16) % 16;
        for (uint64_t at = skew; at < g->parts[i].size; at += CHUNK) {
            uint64_t left = g->parts[i].size - at;
            size_t n = left < CHUNK ? (size_t)left : CHUNK;
            if (spool_read(g->parts[i].in, chunk, n, g->parts[i].offset + at, e) < 0)
                break;
            for (size_t k = 0; k + 16 <= n; k += 16)
                if (go_magic_is(chunk + k)) {
                    *address = g->parts[i].address + at + k;
                    return true;
                }
        }
    }
    return false;
}

static int image_read(const struct go_image *g, uint64_t address, void *to, size_t n, struct err *e)
{
    for (size_t i = 0; i < g->n; i++) {
        uint64_t inside = address - g->parts[i].address;
        if (address >= g->parts[i].address && inside < g->parts[i].size &&
            n <= g->parts[i].size - inside)
            return spool_read(g->parts[i].in, to, n, g->parts[i].offset + inside, e);
    }
    return err_set(e, ERR_FORMAT, "Go build information points outside the program");
}

/* ---- the strings --------------------------------------------------------------------------------
 */

/* Without the sentinels; empty when they are not there. */
static str modules_strip(str s)
{
    if (s.n < 2 * SENTINEL + 1 || s.p[s.n - SENTINEL - 1] != '\n')
        return (str){0};
    return str_sub(s, SENTINEL, s.n - SENTINEL);
}

static int string_by_pointer(struct cat *c, const struct go_image *g, uint64_t at, bool wide,
                             bool big, size_t max, str *out, struct err *e)
{
    uint8_t b[16];
    size_t size = wide ? 16 : 8;
    *out = (str){0};
    int r = image_read(g, at, b, size, e);
    if (r < 0)
        return r;
    struct cursor k = cursor_over(b, size);
    uint64_t v[2];
    for (int i = 0; i < 2; i++)
        v[i] = wide ? (big ? cursor_u64be(&k) : cursor_u64le(&k))
                    : (big ? cursor_u32be(&k) : cursor_u32le(&k));
    if (v[1] == 0)
        return 0;
    if (v[1] > max)
        return err_set(e, ERR_FORMAT, "Go build information of %llu bytes",
                       (unsigned long long)v[1]);
    char *p = arena_alloc(cat_scratch(c), (size_t)v[1]);
    if (!p)
        return err_no_memory(e);
    *out = (str){p, (size_t)v[1]};
    return image_read(g, v[0], p, (size_t)v[1], e);
}

int go_info_by_pointers(struct cat *c, const struct go_image *g, const uint8_t header[GO_HEADER],
                        struct go_info *out, struct err *e)
{
    bool wide = header[14] == 8, big = header[15] & 1;
    if (header[14] != 4 && header[14] != 8)
        return err_set(e, ERR_FORMAT, "Go build information with pointers of %u bytes", header[14]);
    struct cursor k = cursor_over(header + 16, 16);
    uint64_t at[2];
    for (int i = 0; i < 2; i++)
        at[i] = wide ? (big ? cursor_u64be(&k) : cursor_u64le(&k))
                     : (big ? cursor_u32be(&k) : cursor_u32le(&k));
    str modules = {0};
    int r = string_by_pointer(c, g, at[0], wide, big, GO_VERSION_MAX, &out->version, e);
    if (r == 0 && at[1])
        r = string_by_pointer(c, g, at[1], wide, big, GO_MODULES_MAX, &modules, e);
    out->modules = modules_strip(modules);
    return r;
}

static int string_in_place(struct cat *c, struct stream *in, size_t max, str *out, struct err *e)
{
    uint64_t n = 0;
    for (int shift = 0;; shift += 7) {
        uint8_t byte;
        int r = stream_read_exact(in, &byte, 1, e);
        if (r < 0)
            return r;
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            break;
        if (shift > 28)
            return err_set(e, ERR_FORMAT, "Go build information of impossible length");
    }
    if (n > max)
        return err_set(e, ERR_FORMAT, "Go build information of %llu bytes", (unsigned long long)n);
    char *p = arena_alloc(cat_scratch(c), (size_t)n + 1);
    if (!p)
        return err_no_memory(e);
    *out = (str){p, (size_t)n};
    return stream_read_exact(in, p, (size_t)n, e);
}

int go_info_in_place(struct cat *c, struct stream *in, struct go_info *out, struct err *e)
{
    str modules = {0};
    int r = string_in_place(c, in, GO_VERSION_MAX, &out->version, e);
    if (r == 0)
        r = string_in_place(c, in, GO_MODULES_MAX, &modules, e);
    if (r == 0)
        out->modules = modules_strip(modules);
    return r;
}

/* ---- PE and Mach-O ------------------------------------------------------------------------------
 */

/* Microsoft's "PE Format": DOS header, COFF header, optional header, section table. */
static int pe_parts(const struct spool *file, struct go_image *out, struct err *e)
{
    uint8_t b[4 + 20 + 32], section[40];
    int r = spool_read(file, b, 4, 0x3c, e);
    if (r < 0)
        return r;
    struct cursor k = cursor_over(b, 4);
    uint64_t at = cursor_u32le(&k);
    r = spool_read(file, b, sizeof b, at, e);
    if (r < 0)
        return r;
    if (memcmp(b, "PE\0\0", 4) != 0)
        return err_set(e, ERR_FORMAT, "not a PE file");
    k = cursor_over(b + 4, sizeof b - 4);
    cursor_skip(&k, 2);
    size_t n = cursor_u16le(&k);
    cursor_skip(&k, 12);
    size_t optional = cursor_u16le(&k);
    cursor_skip(&k, 2);
    bool plus = cursor_u16le(&k) == 0x20b;
    cursor_skip(&k, plus ? 22 : 26);
    uint64_t base = plus ? cursor_u64le(&k) : cursor_u32le(&k);
    for (size_t i = 0; i < n && i < PE_SECTIONS_MAX; i++) {
        r = spool_read(file, section, sizeof section, at + 24 + optional + i * 40, e);
        if (r < 0)
            return r;
        k = cursor_over(section, sizeof section);
        cursor_skip(&k, 12);
        uint64_t address = cursor_u32le(&k), size = cursor_u32le(&k), offset = cursor_u32le(&k);
        go_image_add(out, base + address, file, offset, size);
    }
    return 0;
}

/* <mach-o/loader.h>: header, then load commands; 1 and 0x19 are segments. */
static int macho_parts(const struct spool *file, struct go_image *out, struct err *e)
{
    uint8_t b[72];
    int r = spool_read(file, b, 32, 0, e);
    if (r < 0)
        return r;
    bool big = b[0] == 0xfe, wide = b[big ? 3 : 0] == 0xcf;
    struct cursor k = cursor_over(b + 16, 4);
    size_t n = big ? cursor_u32be(&k) : cursor_u32le(&k);
    uint64_t at = wide ? 32 : 28;
    for (size_t i = 0; i < n && i < MACHO_COMMANDS_MAX; i++) {
        r = spool_read(file, b, 8, at, e);
        if (r < 0)
            return r;
        k = cursor_over(b, 8);
        uint32_t command = big ? cursor_u32be(&k) : cursor_u32le(&k);
        uint32_t size = big ? cursor_u32be(&k) : cursor_u32le(&k);
        if (size < 8)
            return err_set(e, ERR_FORMAT, "broken Mach-O load command");
        if (command == (wide ? 0x19 : 1)) {
            size_t want = wide ? 24 + 4 * 8 : 24 + 4 * 4;
            r = spool_read(file, b, want, at, e);
            if (r < 0)
                return r;
            uint64_t v[4];
            k = cursor_over(b + 24, want - 24);
            for (int f = 0; f < 4; f++)
                v[f] = wide ? (big ? cursor_u64be(&k) : cursor_u64le(&k))
                            : (big ? cursor_u32be(&k) : cursor_u32le(&k));
            go_image_add(out, v[0], file, v[2], v[3]);
        }
        at += size;
    }
    return 0;
}

int go_image_foreign(const struct spool *file, struct go_image *out, struct err *e)
{
    uint8_t magic[2];
    int r = spool_read(file, magic, 2, 0, e);
    if (r < 0)
        return r;
    return memcmp(magic, "MZ", 2) == 0 ? pe_parts(file, out, e) : macho_parts(file, out, e);
}
