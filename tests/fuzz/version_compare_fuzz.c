/* Three slices of the input, in every scheme: order is antisymmetric and (where there are
 * keys: maven's and alpm's own orders are not) transitive, a text equals itself, and keys are
 * ordered as the texts are. The slices end at the first two newlines. */
#include "version/version.h"

#include <stdlib.h>

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_scheme(const struct version_ops *ops, const str v[3])
{
    int order[3][3];
    struct buf keys[3];
    for (int i = 0; i < 3; i++) {
        buf_init(&keys[i], 1 << 20);
        check(!ops->key || ops->key(v[i], &keys[i]));
        ops->valid(v[i]);
        for (int j = 0; j < 3; j++)
            order[i][j] = sign(ops->compare(v[i], v[j]));
    }
    for (int i = 0; i < 3; i++) {
        check(order[i][i] == 0);
        for (int j = 0; j < 3; j++) {
            check(order[i][j] == -order[j][i]);
            check(version_comparable(ops, v[i], v[j]) == version_comparable(ops, v[j], v[i]));
            if (!ops->key)
                continue;
            check(sign(str_cmp(buf_view(&keys[i]), buf_view(&keys[j]))) == order[i][j]);
            for (int k = 0; k < 3; k++)
                if (order[i][j] <= 0 && order[j][k] <= 0)
                    check(order[i][k] == (order[i][j] + order[j][k] < 0 ? -1 : 0));
        }
    }
    for (int i = 0; i < 3; i++)
        buf_done(&keys[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096)
        return 0;
    str rest = {(const char *)data, size}, v[3];
    for (int i = 0; i < 2; i++)
        v[i] = str_split(&rest, '\n');
    v[2] = rest;
    for (size_t s = 0; version_schemes[s]; s++)
        check_scheme(version_schemes[s], v);
    return 0;
}
