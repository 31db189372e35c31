#include "services/package_places.h"

#include "base/map.h"

static bool is_python(const struct package_type *t)
{
    return str_eq(str_z(t->name), STR("python"));
}

/* Modules stand beside the directory of their metadata. */
static str place_of(const struct package *p, str path)
{
    if (path.n && path.p[0] == '/') /* a hint's */
        path = str_from(path, 1);
    if (!is_python(p->type))
        return path;
    str site = str_dirname(path), base = str_basename(site);
    if (str_eq_nocase(str_basename(path), p->name)) /* imported: the modules' own */
        return site;
    bool metadata = str_ends(base, STR(".dist-info")) || str_ends(base, STR(".egg-info"));
    return metadata ? str_dirname(site) : site;
}

str package_place_of_location(const struct package_type *t, str location)
{
    str place = is_python(t) ? str_dirname(location) : location;
    return place.n && place.p[0] == '/' ? str_from(place, 1) : place;
}

const struct package_place *package_places(const struct inv_package *ip, struct arena *a, size_t *n)
{
    const struct evidence own = {.path = ip->p.path, .layer = UINT32_MAX};
    const struct evidence *all = ip->n_evidence ? ip->evidence : &own;
    size_t found = ip->n_evidence && ip->p.type->ecosystem ? ip->n_evidence : 1;
    struct package_place *out = arena_calloc(a, found, sizeof *out);
    struct map seen KE_CLEANUP(map_done);
    map_init(&seen);
    *n = 0;
    for (size_t i = 0; out && i < found; i++) {
        str place = place_of(&ip->p, all[i].path);
        void **slot = found > 1 ? map_slot(&seen, place) : NULL;
        if (found > 1 && !slot)
            return NULL;
        if (slot && *slot)
            continue;
        if (slot)
            *slot = out;
        out[(*n)++] = (struct package_place){all[i].path, place, all[i].layer};
    }
    return out;
}
