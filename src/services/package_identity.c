#include "services/package_identity.h"

#include "base/cursor.h"
#include "match/query.h"
#include "vulndb/diff.h"

enum { NAMES_ARENA = 4 << 20 };

static void put(struct buf *out, str s)
{
    buf_add_varint(out, s.n);
    buf_add_str(out, s);
}

static void put_package(struct buf *out, const struct package *p)
{
    const str fields[] = {p->name,        p->version,        p->arch,  p->group,
                          p->source_name, p->source_version, p->module};
    put(out, str_z(p->type->name));
    for (size_t i = 0; i < KE_ARRAY_LEN(fields); i++)
        put(out, fields[i]);
}

int package_identity_write(const struct inventory *inv, const struct inv_package *p,
                           const struct package *owner, struct buf *out, struct err *e)
{
    bool distro = !p->p.type->ecosystem, owned = !distro && p->owner.n;
    const struct release_info *r = &inv->release;
    put_package(out, &p->p);
    if (distro || owned) {
        put(out, r->id);
        put(out, r->id_like);
        put(out, r->version_id);
        put(out, r->codename);
    }
    if (owned) {
        put(out, p->owner);
        if (owner)
            put_package(out, owner);
    }
    return buf_check(out, "what makes up a package", e);
}

static str take(struct cursor *c)
{
    return cursor_bytes(c, cursor_varint(c));
}

static int take_package(struct cursor *c, struct package *p, struct err *e)
{
    str *fields[] = {&p->name,        &p->version,        &p->arch,  &p->group,
                     &p->source_name, &p->source_version, &p->module};
    str type = take(c);
    *p = (struct package){.type = package_type_find(type)};
    for (size_t i = 0; i < KE_ARRAY_LEN(fields); i++)
        *fields[i] = take(c);
    if (!cursor_ok(c))
        return err_set(e, ERR_FORMAT, "a stored package is damaged");
    return p->type ? 0
                   : err_set(e, ERR_UNSUPPORTED, "packages of type %.*s are not known here",
                             STR_ARG(type));
}

int package_identity_read(str bytes, struct package_identity *out, struct err *e)
{
    struct cursor c = cursor_over(bytes.p, bytes.n);
    *out = (struct package_identity){0};
    int r = take_package(&c, &out->p, e);
    if (r < 0 || !cursor_left(&c))
        return r;
    out->release.id = take(&c);
    out->release.id_like = take(&c);
    out->release.version_id = take(&c);
    out->release.codename = take(&c);
    if (cursor_left(&c))
        out->owner_name = take(&c);
    if (cursor_left(&c))
        r = take_package(&c, &out->owner, e);
    if (r == 0 && (!cursor_ok(&c) || cursor_left(&c)))
        r = err_set(e, ERR_FORMAT, "a stored package is damaged");
    return r;
}

static int add_names(const struct package *p, uint64_t *out, size_t *n, struct err *e)
{
    struct arena a;
    str names[MATCH_QUERIES_MAX], ecosystem;
    size_t found = 0;
    arena_init(&a, NAMES_ARENA);
    int r = match_names_of(p, &a, &ecosystem, names, &found, e);
    for (size_t i = 0; r == 0 && i < found; i++)
        out[(*n)++] = vulndb_name_key(ecosystem, names[i]);
    arena_done(&a);
    return r;
}

int package_identity_names(const struct package_identity *id, uint64_t out[IDENTITY_NAMES_MAX],
                           size_t *n, struct err *e)
{
    *n = 0;
    int r = add_names(&id->p, out, n, e);
    if (r == 0 && id->owner.type)
        r = add_names(&id->owner, out, n, e);
    return r;
}
