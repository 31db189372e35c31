#include "report/completeness.h"

#include "vulndb/platform.h"

static void count_types(const struct inventory *inv, struct completeness *c)
{
    for (size_t i = 0; i < inv->n_packages; i++) {
        const char *type = inv->packages[i].p.type->name;
        size_t k = 0;
        while (k < c->n_types && strcmp(c->types[k].type, type) != 0)
            k++;
        if (k == TYPES_MAX)
            continue;
        if (k == c->n_types)
            c->types[c->n_types++].type = type;
        c->types[k].n++;
    }
}

static bool lacks_distro_packages(const struct inventory *inv, const struct completeness *c)
{
    const struct distro_family *f = distro_resolve(inv->release.id, inv->release.id_like);
    if (!f)
        return false;
    for (size_t i = 0; i < c->n_types; i++)
        if (strcmp(c->types[i].type, f->package_type) == 0)
            return false;
    return true;
}

struct completeness completeness_of(const struct report_input *in)
{
    const struct inventory *inv = in->inventory;
    const struct findings *f = in->findings;
    struct completeness c = {.no_packages = inv->n_packages == 0};
    count_types(inv, &c);
    c.no_distro_packages = lacks_distro_packages(inv, &c);
    c.complete = !c.no_packages && !c.no_distro_packages && !inv->n_problems && !inv->n_unsupported;
    if (!f)
        return c;
    c.data_missing = f->n_data == 0 || f->n_uncovered > 0;
    for (size_t i = 0; i < f->n_unmatched; i++)
        c.gaps += f->unmatched[i].gap;
    c.complete = c.complete && !c.data_missing && !c.gaps;
    return c;
}
