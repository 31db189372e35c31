/* vec.h - typed growable arrays on the heap: struct { T *p; size_t n, cap; } and one macro.
 *
 *     VEC(struct thing) things = {0};
 *     struct thing *t = vec_push(&things);      NULL when memory is out; otherwise zeroed
 *     vec_done(&things);
 * Pointers into a vec are valid until the next vec_push. */
#ifndef KELLET_BASE_VEC_H
#define KELLET_BASE_VEC_H

#include <stddef.h>

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *p;                                                                                   \
        size_t n, cap;                                                                             \
    }

/* Grows *items (n of cap used, each `size` bytes) by one zeroed item; returns it or NULL. */
void *vec_grow(void **items, size_t *n, size_t *cap, size_t size);

#define vec_push(v)                                                                                \
    ((__typeof__((v)->p))vec_grow((void **)&(v)->p, &(v)->n, &(v)->cap, sizeof *(v)->p))
#define vec_done(v) (free((v)->p), (v)->p = NULL, (v)->n = (v)->cap = 0)

#endif
