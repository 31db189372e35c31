#include "policy/problems.h"

#include <stdarg.h>
#include <stdio.h>

void problems_init(struct policy_problems *p, struct arena *a)
{
    *p = (struct policy_problems){.arena = a};
}

/* Full exactly when n is 0 or a power of two. */
static bool make_room(struct policy_problems *p)
{
    if (p->n & (p->n - 1))
        return true;
    struct policy_problem *list = arena_calloc(p->arena, p->n ? p->n * 2 : 1, sizeof *list);
    if (!list)
        return false;
    if (p->n)
        memcpy(list, p->list, p->n * sizeof *list);
    p->list = list;
    return true;
}

bool problems_add(struct policy_problems *p, const char *severity, const char *type, str details)
{
    p->total++;
    if (p->n >= BUNDLE_PROBLEMS_MAX)
        return true;
    if (!details.p || !make_room(p))
        return false;
    p->list[p->n++] = (struct policy_problem){severity, type, details};
    return true;
}

bool problems_addf(struct policy_problems *p, const char *severity, const char *type,
                   const char *fmt, ...)
{
    char text[16384];
    if (p->n >= BUNDLE_PROBLEMS_MAX) {
        p->total++;
        return true;
    }
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t size = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    return problems_add(p, severity, type, arena_dup(p->arena, (str){text, size}));
}

bool problems_append(struct policy_problems *p, const struct policy_problems *from)
{
    for (size_t i = 0; i < from->n; i++)
        if (!problems_add(p, from->list[i].severity, from->list[i].type, from->list[i].details))
            return false;
    p->total += from->total - from->n;
    return true;
}
