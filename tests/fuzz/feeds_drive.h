/* feeds_drive.h - runs a driver over fuzz input: the parts between NUL bytes are its files. The
 * sink reads every slice, so that a dangling one is found, and checks what every claim must keep.
 */
#ifndef KELLET_FUZZ_FEEDS_DRIVE_H
#define KELLET_FUZZ_FEEDS_DRIVE_H

#include "feeds/feeds.h"
#include "version/version.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void touch(str s)
{
    static volatile unsigned char kept;
    for (size_t i = 0; i < s.n; i++)
        kept = (unsigned char)s.p[i];
    (void)kept;
}

static inline void require(bool what)
{
    if (!what)
        abort();
}

static inline int drive_vuln(struct claim_sink *s, const struct vuln *v, struct err *e)
{
    require(v->id.n > 0 && v->severity <= SEV_CRITICAL && v->cvss_score10 <= 100);
    for (size_t i = 0; i < v->n_aliases; i++)
        touch(v->aliases[i].id);
    const str all[] = {v->id, v->summary, v->details, v->url, v->cvss_vector};
    for (size_t i = 0; i < KE_ARRAY_LEN(all); i++)
        touch(all[i]);
    return 0;
}

static inline int drive_claim(struct claim_sink *s, const struct claim *c, struct err *e)
{
    require(c->vuln_id.n && c->package.n && (c->platform.n != 0) != (c->ecosystem.n != 0));
    require(c->scheme && version_scheme(str_z(c->scheme)));
    require(c->kind == CLAIM_AFFECTED || c->state == FIX_NOT_AFFECTED);
    require(c->state != FIX_FIXED || c->fixed.n);
    for (size_t i = 0; i < c->n_ranges; i++) {
        touch(c->ranges[i].lo);
        touch(c->ranges[i].hi);
    }
    for (size_t i = 0; i < c->n_exact; i++)
        require(c->exact[i].n != 0);
    const str all[] = {c->fixed,   c->module,  c->advisory,    c->note,
                       c->channel, c->symbols, c->severity_raw};
    for (size_t i = 0; i < KE_ARRAY_LEN(all); i++)
        touch(all[i]);
    return 0;
}

static inline void drive_drop(struct claim_sink *s, const char *reason, uint64_t n)
{
    require(reason && *reason);
}
static inline void drive_record(struct claim_sink *s, uint64_t n)
{
}
static inline void drive_dated(struct claim_sink *s, int64_t date, str version)
{
    touch(version);
}

struct drive_sinks {
    struct feed_sinks sinks; /* first */
    struct claim_sink *one;
};
static inline int drive_get(struct feed_sinks *s, str source, bool none, struct claim_sink **out,
                            struct err *e)
{
    touch(source);
    if (!none)
        *out = ((struct drive_sinks *)s)->one;
    return 0;
}

static inline void drive(const char *name, const char *path, const uint8_t *data, size_t size)
{
    struct claim_sink sink = {drive_vuln, drive_claim, drive_drop, drive_record, drive_dated};
    const struct feed_ops *feed = feed_find(str_z(name));
    struct err e;
    void *state = NULL;
    struct drive_sinks sinks = {{drive_get}, &sink};
    int r = 0;
    str rest = {(const char *)data, size};
    while (rest.n && r == 0) {
        auto_stream *in = NULL;
        if (stream_from_mem(str_split(&rest, '\0'), &in, &e) < 0)
            break;
        struct feed_input input = {str_z(path), in};
        r = feed->read ? feed->read(&state, &input, &sink, &e)
                       : feed->read_many(&input, &sinks.sinks, &e);
    }
    if (feed->finish)
        feed->finish(&state, r < 0 ? NULL : &sink, &e);
}

#endif
