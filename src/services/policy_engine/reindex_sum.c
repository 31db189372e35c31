/* reindex_sum.c - what is known of a package's findings at a glance. */
#include "base/cursor.h"
#include "base/hash.h"
#include "services/policy_engine/reindex_internal.h"

bool package_sum_read(str bytes, struct package_sum *out)
{
    struct cursor c = cursor_over(bytes.p, bytes.n);
    *out = (struct package_sum){0};
    if (!bytes.n)
        return false;
    for (size_t i = 0; i < SEVERITIES && cursor_left(&c); i++)
        out->of[i] = (uint32_t)cursor_varint(&c);
    if (cursor_left(&c) == 16) {
        out->told = cursor_u64le(&c);
        out->all = cursor_u64le(&c);
        out->printed = true;
    }
    return cursor_ok(&c);
}

void package_sum_write(const struct package_sum *s, struct buf *out)
{
    for (size_t i = 0; i < SEVERITIES; i++)
        buf_add_varint(out, s->of[i]);
    buf_add_u64(out, s->told);
    buf_add_u64(out, s->all);
}

static uint64_t print_str(uint64_t print, str s)
{
    return hash64_seeded(s.p, s.n, print);
}

struct package_sum package_sum_of(const struct remembered *list, size_t n)
{
    struct package_sum s = {.printed = true};
    for (size_t i = 0; i < n; i++) {
        const struct remembered *f = &list[i];
        const unsigned char words[2] = {(unsigned char)f->severity, (unsigned char)f->fix_state};
        s.of[f->severity]++;
        s.told = print_str(s.told, f->id);
        s.told = print_str(s.told, (str){(const char *)words, sizeof words});
        s.told = print_str(s.told, f->fix);
        s.all = print_str(s.all, f->source);
    }
    s.all = hash64_seeded(&s.told, sizeof s.told, s.all);
    return s;
}
