#include "packages/analyst_order.h"

#include "base/cursor.h"
#include "codec/regex.h"

#include <stdlib.h>

enum { SEEKABLE = 1, HOST = 2, PLATFORM_ASKED = 4, EXPORT = 8, NOT_CONFINED = 16 };
enum { ALIASES_MAX = 1 << 20 };

/* ---- writing
 * ------------------------------------------------------------------------------------------- */

static void put_text(struct buf *out, str s)
{
    buf_add_varint(out, s.n);
    buf_add_str(out, s);
}

static void put_facts(const struct facts_wanted *w, struct buf *out)
{
    buf_add_varint(out, w != NULL);
    if (!w)
        return;
    buf_add_varint(out, w->n_rules);
    for (size_t i = 0; i < w->n_rules; i++) {
        put_text(out, w->rules[i].name);
        put_text(out, w->rules[i].pattern);
        buf_add_varint(out, w->rules[i].max_file_size);
    }
    buf_add_varint(out, w->n_retrieve);
    for (size_t i = 0; i < w->n_retrieve; i++)
        put_text(out, w->retrieve[i]);
    buf_add_varint(out, w->retrieve_max);
    buf_add_varint(out, w->digests);
    put_text(out, w->malware);
    buf_add_varint(out, w->malware_max);
}

void order_encode(const struct source *s, const struct analyst_options *o, struct buf *out)
{
    buf_add_varint(out, (uint64_t)s->shape);
    put_text(out, str_z(s->kind));
    put_text(out, str_z(s->selector));
    buf_add_varint(out, (s->seekable ? SEEKABLE : 0u) | (s->host ? HOST : 0u) |
                            (s->platform_asked ? PLATFORM_ASKED : 0u) |
                            (s->engine_socket[0] ? EXPORT : 0u) |
                            (o->no_confine ? NOT_CONFINED : 0u));
    put_text(out, s->platform.os);
    put_text(out, s->platform.architecture);
    put_text(out, s->platform.variant);
    buf_add_varint(out, o->threads);
    buf_add_varint(out, o->n_aliases);
    for (size_t i = 0; i < o->n_aliases; i++) {
        put_text(out, o->aliases[i].real);
        put_text(out, o->aliases[i].as);
        buf_add_varint(out, o->aliases[i].hard);
    }
    put_facts(o->facts, out);
}

/* ---- reading
 * ------------------------------------------------------------------------------------------- */

static str get_text(struct cursor *c, struct arena *a)
{
    str copy = arena_dup(a, cursor_text(c));
    if (!copy.p)
        c->failed = true;
    return copy.p ? copy : (str){"", 0};
}

/* Of things that take at least one byte each. */
static size_t get_count(struct cursor *c, size_t max)
{
    uint64_t n = cursor_varint(c);
    if (n > max || n > cursor_left(c)) {
        c->failed = true;
        return 0;
    }
    return (size_t)n;
}

static int get_rules(struct cursor *c, struct analyst_order *o, struct err *e)
{
    size_t n = get_count(c, FACT_RULES_MAX);
    struct fact_rule *rules = arena_calloc(&o->arena, n + 1, sizeof *rules);
    if (!rules)
        return err_no_memory(e);
    o->facts.rules = rules;
    for (size_t i = 0; i < n; i++) {
        struct regex *compiled;
        rules[i].name = get_text(c, &o->arena);
        rules[i].pattern = get_text(c, &o->arena);
        rules[i].max_file_size = cursor_varint(c);
        int r = regex_compile(rules[i].pattern, REGEX_ANCHORED | REGEX_LINES, &compiled, e);
        if (r < 0)
            return r;
        rules[i].regex = compiled;
        o->facts.n_rules = i + 1;
    }
    return 0;
}

static int get_facts(struct cursor *c, struct analyst_order *o, struct err *e)
{
    if (cursor_varint(c) == 0)
        return 0;
    int r = get_rules(c, o, e);
    if (r < 0)
        return r;
    size_t n = get_count(c, FACT_RETRIEVE_MAX);
    str *retrieve = arena_calloc(&o->arena, n + 1, sizeof *retrieve);
    if (!retrieve)
        return err_no_memory(e);
    for (size_t i = 0; i < n; i++)
        retrieve[i] = get_text(c, &o->arena);
    o->facts.retrieve = retrieve;
    o->facts.n_retrieve = n;
    o->facts.retrieve_max = cursor_varint(c);
    o->facts.digests = (unsigned)cursor_varint(c) & (FACT_MD5 | FACT_SHA1);
    o->facts.malware = get_text(c, &o->arena);
    o->facts.malware_max = cursor_varint(c);
    o->options.facts = &o->facts;
    return 0;
}

static int get_aliases(struct cursor *c, struct analyst_order *o, struct err *e)
{
    size_t n = get_count(c, ALIASES_MAX);
    struct alias *aliases = arena_calloc(&o->arena, n + 1, sizeof *aliases);
    if (!aliases)
        return err_no_memory(e);
    for (size_t i = 0; i < n; i++) {
        aliases[i].real = get_text(c, &o->arena);
        aliases[i].as = get_text(c, &o->arena);
        aliases[i].hard = cursor_varint(c) == 1;
    }
    o->options.aliases = aliases;
    o->options.n_aliases = n;
    return 0;
}

static int get_order(struct cursor *c, struct analyst_order *o, struct err *e)
{
    struct source *s = &o->source;
    uint64_t shape = cursor_varint(c);
    s->shape = shape <= SHAPE_DIRECTORY ? (enum source_shape)shape : SHAPE_BLOBS;
    str text = get_text(c, &o->arena), kind = arena_printf(&o->arena, "%.*s", STR_ARG(text));
    s->kind = kind.p ? kind.p : "";
    text = get_text(c, &o->arena);
    snprintf(s->selector, sizeof s->selector, "%.*s", STR_ARG(text));
    uint64_t flags = cursor_varint(c);
    s->fd = -1;
    s->seekable = flags & SEEKABLE;
    s->host = flags & HOST;
    s->platform_asked = flags & PLATFORM_ASKED;
    if (flags & EXPORT)
        snprintf(s->engine_socket, sizeof s->engine_socket, "the parent's");
    s->platform.os = get_text(c, &o->arena);
    s->platform.architecture = get_text(c, &o->arena);
    s->platform.variant = get_text(c, &o->arena);
    o->options.no_confine = flags & NOT_CONFINED;
    uint64_t threads = cursor_varint(c);
    o->options.threads = threads < 1 ? 1 : threads > 64 ? 64 : (unsigned)threads;
    int r = get_aliases(c, o, e);
    if (r == 0)
        r = get_facts(c, o, e);
    if (r == 0 && (!cursor_ok(c) || cursor_left(c) || shape > SHAPE_DIRECTORY))
        r = err_set(e, ERR_FORMAT, "a malformed order for the analyser");
    return r;
}

int order_decode(str bytes, struct analyst_order **out, struct err *e)
{
    struct analyst_order *o = calloc(1, sizeof *o);
    if (!o)
        return err_no_memory(e);
    arena_init(&o->arena, 2 * ORDER_BYTES_MAX);
    struct cursor c = cursor_over(bytes.p, bytes.n);
    int r = get_order(&c, o, e);
    if (r < 0) {
        order_free(o);
        return r;
    }
    *out = o;
    return 0;
}

void order_free(struct analyst_order *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->facts.n_rules; i++)
        regex_free((struct regex *)(uintptr_t)o->facts.rules[i].regex);
    arena_done(&o->arena);
    free(o);
}
