/* all.c - the list of cataloguers, asked in this order. To add one: one file, one line in each list
 * here, one test. */
#include "packages/cataloguer.h"

extern const struct cataloguer cataloguer_release, cataloguer_dpkg, cataloguer_copyright,
    cataloguer_chisel, cataloguer_apk, cataloguer_rpm, cataloguer_alpm, cataloguer_npm,
    cataloguer_python, cataloguer_ruby, cataloguer_java, cataloguer_unread, cataloguer_go;

const struct cataloguer *const cataloguers[] = {
    &cataloguer_release,
    &cataloguer_dpkg,
    &cataloguer_copyright,
    &cataloguer_chisel,
    &cataloguer_apk,
    &cataloguer_rpm,
    &cataloguer_alpm,
    &cataloguer_npm,
    &cataloguer_python,
    &cataloguer_ruby,
    &cataloguer_java,
    &cataloguer_unread,
    &cataloguer_go, /* last: it takes every executable */
    NULL,
};

const struct cataloguer *cataloguer_for(str path, uint64_t size, uint32_t mode)
{
    for (const struct cataloguer *const *c = cataloguers; *c; c++)
        if ((*c)->wants(path, size, mode))
            return *c;
    return NULL;
}
