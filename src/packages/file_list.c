/* file_list.c - the making of a layer's listing; file_list_merge.c reads it. */
#include "packages/file_list.h"

#include "base/auto.h"
#include "base/hash.h"
#include "codec/regex.h"
#include "image/malware.h"

#include <endian.h>
#include <stdlib.h>

struct tap { /* passes on what is below, hashes it and keeps a copy of small files */
    struct stream s;
    struct stream *below;
    struct listing *owner;
};

struct listing {
    const struct facts_wanted *wanted;
    struct buf out, copy, path;
    struct digest_ctx *digest, *md5, *sha1; /* the last two: NULL when not wanted */
    struct tap tap;
    struct tar_entry entry; /* the file being read; path in `path` */
    bool keep, full, sent;
    int malware; /* -1: not searched for */
    listing_odd *odd;
    void *odd_ctx;
    uint64_t search_max; /* the largest file that any rule looks at */
};

uint64_t listing_fingerprint(const struct facts_wanted *w)
{
    auto_buf text;
    buf_init(&text, 4 << 20);
    for (size_t i = 0; i < w->n_rules; i++) {
        buf_add_varint(&text, w->rules[i].pattern.n);
        buf_add_str(&text, w->rules[i].pattern);
        buf_add_u64(&text, w->rules[i].max_file_size);
    }
    for (size_t i = 0; i < w->n_retrieve; i++) {
        buf_add_varint(&text, w->retrieve[i].n);
        buf_add_str(&text, w->retrieve[i]);
    }
    buf_add_u64(&text, w->retrieve_max);
    if (w->malware.n) {
        buf_add_str(&text, w->malware);
        buf_add_u64(&text, w->malware_max);
    }
    if (w->digests)
        buf_add_varint(&text, w->digests);
    return hash64_seeded(text.p, text.n, 0);
}

static int tap_fill(struct stream *s, struct err *e)
{
    struct tap *t = (struct tap *)s;
    struct listing *l = t->owner;
    const uint8_t *p;
    int64_t have = stream_view(t->below, &p, e);
    if (have < 0)
        return (int)have;
    stream_consume(t->below, (size_t)have);
    digest_update(l->digest, p, (size_t)have);
    if (l->md5)
        digest_update(l->md5, p, (size_t)have);
    if (l->sha1)
        digest_update(l->sha1, p, (size_t)have);
    if (l->keep)
        buf_add(&l->copy, p, (size_t)have);
    if (l->sent) {
        int r = malware_write(l->malware, p, (size_t)have, e);
        if (r < 0)
            return r;
    }
    s->p = p;
    s->end = p + have;
    s->eof = have == 0;
    return 0;
}

static void tap_close(struct stream *s)
{
    (void)s;
}

static const struct stream_ops tap_ops = {.name = "tap", .fill = tap_fill, .close = tap_close};

int listing_new(const struct facts_wanted *w, struct listing **out, struct err *e)
{
    struct listing *l = calloc(1, sizeof *l);
    if (!l)
        return err_no_memory(e);
    int r = digest_new(&l->digest, e);
    if (r == 0 && w->digests & FACT_MD5)
        r = digest_old_new("MD5", &l->md5, e);
    if (r == 0 && w->digests & FACT_SHA1)
        r = digest_old_new("SHA1", &l->sha1, e);
    if (r < 0) {
        l->malware = -1;
        listing_free(l);
        return r;
    }
    l->wanted = w;
    l->malware = -1;
    for (size_t i = 0; i < w->n_rules; i++)
        if (w->rules[i].max_file_size > l->search_max)
            l->search_max = w->rules[i].max_file_size;
    uint64_t copy_max = l->search_max > w->retrieve_max ? l->search_max : w->retrieve_max;
    buf_init(&l->out, LISTING_BYTES_MAX);
    buf_init(&l->copy, copy_max + 1);
    buf_init(&l->path, 1 << 20);
    buf_add_u64(&l->out, listing_fingerprint(w));
    *out = l;
    return 0;
}

void listing_free(struct listing *l)
{
    if (!l)
        return;
    buf_done(&l->out);
    buf_done(&l->copy);
    buf_done(&l->path);
    digest_free(l->digest);
    digest_free(l->md5);
    digest_free(l->sha1);
    if (l->malware >= 0)
        close(l->malware);
    free(l);
}

void listing_malware(struct listing *l, int fd, listing_odd *odd, void *ctx)
{
    l->malware = fd;
    l->odd = odd;
    l->odd_ctx = ctx;
}

/* ---- one entry
 * ------------------------------------------------------------------------------------------- */

static enum fact_file_type fact_type(enum tar_type type)
{
    switch (type) {
    case TAR_FILE:
    case TAR_HARDLINK:
        return FACT_FILE;
    case TAR_SYMLINK:
        return FACT_SYMLINK;
    case TAR_CHAR:
    case TAR_BLOCK:
        return FACT_DEVICE;
    case TAR_DIR:
        return FACT_DIR;
    case TAR_FIFO:
        return FACT_FIFO;
    case TAR_OTHER:
        break;
    }
    return FACT_OTHER;
}

static void put_text(struct buf *out, str s)
{
    buf_add_varint(out, s.n);
    buf_add_str(out, s);
}

static void put_head(struct listing *l, const struct tar_entry *entry, unsigned flags)
{
    struct buf *out = &l->out;
    buf_add_char(out, (char)fact_type(entry->type));
    buf_add_char(out, (char)((entry->type == TAR_HARDLINK ? 1u : 0u) | flags));
    buf_add_varint(out, entry->mode & 07777);
    buf_add_varint(out, entry->uid);
    buf_add_varint(out, entry->gid);
    buf_add_varint(out, entry->size);
    put_text(out, entry->path);
    put_text(out,
             entry->type == TAR_SYMLINK || entry->type == TAR_HARDLINK ? entry->link : (str){0});
}

/* An entry goes in whole or not at all. */
static bool listing_keep(struct listing *l, size_t before)
{
    if (buf_ok(&l->out))
        return true;
    l->out.n = before;
    l->full = true;
    return false;
}

void listing_entry(struct listing *l, const struct tar_entry *entry)
{
    size_t before = l->out.n;
    if (l->full)
        return;
    put_head(l, entry, 0);
    buf_add_varint(&l->out, 0);
    listing_keep(l, before);
}

static bool retrieved(const struct listing *l, str path)
{
    for (size_t i = 0; i < l->wanted->n_retrieve; i++) {
        str want = l->wanted->retrieve[i];
        if (str_eq(want.n && want.p[0] == '/' ? str_from(want, 1) : want, path))
            return true;
    }
    return false;
}

struct digest_ctx *listing_digest(struct listing *l)
{
    return l->digest;
}

struct stream *listing_file(struct listing *l, const struct tar_entry *entry,
                            struct stream *content)
{
    buf_clear(&l->path);
    buf_clear(&l->copy);
    l->copy.failed = l->path.failed = false;
    buf_add_str(&l->path, entry->path);
    l->entry = *entry;
    l->entry.path = buf_view(&l->path);
    l->keep = entry->size <= l->search_max ||
              (entry->size <= l->wanted->retrieve_max && retrieved(l, entry->path));
    l->sent = l->malware >= 0 && entry->size && entry->size <= l->wanted->malware_max;
    if (l->malware >= 0 && entry->size > l->wanted->malware_max)
        l->odd(l->odd_ctx, l->entry.path, "limit",
               "larger than stream_max_length: not searched for malware");
    l->tap = (struct tap){.s = {.ops = &tap_ops}, .below = content, .owner = l};
    return &l->tap.s;
}

/* ---- matches
 * --------------------------------------------------------------------------------------------- */

struct match {
    struct buf *out;
    uint32_t rule;
    size_t n;
};

static bool put_match(void *ctx, uint32_t line)
{
    struct match *m = ctx;
    buf_add_varint(m->out, m->rule);
    buf_add_varint(m->out, line);
    return ++m->n < LISTING_MATCHES_MAX;
}

static size_t match_rule(const struct listing *l, uint32_t rule, str text, struct buf *out)
{
    struct match m = {.out = out, .rule = rule};
    regex_lines(l->wanted->rules[rule].regex, text, put_match, &m);
    return m.n;
}

static void put_matches(struct listing *l, str text)
{
    auto_buf found;
    size_t n = 0;
    buf_init(&found, 1 << 20);
    for (uint32_t i = 0; i < l->wanted->n_rules; i++)
        if (text.n <= l->wanted->rules[i].max_file_size)
            n += match_rule(l, i, text, &found);
    if (!buf_ok(&found))
        l->out.failed = true;
    buf_add_varint(&l->out, n);
    buf_add_str(&l->out, buf_view(&found));
}

/* The signature that was found, or "". */
static int malware_end(struct listing *l, char signature[CLAMD_TEXT], struct err *e)
{
    enum clamd_verdict verdict;
    *signature = '\0';
    if (!l->sent)
        return 0;
    l->sent = false;
    int r = malware_answer(l->malware, &verdict, signature, e);
    if (r == 0 && verdict == CLAMD_FAILED) {
        char detail[CLAMD_TEXT + 40];
        snprintf(detail, sizeof detail, "not searched for malware: %s", signature);
        l->odd(l->odd_ctx, l->entry.path, "malware", detail);
        *signature = '\0';
    }
    return r;
}

static void put_old_digest(struct digest_ctx *d, size_t size, struct buf *out)
{
    uint8_t bytes[SHA1_SIZE];
    if (!d)
        return;
    digest_old_final(d, bytes, size);
    buf_add(out, bytes, size);
}

int listing_file_end(struct listing *l, struct err *e)
{
    char signature[CLAMD_TEXT];
    int r = stream_drain(&l->tap.s, e);
    struct sha256 digest = digest_final(l->digest);
    if (r == 0)
        r = malware_end(l, signature, e);
    if (r < 0 || l->full)
        return r;
    size_t before = l->out.n;
    bool whole = l->keep && buf_ok(&l->copy);
    bool content = whole && l->copy.n <= l->wanted->retrieve_max && retrieved(l, l->entry.path);
    put_head(l, &l->entry,
             2u | (content ? 4u : 0u) | (*signature ? 8u : 0u) | (l->md5 ? 16u : 0u) |
                 (l->sha1 ? 32u : 0u));
    buf_add(&l->out, digest.b, sizeof digest.b);
    put_old_digest(l->md5, MD5_SIZE, &l->out);
    put_old_digest(l->sha1, SHA1_SIZE, &l->out);
    if (whole)
        put_matches(l, buf_view(&l->copy));
    else
        buf_add_varint(&l->out, 0);
    if (content)
        put_text(&l->out, buf_view(&l->copy));
    if (*signature)
        put_text(&l->out, str_z(signature));
    listing_keep(l, before);
    return 0;
}

str listing_bytes(const struct listing *l)
{
    return buf_view(&l->out);
}

bool listing_full(const struct listing *l)
{
    return l->full;
}

void layer_body_finish(struct buf *body, size_t facts_bytes, str listing, str package_files)
{
    buf_add_str(body, listing);
    buf_add_str(body, package_files);
    buf_add_u64(body, facts_bytes);
    buf_add_u64(body, listing.n);
}

bool layer_body_parts(str body, struct layer_body *out)
{
    uint64_t n[2];
    if (body.n < sizeof n)
        return false;
    size_t all = body.n - sizeof n;
    memcpy(n, body.p + all, sizeof n);
    uint64_t facts = le64toh(n[0]), listing = le64toh(n[1]);
    if (facts > all || listing > all - facts)
        return false;
    *out = (struct layer_body){
        .facts = str_sub(body, 0, (size_t)facts),
        .listing = str_sub(body, (size_t)facts, (size_t)(facts + listing)),
        .package_files = str_sub(body, (size_t)(facts + listing), all),
    };
    return true;
}
