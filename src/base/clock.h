/* clock.h - a clock that never jumps (CLOCK_MONOTONIC), for time-outs and measurements. */
#ifndef KELLET_BASE_CLOCK_H
#define KELLET_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_us(void); /* microseconds since some moment before the process */

#endif
