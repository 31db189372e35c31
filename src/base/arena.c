#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stddef.h>

enum { BLOCK_MIN = 16 * 1024, BLOCK_MAX = 1024 * 1024, ALIGN = alignof(max_align_t) };

struct arena_block {
    struct arena_block *prev;
    size_t size;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

void arena_done(struct arena *a)
{
    while (a->head) {
        struct arena_block *b = a->head;
        a->head = b->prev;
        free(b);
    }
    arena_init(a, a->max);
}

static bool arena_grow(struct arena *a, size_t size)
{
    size_t want = a->head ? a->head->size * 2 : BLOCK_MIN;
    if (want > BLOCK_MAX)
        want = BLOCK_MAX;
    if (want < size)
        want = size;
    size_t total;
    if (ke_add_overflow(want, sizeof(struct arena_block), &total) || total > a->max - a->used) {
        want = size;
        if (ke_add_overflow(want, sizeof(struct arena_block), &total) || total > a->max - a->used)
            return false;
    }
    struct arena_block *b = malloc(total);
    if (!b)
        return false;
    b->prev = a->head;
    b->size = want;
    a->head = b;
    a->used += total;
    a->next = b->data;
    a->end = b->data + want;
    return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t rounded;
    if (ke_add_overflow(size, (size_t)ALIGN - 1, &rounded)) {
        a->full = true;
        return NULL;
    }
    rounded &= ~((size_t)ALIGN - 1);
    if ((size_t)(a->end - a->next) < rounded && !arena_grow(a, rounded)) {
        a->full = true;
        return NULL;
    }
    void *p = a->next;
    a->next += rounded;
    return memset(p, 0, size);
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
    size_t total;
    if (ke_mul_overflow(n, size, &total)) {
        a->full = true;
        return NULL;
    }
    return arena_alloc(a, total);
}

str arena_dup(struct arena *a, str s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (!p)
        return (str){NULL, 0};
    if (s.n)
        memcpy(p, s.p, s.n);
    return (str){p, s.n};
}

str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (!p)
        return (str){NULL, 0};
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return (str){p, (size_t)n};
}
