#include "packages/origin.h"

#include "base/auto.h"

#include <stdlib.h>

struct origin {
    const struct package *p;
    uint32_t index;
    bool ended; /* a lower file did not name it */
};

static int origin_cmp(const void *x, const void *y)
{
    return package_cmp(((const struct origin *)x)->p, ((const struct origin *)y)->p);
}

static void origin_list(const struct squash_layer *layers, const struct origin_place *place,
                        struct origin *list)
{
    const struct facts *f = &layers[place->layer].facts;
    for (uint32_t i = 0; i < place->file->n_packages; i++)
        list[i] = (struct origin){.p = &f->packages.p[place->file->first_package + i], .index = i};
    qsort(list, place->file->n_packages, sizeof *list, origin_cmp);
}

/* Both lists are sorted. How many of the upper list the lower one still names. */
static size_t origin_meet(struct origin *upper, size_t n_upper, const struct origin *lower,
                          size_t n_lower, uint32_t layer, uint32_t *layer_of)
{
    size_t named = 0;
    for (size_t i = 0, k = 0; i < n_upper; i++) {
        if (upper[i].ended)
            continue;
        while (k < n_lower && origin_cmp(&lower[k], &upper[i]) < 0)
            k++;
        upper[i].ended = k == n_lower || origin_cmp(&lower[k], &upper[i]) != 0;
        if (!upper[i].ended) {
            layer_of[upper[i].index] = layer;
            named++;
        }
    }
    return named;
}

/* Did a layer between the two remove the file? */
static bool origin_hidden(const struct squash_layer *layers, const struct origin_place *lower,
                          uint32_t upper)
{
    for (uint32_t l = lower->layer + 1; l < upper; l++)
        if (layers[l].record && layer_record_hides(layers[l].record, lower->file->path))
            return true;
    return false;
}

int origin_layers(const struct squash_layer *layers, const struct origin_place *top,
                  uint32_t *layer_of, struct err *e)
{
    size_t n = top->file->n_packages, most = 0;
    for (size_t i = 0; i < n; i++)
        layer_of[i] = top->layer;
    for (const struct origin_place *p = top->below; p; p = p->below)
        most = p->file->n_packages > most ? p->file->n_packages : most;
    if (n == 0 || most == 0)
        return 0;
    autofree struct origin *upper = calloc(n, sizeof *upper), *lower = calloc(most, sizeof *lower);
    if (!upper || !lower)
        return err_no_memory(e);
    origin_list(layers, top, upper);
    uint32_t above = top->layer;
    for (const struct origin_place *p = top->below; p && !origin_hidden(layers, p, above);
         p = p->below) {
        origin_list(layers, p, lower);
        if (origin_meet(upper, n, lower, p->file->n_packages, p->layer, layer_of) == 0)
            break;
        above = p->layer;
    }
    return 0;
}
