#include "packages/licence.h"

bool licence_is_list(const struct package_type *t)
{
    return str_eq(str_z(t->name), STR("npm")) || str_eq(str_z(t->name), STR("gem"));
}

void licence_list_add(struct buf *list, str stated)
{
    stated = str_trim(stated);
    if (!stated.n)
        return;
    if (list->n)
        buf_add_char(list, '\n');
    for (size_t i = 0; i < stated.n; i++) /* a line each */
        buf_add_char(list, stated.p[i] == '\n' || stated.p[i] == '\r' ? ' ' : stated.p[i]);
}

void licence_list_join(str list, const char *between, struct buf *out)
{
    for (size_t n = 0; list.n; n++) {
        if (n)
            buf_add_str(out, str_z(between));
        buf_add_str(out, str_split(&list, '\n'));
    }
}

str licence_expression(str list, struct buf *scratch)
{
    buf_init(scratch, 4 * list.n + 1);
    if (str_index(list, '\n') < 0)
        return list;
    licence_list_join(list, " OR ", scratch);
    return buf_view(scratch);
}
