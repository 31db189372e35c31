/* facts_text.h - facts as one line for tables: "type name version [licence] @path; ... !word; ...".
 */
#ifndef KELLET_TESTS_FACTS_TEXT_H
#define KELLET_TESTS_FACTS_TEXT_H

#include "packages/cataloguer.h"

/* Packages as "name version" each, group ("group:name") and the rest only when present; paths only
 * when they are not the file's. Then problems as "!word". */
static inline void facts_text(const struct facts *f, str file, struct buf *out)
{
    for (size_t i = 0; i < f->packages.n; i++) {
        const struct package *p = &f->packages.p[i];
        if (out->n)
            buf_add_str(out, STR("; "));
        if (p->group.n)
            buf_addf(out, "%.*s:", STR_ARG(p->group));
        buf_addf(out, "%.*s %.*s", STR_ARG(p->name), STR_ARG(p->version));
        if (p->licence.n)
            buf_addf(out, " [%.*s]", STR_ARG(p->licence));
        if (!str_eq(p->path, file))
            buf_addf(out, " @%.*s", STR_ARG(p->path));
    }
    for (size_t i = 0; i < f->problems.n; i++) {
        if (out->n)
            buf_add_str(out, STR("; "));
        buf_addf(out, "!%.*s", STR_ARG(f->problems.p[i].what));
    }
}

static inline void facts_text_of(const char *path, str content, uint32_t mode, struct buf *out)
{
    struct facts f;
    struct err e = {0};
    const struct cat_test_file file = {str_z(path), content, mode};
    if (catalogue_files(&file, 1, &f, &e) < 0)
        fail_msg("%s: %s", path, e.text);
    facts_text(&f, file.path, out);
    facts_done(&f);
}

#endif
