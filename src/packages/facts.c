#include "packages/package.h"

#include "packages/catalogue.h"

void facts_init(struct facts *f, size_t arena_max)
{
    *f = (struct facts){0};
    arena_init(&f->arena, arena_max ? arena_max : FACTS_ARENA_MAX);
}

void facts_done(struct facts *f)
{
    vec_done(&f->packages);
    vec_done(&f->files);
    vec_done(&f->releases);
    vec_done(&f->owned);
    vec_done(&f->licences);
    vec_done(&f->problems);
    vec_done(&f->links);
    vec_done(&f->unsupported);
    arena_done(&f->arena);
}
