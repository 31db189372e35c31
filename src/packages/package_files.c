/* package_files.c - the making; package_files_merge.c reads it. */
#include "packages/package_files.h"

#include <stdlib.h>

struct package_files {
    struct buf out;
    size_t begun; /* where the package at hand begins */
    struct arena arena;
    struct map aliases; /* path that a file was read as -> str: where it stands */
    bool open;          /* a package was begun and not ended */
    bool full;
};

int package_files_new(struct package_files **out, struct err *e)
{
    struct package_files *p = calloc(1, sizeof *p);
    if (!p)
        return err_no_memory(e);
    buf_init(&p->out, PACKAGE_FILES_BYTES_MAX);
    arena_init(&p->arena, 1 << 20);
    map_init(&p->aliases);
    *out = p;
    return 0;
}

void package_files_free(struct package_files *p)
{
    if (!p)
        return;
    buf_done(&p->out);
    map_done(&p->aliases);
    arena_done(&p->arena);
    free(p);
}

int package_files_alias(struct package_files *p, str as, str real, struct err *e)
{
    str key = arena_dup(&p->arena, as), *value = arena_new(&p->arena, str);
    if (value)
        *value = arena_dup(&p->arena, real);
    if (!value || p->arena.full || !map_put(&p->aliases, key, value))
        return err_no_memory(e);
    return 0;
}

static void put_text(struct buf *out, str s)
{
    buf_add_varint(out, s.n);
    buf_add_str(out, s);
}

void package_files_begin(struct package_files *p, str source, const char *type, str name,
                         str version, str arch)
{
    const str *real = map_get(&p->aliases, source);
    if (p->open)
        package_files_end(p);
    if (p->full)
        return;
    p->open = true;
    p->begun = p->out.n;
    put_text(&p->out, real ? *real : source);
    put_text(&p->out, str_z(type));
    put_text(&p->out, name);
    put_text(&p->out, version);
    put_text(&p->out, arch);
}

void package_files_add(struct package_files *p, str path, const struct owned_file *f)
{
    struct buf *out = &p->out;
    while (path.n && path.p[0] == '/')
        path = str_from(path, 1);
    if (p->full || !p->open || path.n == 0 || str_eq(path, STR(".")))
        return;
    size_t digest = owned_digest_size(f->algorithm);
    unsigned flags = f->flags & (OWNED_MODE | OWNED_CONFIG | OWNED_DIRECTORY);
    flags |= OWNED_THERE | (digest ? OWNED_DIGEST : 0u) | (f->size ? OWNED_SIZE : 0u);
    buf_add_char(out, (char)flags);
    put_text(out, path);
    if (digest) {
        buf_add_char(out, (char)f->algorithm);
        buf_add(out, f->digest, digest);
    }
    if (flags & OWNED_MODE)
        buf_add_varint(out, f->mode);
    if (flags & OWNED_SIZE)
        buf_add_varint(out, f->size);
}

void package_files_end(struct package_files *p)
{
    if (p->full || !p->open)
        return;
    p->open = false;
    buf_add_char(&p->out, 0);
    if (buf_ok(&p->out))
        return;
    p->full = true;
    p->out.n = p->begun;
}

str package_files_bytes(const struct package_files *p)
{
    return str_sub(buf_view(&p->out), 0, p->open ? p->begun : p->out.n);
}

bool package_files_full(const struct package_files *p)
{
    return p->full;
}

/* ---- digests -----------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    size_t size;
} algorithms[] = {
    [OWNED_NO_DIGEST] = {"", 0},
    [OWNED_MD5] = {"md5", 16},
    [OWNED_SHA1] = {"sha1", 20},
    [OWNED_SHA256] = {"sha256", 32},
};

size_t owned_digest_size(enum owned_algorithm algorithm)
{
    return (size_t)algorithm < KE_ARRAY_LEN(algorithms) ? algorithms[algorithm].size : 0;
}

const char *owned_algorithm_name(enum owned_algorithm algorithm)
{
    return (size_t)algorithm < KE_ARRAY_LEN(algorithms) ? algorithms[algorithm].name : "";
}

bool owned_digest_hex(struct owned_file *f, enum owned_algorithm algorithm, str hex)
{
    uint8_t digest[sizeof f->digest];
    size_t size = owned_digest_size(algorithm);
    if (size == 0 || hex.n != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        uint64_t byte;
        if (!str_to_u64_hex(str_sub(hex, 2 * i, 2 * i + 2), &byte))
            return false;
        digest[i] = (uint8_t)byte;
    }
    memcpy(f->digest, digest, size);
    f->algorithm = algorithm;
    return true;
}
