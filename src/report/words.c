#include "report/words.h"

const char *suppression_name(enum suppression_kind k)
{
    switch (k) {
    case SUPPRESSED_OWNED:
        return "owned-by-distro-package";
    case SUPPRESSED_NOT_AFFECTED:
        return "not-affected";
    case SUPPRESSED_HEADERS:
        return "kernel-headers";
    }
    return "unknown";
}
