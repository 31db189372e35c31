#include "packages/package_files.h"
#include "services/analyzer/analysis.h"
#include "services/policy_engine/vuln_rows.h"

static void put_file(struct buf *b, const struct owned_file *f)
{
    buf_add_char(b, '[');
    json_put_ascii(b, f->path);
    buf_add_str(b, STR(",\""));
    buf_add_str(b, str_z(owned_algorithm_name(f->algorithm)));
    buf_add_str(b, STR("\",\""));
    analysis_add_hex(b, f->digest, owned_digest_size(f->algorithm));
    buf_add_str(b, STR("\","));
    analysis_add_number(b, f->flags & OWNED_MODE ? f->mode : 0u, 10, 1);
    buf_add_char(b, ',');
    analysis_add_number(b, f->size, 10, 1);
    buf_add_char(b, ',');
    analysis_add_number(b, f->flags, 10, 1);
    buf_add_char(b, ']');
}

static void put_package(struct buf *b, const struct inv_package *p)
{
    buf_add_str(b, STR("{\"name\":"));
    json_put_ascii(b, p->p.name);
    buf_add_str(b, STR(",\"version\":"));
    json_put_ascii(b, p->p.version);
    buf_addf(b, ",\"type\":\"%s\",\"files\":[", package_type_shown(p->p.type));
    for (size_t i = 0; i < p->n_files; i++) {
        if (i)
            buf_add_str(b, STR(",\n"));
        put_file(b, &p->files[i]);
    }
    buf_add_str(b, STR("]}"));
}

int analysis_package_files(struct analysis *s, const struct analysis_input *in, struct err *e)
{
    const struct inventory *inv = in->inv;
    bool first = true;
    if (!inv->has_package_files)
        return 0;
    struct buf *b = analysis_begin(s, "package_files");
    if (!b)
        return err_no_memory(e);
    buf_add_char(b, '[');
    for (size_t i = 0; i < inv->n_packages; i++) {
        if (!inv->packages[i].n_files)
            continue;
        buf_add_str(b, first ? STR("\n") : STR(",\n"));
        put_package(b, &inv->packages[i]);
        first = false;
    }
    buf_add_str(b, STR("\n]\n"));
    return buf_check(b, "the list of packages' files", e);
}
