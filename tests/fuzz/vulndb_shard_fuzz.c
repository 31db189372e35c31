/* A database over the shards in the input (each: four bytes of length, little-endian, then its
 * bytes), asked everything there is to ask. */
#include "vulndb/open.h"

#include <stdlib.h>

enum { SHARDS = 8, QUESTIONS = 64, MEMORY = 64 << 20 };

struct asking {
    const struct vulndb *db;
    struct arena arena;
    unsigned claims, vulns;
};

static int ask_claim(void *ctx, const struct db_claim *c, struct err *e)
{
    static const char *const versions[] = {"", "0", "1.2.3-4", "2:1.0~rc1", "9"};
    struct asking *a = ctx;
    if (a->claims++ >= QUESTIONS)
        return 0;
    for (size_t i = 0; i < KE_ARRAY_LEN(versions); i++) {
        struct db_claim *list;
        size_t n;
        arena_done(&a->arena);
        if (vulndb_lookup(a->db, c->claim.platform, c->claim.ecosystem, c->claim.package,
                          str_z(versions[i]), &a->arena, &list, &n, e) < 0)
            break;
        for (size_t k = 0; k < n && *versions[i]; k++)
            claim_covers_version(&list[k].claim, str_z(versions[i]));
    }
    return 0;
}

static int ask_vuln(void *ctx, const struct db_vuln *v, struct err *e)
{
    struct asking *a = ctx;
    struct db_vuln *list;
    str *ids, text;
    size_t n;
    if (a->vulns++ >= QUESTIONS)
        return 0;
    arena_done(&a->arena);
    (void)vulndb_vuln(a->db, v->vuln.id, &a->arena, &list, &n, e);
    (void)vulndb_aliases(a->db, v->vuln.id, &a->arena, &ids, &n, e);
    if (a->vulns < 4)
        (void)vulndb_text(a->db, v->source, v->vuln.id, &a->arena, &text, e);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e;
    struct asking a = {0};
    struct vulndb *db;
    str shards[SHARDS];
    size_t n = 0;
    struct cursor c = cursor_over(data, size);
    while (n < SHARDS && cursor_left(&c) > 4) {
        size_t length = cursor_u32le(&c);
        shards[n++] = cursor_bytes(&c, length < cursor_left(&c) ? length : cursor_left(&c));
    }
    if (vulndb_open_memory(shards, n, &db, &e) < 0)
        return 0;
    a.db = db;
    arena_init(&a.arena, MEMORY);
    (void)vulndb_each(db, STR(""), ask_claim, &a, &e);
    (void)vulndb_each_vuln(db, STR(""), ask_vuln, &a, &e);
    arena_done(&a.arena);
    vulndb_close(db);
    return 0;
}
