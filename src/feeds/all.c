/* all.c - the list of feeds. To add one: one file, one line here, one test. */
#include "feeds/drivers.h"

const struct feed_ops *const feeds_all[] = {
    &feed_alpine, &feed_anchore, &feed_debian, &feed_epss, &feed_kev,
    &feed_nvd,    &feed_osv,     &feed_wolfi,  NULL,
};

const struct feed_ops *feed_find(str name)
{
    for (size_t i = 0; feeds_all[i]; i++)
        if (str_eq(str_z(feeds_all[i]->name), name))
            return feeds_all[i];
    return NULL;
}
