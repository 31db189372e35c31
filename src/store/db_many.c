#include "store/db_many.h"

void db_places(struct buf *sql, size_t groups, size_t each)
{
    size_t n = 0;
    for (size_t g = 0; g < groups; g++) {
        buf_add_str(sql, g ? STR(", (") : STR("("));
        for (size_t i = 0; i < each; i++)
            buf_addf(sql, i ? ", $%zu" : "$%zu", ++n);
        buf_add_char(sql, ')');
    }
}

size_t db_batch(size_t left, size_t max)
{
    for (size_t n = max; n > 1; n /= 4)
        if (left >= n)
            return n;
    return 1;
}
