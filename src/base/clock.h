/* clock.h - a clock that never jumps (CLOCK_MONOTONIC), for time-outs and measurements; and the
 * time of day. */
#ifndef KELLET_BASE_CLOCK_H
#define KELLET_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_us(void); /* microseconds since some moment before the process */
static inline int64_t clock_ms(void)
{
    return clock_us() / 1000;
}
static inline int64_t clock_s(void)
{
    return clock_us() / 1000000;
}
static inline double clock_seconds(void)
{
    return (double)clock_us() / 1e6;
}

int64_t clock_wall_us(void); /* microseconds since 1970; may be set back and forth */

#endif
