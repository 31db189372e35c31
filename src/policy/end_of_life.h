/* end_of_life.h - until when distributions support their releases.
 *
 * The day after which security updates that need no contract end: for Debian that of LTS, for
 * Ubuntu of standard support, for Red Hat and what is rebuilt from it of the maintenance phase.
 * Data, with their source: end_of_life.c. */
#ifndef KELLET_POLICY_END_OF_LIFE_H
#define KELLET_POLICY_END_OF_LIFE_H

#include "base/str.h"

enum support { SUPPORT_UNKNOWN, SUPPORT_ROLLING, SUPPORT_UNTIL };
/* `id` and `version` as os-release gives them. SUPPORT_UNTIL: *end_us is the first moment without
 * support (microseconds, UTC). SUPPORT_ROLLING: the distribution has no releases. */
enum support end_of_life(str id, str version, int64_t *end_us);

#endif
