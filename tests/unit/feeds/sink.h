/* sink.h - a claim_sink for tests: writes what it gets as text lines, or only counts. */
#ifndef KELLET_TESTS_FEEDS_SINK_H
#define KELLET_TESTS_FEEDS_SINK_H

#include "unit.h"

#include "base/buf.h"
#include "feeds/feeds.h"

struct test_sink {
    struct claim_sink sink; /* first */
    struct buf lines;
    bool count_only;
    uint64_t vulns, claims, records, dropped;
    struct {
        const char *reason;
        uint64_t n;
    } drops[32];
    size_t n_drops;
    int64_t date;
    char version[64];
};

static inline void sink_range(struct buf *b, const struct version_range *r)
{
    buf_addf(b, " %c%.*s,%.*s%c", r->lo_excluded ? '(' : '[', STR_ARG(r->lo), STR_ARG(r->hi),
             r->hi_included ? ']' : ')');
}

static inline void sink_field(struct buf *b, const char *name, str value)
{
    if (value.n)
        buf_addf(b, " %s=%.*s", name, STR_ARG(value));
}

static inline int sink_claim(struct claim_sink *s, const struct claim *c, struct err *e)
{
    struct test_sink *t = (struct test_sink *)s;
    struct buf *b = &t->lines;
    static const char kinds[] = "sbl";
    t->claims++;
    if (t->count_only)
        return 0;
    buf_addf(b, "%s %.*s %.*s%.*s %c:%.*s %s %s", c->kind == CLAIM_AFFECTED ? "affected" : "not",
             STR_ARG(c->vuln_id), STR_ARG(c->platform), STR_ARG(c->ecosystem),
             kinds[c->package_kind], STR_ARG(c->package), c->scheme, fix_state_name(c->state));
    for (size_t i = 0; i < c->n_ranges; i++)
        sink_range(b, &c->ranges[i]);
    for (size_t i = 0; i < c->n_exact; i++)
        buf_addf(b, " =%.*s", STR_ARG(c->exact[i]));
    sink_field(b, "fixed", c->fixed);
    if (c->severity != SEV_UNKNOWN)
        sink_field(b, "severity", str_z(severity_name(c->severity)));
    sink_field(b, "raw", c->severity_raw);
    sink_field(b, "advisory", c->advisory);
    if (c->fix_date)
        buf_addf(b, " date=%lld", (long long)c->fix_date);
    sink_field(b, "module", c->module);
    if (c->module_none)
        buf_add_str(b, STR(" no-module"));
    sink_field(b, "channel", c->channel);
    sink_field(b, "note", c->note);
    sink_field(b, "symbols", c->symbols);
    buf_add_char(b, '\n');
    return 0;
}

static inline void sink_vuln_decorations(struct buf *b, const struct vuln *v)
{
    if (v->kev_listed)
        buf_addf(b, " kev=%lld,%lld%s", (long long)v->kev_added, (long long)v->kev_due,
                 v->kev_ransomware ? ",ransomware" : "");
    if (v->epss_score >= 0)
        buf_addf(b, " epss=%d,%d", v->epss_score, v->epss_percentile);
}

static inline int sink_vuln(struct claim_sink *s, const struct vuln *v, struct err *e)
{
    static const char *const status[] = {"", " disputed", " rejected", " withdrawn"};
    struct test_sink *t = (struct test_sink *)s;
    struct buf *b = &t->lines;
    t->vulns++;
    if (t->count_only)
        return 0;
    buf_addf(b, "vuln %.*s%s", STR_ARG(v->id), status[v->status]);
    if (v->severity != SEV_UNKNOWN)
        sink_field(b, "severity", str_z(severity_name(v->severity)));
    sink_field(b, "cvss", v->cvss_vector);
    if (v->cvss_score10 >= 0)
        buf_addf(b, " score=%d", v->cvss_score10);
    for (size_t i = 0; i < v->n_aliases; i++)
        buf_addf(b, " %c%.*s", "=<~"[v->aliases[i].kind], STR_ARG(v->aliases[i].id));
    sink_field(b, "summary", v->summary);
    sink_field(b, "details", v->details);
    sink_vuln_decorations(b, v);
    buf_add_char(b, '\n');
    return 0;
}

static inline void sink_drop(struct claim_sink *s, const char *reason, uint64_t n)
{
    struct test_sink *t = (struct test_sink *)s;
    size_t i = 0;
    t->dropped += n;
    while (i < t->n_drops && strcmp(t->drops[i].reason, reason) != 0)
        i++;
    assert_true(i < KE_ARRAY_LEN(t->drops));
    t->drops[i].reason = reason;
    t->drops[i].n += n;
    t->n_drops += i == t->n_drops;
}

static inline void sink_record(struct claim_sink *s, uint64_t n)
{
    ((struct test_sink *)s)->records += n;
}

static inline void sink_dated(struct claim_sink *s, int64_t date, str version)
{
    struct test_sink *t = (struct test_sink *)s;
    t->date = date;
    snprintf(t->version, sizeof t->version, "%.*s", STR_ARG(version));
}

static inline void sink_init(struct test_sink *t)
{
    *t = (struct test_sink){.sink = {sink_vuln, sink_claim, sink_drop, sink_record, sink_dated}};
    buf_init(&t->lines, 16 << 20);
}
static inline void sink_done(struct test_sink *t)
{
    buf_done(&t->lines);
}
#define auto_sink struct test_sink KE_CLEANUP(sink_done)

/* How often a reason was given. */
static inline uint64_t sink_dropped(const struct test_sink *t, const char *reason)
{
    for (size_t i = 0; i < t->n_drops; i++)
        if (strcmp(t->drops[i].reason, reason) == 0)
            return t->drops[i].n;
    return 0;
}

/* For people, when a count is not what it should be. */
static inline void sink_print(const struct test_sink *t)
{
    printf("records %llu vulns %llu claims %llu dropped %llu\n", (unsigned long long)t->records,
           (unsigned long long)t->vulns, (unsigned long long)t->claims,
           (unsigned long long)t->dropped);
    for (size_t i = 0; i < t->n_drops; i++)
        printf("  %llu %s\n", (unsigned long long)t->drops[i].n, t->drops[i].reason);
}

/* Reads one text as the input `path`, then finishes (with NULL after an error). */
struct test_input {
    const char *path;
    str text;
};
static inline int read_inputs(const struct feed_ops *feed, const struct test_input *inputs,
                              size_t n, struct test_sink *t, struct err *e)
{
    void *state = NULL;
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        auto_stream *in = NULL;
        assert_int_equal(stream_from_mem(inputs[i].text, &in, e), 0);
        struct feed_input input = {str_z(inputs[i].path), in};
        r = feed->read(&state, &input, &t->sink, e);
    }
    if (feed->finish) {
        int f = feed->finish(&state, r < 0 ? NULL : &t->sink, r < 0 ? NULL : e);
        if (r == 0)
            r = f;
    }
    return r;
}

/* The lines that one text gives; fails the test on an error. */
static inline void expect_lines(const struct feed_ops *feed, const char *path, const char *text,
                                const char *lines)
{
    struct err e = {0};
    auto_sink t;
    sink_init(&t);
    struct test_input input = {path, str_z(text)};
    if (read_inputs(feed, &input, 1, &t, &e) < 0)
        fail_msg("%s: %s", path, e.text);
    if (!str_eq(buf_view(&t.lines), str_z(lines)))
        fail_msg("%s gives\n%.*swant\n%s", path, STR_ARG(buf_view(&t.lines)), lines);
}

static inline void expect_error(const struct feed_ops *feed, const char *path, const char *text,
                                int code, const char *message)
{
    struct err e = {0};
    auto_sink t;
    sink_init(&t);
    struct test_input input = {path, str_z(text)};
    int r = read_inputs(feed, &input, 1, &t, &e);
    if (r != code || !str_contains(str_z(e.text), str_z(message)))
        fail_msg("%s: got %d \"%s\", want %d \"%s\"", path, r, e.text, code, message);
}

#endif
