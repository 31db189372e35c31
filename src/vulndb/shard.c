/* shard.c - the container: header, sections, strings and the hash of names. */
#include "vulndb/shard.h"

#include "base/auto.h"
#include "base/hash.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

uint64_t shard_hash(str name)
{
    return hash64(name.p, name.n);
}

static int read_header(struct cursor *c, struct shard *s, struct err *e)
{
    for (int i = 0; i < N_SECTIONS; i++) {
        uint64_t offset = cursor_u64le(c), size = cursor_u64le(c);
        if (offset > s->size || size > s->size - offset)
            return err_set(e, ERR_FORMAT, "a section lies outside the file");
        s->section[i] = (str){(const char *)s->data + offset, size};
    }
    str *names[] = {&s->source, &s->platform, &s->ecosystem};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++)
        *names[i] = cursor_bytes(c, cursor_u16le(c));
    if (!cursor_ok(c))
        return err_set(e, ERR_FORMAT, "the header is cut short");
    if (s->kind < SHARD_CLAIMS || s->kind > SHARD_ALIASES)
        return err_set(e, ERR_UNSUPPORTED, "shards of kind %d are not known here", (int)s->kind);
    return 0;
}

static int read_schemes(struct shard *s, struct err *e)
{
    size_t n = shard_rows(s, SEC_SCHEMES, SHARD_SCHEME_NAME);
    if (n > SHARD_SCHEMES_MAX)
        return err_set(e, ERR_FORMAT, "too many version schemes");
    for (size_t i = 0; i < n; i++) {
        const char *name = s->section[SEC_SCHEMES].p + i * SHARD_SCHEME_NAME;
        if (!memchr(name, 0, SHARD_SCHEME_NAME))
            return err_set(e, ERR_FORMAT, "the name of a version scheme has no end");
        s->schemes[i] = version_scheme(str_z(name));
        s->scheme_names[i] = name;
    }
    s->n_schemes = n;
    return 0;
}

int shard_open_memory(const void *data, size_t size, bool check, struct shard *out, struct err *e)
{
    *out = (struct shard){.data = data, .size = size};
    struct cursor c = cursor_over(data, size);
    str magic = cursor_bytes(&c, 8);
    if (!str_eq(magic, STR(SHARD_MAGIC)))
        return err_set(e, ERR_FORMAT, "not a shard of this version of kellet");
    out->kind = (enum shard_kind)cursor_u32le(&c);
    uint32_t header = cursor_u32le(&c);
    uint64_t file = cursor_u64le(&c);
    if (!cursor_ok(&c) || header < 32 || header > size || (check && file != size))
        return err_set(e, ERR_FORMAT, "truncated, or not what its header says");
    struct cursor tail = cursor_over((const uint8_t *)data + header - 8, 8);
    if (check && cursor_u64le(&tail) != hash64(data, header - 8))
        return err_set(e, ERR_MISMATCH, "the checksum of the header is wrong");
    c.end = (const uint8_t *)data + header - 8;
    int r = read_header(&c, out, e);
    return r < 0 ? r : read_schemes(out, e);
}

int shard_open_file(const char *path, uint64_t size, struct shard *out, struct err *e)
{
    *out = (struct shard){0};
    int fd autoclose = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "cannot open %s", path);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_errno(e, "cannot read %s", path);
    if (st.st_size <= 0 || (uint64_t)st.st_size != size)
        return err_set(e, ERR_MISMATCH, "%s has %lld bytes, not the %llu of the manifest", path,
                       (long long)st.st_size, (unsigned long long)size);
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return err_errno(e, "cannot map %s", path);
    int r = shard_open_memory(map, size, true, out, e);
    if (r < 0) {
        munmap(map, size);
        *out = (struct shard){0};
        return err_wrap(e, "%s", path);
    }
    out->mapped = true;
    return 0;
}

void shard_close(struct shard *s)
{
    if (s->mapped)
        munmap((void *)s->data, s->size);
    *s = (struct shard){0};
}

const char *shard_row(const struct shard *s, enum shard_section section, size_t row, uint32_t i,
                      bool *bad)
{
    if (i >= shard_rows(s, section, row)) {
        *bad = true;
        return NULL;
    }
    return s->section[section].p + (size_t)i * row;
}

str shard_str_at(const struct shard *s, uint32_t ref, bool *bad)
{
    str strings = s->section[SEC_STRINGS];
    if (ref >= strings.n) {
        *bad = true;
        return STR("");
    }
    uint8_t first = (uint8_t)strings.p[ref];
    if (first < 0x80 && first < strings.n - ref)
        return (str){strings.p + ref + 1, first};
    struct cursor c = cursor_over(strings.p + ref, strings.n - ref);
    uint64_t n = cursor_varint(&c);
    str text = n <= cursor_left(&c) ? cursor_bytes(&c, n) : STR("");
    if (!cursor_ok(&c) || text.n != n)
        *bad = true;
    return text;
}

int64_t shard_find(const struct shard *s, size_t row, str name, uint64_t hash, bool *bad)
{
    uint32_t slots = shard_rows(s, SEC_HASH, 4);
    if (slots == 0 || (slots & (slots - 1)))
        return -1;
    uint32_t at = (uint32_t)hash & (slots - 1);
    for (uint32_t tries = 0; tries < slots; tries++, at = (at + 1) & (slots - 1)) {
        uint32_t slot = shard_u32(s->section[SEC_HASH].p + (size_t)at * 4);
        if (slot == 0)
            return -1;
        const char *p = shard_row(s, SEC_ROWS, row, slot - 1, bad);
        if (!p)
            return -1;
        if (shard_u32(p) == (uint32_t)(hash >> 32) &&
            str_eq(shard_str(s, shard_u32(p + 4), bad), name))
            return slot - 1;
    }
    return -1;
}
