/* spending.h - the processor time that one evaluation may take: a bundle of many rules, or
 * expressions that take just fewer steps than they may, would else hold a thread for hours. */
#ifndef KELLET_POLICY_SPENDING_H
#define KELLET_POLICY_SPENDING_H

#include <stdbool.h>
#include <stdint.h>

struct spending {
    int64_t until_us; /* of the thread's processor time */
    unsigned calls;
    bool over;
};

/* From now on; at most `us` microseconds. The same thread must go on asking. */
void spending_start(struct spending *s, int64_t us);
/* Is more than that spent? The clock is read once in 64 calls. */
bool spending_over(struct spending *s);
/* The same, reading the clock. */
bool spending_over_now(struct spending *s);

#endif
