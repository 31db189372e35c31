/* tar_pax.c - records of pax extended headers: "LENGTH KEY=VALUE\n". */
#include "codec/tar_internal.h"

enum { MAX_RUNS = 1 << 20 };

void pax_init(struct pax *p, size_t max_path)
{
    *p = (struct pax){0};
    buf_init(&p->path, max_path);
    buf_init(&p->link, max_path);
}

void pax_clear(struct pax *p)
{
    p->has_path = p->has_link = p->has_size = p->has_mtime = false;
    p->sparse = p->sparse_map_in_data = p->pending_offset = false;
    p->sparse_size = 0;
    p->runs.n = 0;
}

void pax_done(struct pax *p)
{
    buf_done(&p->path);
    buf_done(&p->link);
    vec_done(&p->runs);
}

static int pax_text(struct buf *into, bool *has, str value, struct err *e)
{
    buf_clear(into);
    buf_add_str(into, value);
    *has = true;
    return buf_check(into, "a path in the archive", e);
}

static int pax_number(str key, str value, uint64_t *out, struct err *e)
{
    if (str_to_u64(value, out) && *out <= INT64_MAX)
        return 0;
    return err_set(e, ERR_FORMAT, "%.*s in an extended header is not a number", STR_ARG(key));
}

static int pax_run(struct pax *p, uint64_t offset, uint64_t size, struct err *e)
{
    if (p->runs.n >= MAX_RUNS)
        return err_set(e, ERR_LIMIT, "a sparse file has more than %d runs", MAX_RUNS);
    struct sparse_run *run = vec_push(&p->runs);
    if (!run)
        return err_no_memory(e);
    *run = (struct sparse_run){offset, size};
    return 0;
}

/* GNU.sparse.map of format 0.1: "offset,size,offset,size..." */
static int pax_sparse_map(struct pax *p, str map, struct err *e)
{
    p->runs.n = 0;
    while (map.n) {
        uint64_t offset, size;
        str first = str_split(&map, ','), second = str_split(&map, ',');
        int r = pax_number(STR("GNU.sparse.map"), first, &offset, e);
        if (r == 0)
            r = pax_number(STR("GNU.sparse.map"), second, &size, e);
        if (r == 0)
            r = pax_run(p, offset, size, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int pax_sparse(struct pax *p, str key, str value, struct err *e)
{
    uint64_t number = 0;
    int r = 0;
    p->sparse = true;
    if (str_eq(key, STR("name")))
        return pax_text(&p->path, &p->has_path, value, e);
    if (str_eq(key, STR("map")))
        return pax_sparse_map(p, value, e);
    if (str_eq(key, STR("major"))) {
        p->sparse_map_in_data = str_eq(value, STR("1"));
        return 0;
    }
    if (str_eq(key, STR("minor")) || str_eq(key, STR("numblocks")))
        return 0;
    r = pax_number(key, value, &number, e);
    if (r < 0)
        return r;
    if (str_eq(key, STR("size")) || str_eq(key, STR("realsize"))) {
        p->sparse_size = number;
    } else if (str_eq(key, STR("offset"))) {
        p->offset = number;
        p->pending_offset = true;
    } else if (str_eq(key, STR("numbytes")) && p->pending_offset) {
        p->pending_offset = false;
        r = pax_run(p, p->offset, number, e);
    }
    return r;
}

static int pax_record(struct pax *p, str key, str value, struct err *e)
{
    static const str sparse = STR_INIT("GNU.sparse.");
    if (str_eq(key, STR("path")))
        /* the name of a sparse file stands in GNU.sparse.name, "path" is a made-up one */
        return p->sparse && p->has_path ? 0 : pax_text(&p->path, &p->has_path, value, e);
    if (str_eq(key, STR("linkpath")))
        return pax_text(&p->link, &p->has_link, value, e);
    if (str_eq(key, STR("size"))) {
        p->has_size = true;
        return pax_number(key, value, &p->size, e);
    }
    if (str_eq(key, STR("mtime"))) {
        uint64_t seconds;
        str whole = str_split(&value, '.');
        p->has_mtime = str_to_u64(whole, &seconds) && seconds <= INT64_MAX;
        if (p->has_mtime)
            p->mtime = (int64_t)seconds;
        return 0;
    }
    if (str_starts(key, sparse))
        return pax_sparse(p, str_from(key, sparse.n), value, e);
    return 0;
}

int pax_parse(struct pax *p, str records, struct err *e)
{
    while (records.n) {
        /* some writers pad with zeros */
        if (records.p[0] == '\0')
            return 0;
        ptrdiff_t blank = str_index(records, ' ');
        uint64_t length;
        if (blank <= 0 || !str_to_u64(str_sub(records, 0, (size_t)blank), &length) ||
            length <= (uint64_t)blank + 1 || length > records.n || records.p[length - 1] != '\n')
            return err_set(e, ERR_FORMAT, "a pax extended header is malformed");
        str record = str_sub(records, (size_t)blank + 1, (size_t)length - 1);
        ptrdiff_t equals = str_index(record, '=');
        if (equals <= 0)
            return err_set(e, ERR_FORMAT, "a pax extended header has a record without key");
        int r = pax_record(p, str_sub(record, 0, (size_t)equals),
                           str_from(record, (size_t)equals + 1), e);
        if (r < 0)
            return r;
        records = str_from(records, (size_t)length);
    }
    return 0;
}
