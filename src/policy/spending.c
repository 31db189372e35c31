#include "policy/spending.h"

#include <time.h>

static int64_t processor_us(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void spending_start(struct spending *s, int64_t us)
{
    *s = (struct spending){.until_us = processor_us() + us};
}

bool spending_over_now(struct spending *s)
{
    s->over = s->over || processor_us() > s->until_us;
    return s->over;
}

bool spending_over(struct spending *s)
{
    return s->over || (++s->calls % 64 == 0 && spending_over_now(s));
}
