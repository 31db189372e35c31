/* sample.h - a small image as facts of a policy, for the tables of gates. */
#ifndef KELLET_TESTS_POLICY_SAMPLE_H
#define KELLET_TESTS_POLICY_SAMPLE_H

#include "policy/facts.h"

extern const struct policy_image sample_image;
extern const struct policy_image sample_scratch; /* nothing is known of it */
extern const struct policy_subject sample_subject, sample_scratch_subject;
/* 2026-11-23 00:00:00 UTC */
#define SAMPLE_NOW 1795392000000000

#endif
