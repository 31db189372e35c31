/* clock.h - a clock that never jumps (CLOCK_MONOTONIC), for time-outs and measurements. */
#ifndef KELLET_BASE_CLOCK_H
#define KELLET_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_us(void); /* microseconds since some moment before the process */
static inline int64_t clock_s(void)
{
    return clock_us() / 1000000;
}
static inline double clock_seconds(void)
{
    return (double)clock_us() / 1e6;
}

#endif
