#include "store/postgres_value.h"

enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_OID = 26,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_NUMERIC = 1700,
};

Oid pg_oid(enum db_type t)
{
    switch (t) {
    case DB_INT:
        return OID_INT8;
    case DB_REAL:
        return OID_FLOAT8;
    case DB_TEXT:
        return OID_TEXT;
    case DB_BLOB:
        return OID_BYTEA;
    default:
        return 0;
    }
}

int pg_values_make(struct pg_values *o, const struct db_value *v, size_t n, struct err *e)
{
    size_t each = sizeof *o->p + 2 * sizeof(int) + sizeof *o->numbers;
    char *m = o->memory = malloc(n * each + 1);
    if (!m)
        return err_no_memory(e);
    o->p = (void *)m;
    o->lengths = (void *)(m += n * sizeof *o->p);
    o->formats = (void *)(m += n * sizeof(int));
    o->numbers = (void *)(m + n * sizeof(int));
    for (size_t i = 0; i < n; i++) {
        o->formats[i] = v[i].type == DB_TEXT || v[i].type == DB_BLOB;
        if (v[i].s.n > INT32_MAX / 2 && o->formats[i])
            return err_set(e, ERR_LIMIT, "a value of %zu bytes", v[i].s.n);
        o->lengths[i] = o->formats[i] ? (int)v[i].s.n : 0;
        o->p[i] = o->formats[i] ? (v[i].s.p ? v[i].s.p : "") : o->numbers[i];
        if (v[i].type == DB_INT)
            snprintf(o->numbers[i], sizeof o->numbers[i], "%lld", (long long)v[i].i);
        else if (v[i].type == DB_REAL)
            snprintf(o->numbers[i], sizeof o->numbers[i], "%.17g", v[i].r);
        else if (!o->formats[i])
            o->p[i] = NULL;
    }
    return 0;
}

static uint64_t be(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n && i < 8; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

/* SUM() of BIGINT is NUMERIC: groups of four decimal digits. */
static struct db_value numeric(const struct pg_cell *c)
{
    if (c->n < 8)
        return DBNULL;
    int digits = (int)be(c->p, 2), weight = (int16_t)be(c->p + 2, 2);
    unsigned sign = (unsigned)be(c->p + 4, 2), scale = (unsigned)be(c->p + 6, 2);
    double value = 0, unit = 1;
    int64_t whole = 0;
    bool fits = scale == 0 && weight < 5;
    for (int i = 0; i < digits && 8 + 2 * (size_t)i + 2 <= c->n; i++) {
        int64_t d = (int64_t)be(c->p + 8 + 2 * i, 2);
        value = value * 10000 + (double)d;
        if (fits)
            fits = !ke_mul_overflow(whole, 10000, &whole) && !ke_add_overflow(whole, d, &whole);
    }
    for (int i = digits; fits && i <= weight; i++)
        fits = !ke_mul_overflow(whole, 10000, &whole);
    for (int i = digits - 1; i != weight && i > -100 && i < 100; i += i < weight ? 1 : -1)
        unit *= 10000;
    value = digits - 1 < weight ? value * unit : value / unit;
    return fits ? DBI(sign ? -whole : whole) : DBR(sign ? -value : value);
}

struct db_value pg_value(Oid type, const struct pg_cell *c)
{
    if (!c->p)
        return DBNULL;
    double r;
    float f;
    uint64_t u = be(c->p, c->n);
    uint32_t u4 = (uint32_t)u;
    switch (type) {
    case OID_BOOL:
    case OID_INT8:
    case OID_OID:
        return DBI(u);
    case OID_INT4:
        return DBI((int32_t)u);
    case OID_INT2:
        return DBI((int16_t)u);
    case OID_FLOAT8:
        memcpy(&r, &u, sizeof r);
        return DBR(r);
    case OID_FLOAT4:
        memcpy(&f, &u4, sizeof f);
        return DBR(f);
    case OID_NUMERIC:
        return numeric(c);
    case OID_BYTEA:
        return DBB(((str){c->p, c->n}));
    default:
        return DBS(((str){c->p, c->n}));
    }
}
