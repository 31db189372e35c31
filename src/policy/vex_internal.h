/* vex_internal.h - what vex.c and the readers of the formats share. */
#ifndef KELLET_POLICY_VEX_INTERNAL_H
#define KELLET_POLICY_VEX_INTERNAL_H

#include "base/arena.h"
#include "base/map.h"
#include "codec/json.h"
#include "policy/vex.h"

struct vex_statement {
    str product;                /* package URL */
    str subcomponent;           /* package URL; empty: all of the product */
    const char *status;         /* OpenVEX's word */
    int64_t time;               /* microseconds; 0: not stated */
    size_t number;              /* in the order of reading, of all */
    struct vex_statement *next; /* about the same vulnerability, in the order of reading */
};
struct vex_list {
    struct vex_statement *first, *last;
};
struct vex {
    struct arena arena;
    struct map by_id; /* lower-case id -> struct vex_list */
    size_t n, unusable;
};

/* Adds a statement under each of the ids; what is no package URL is counted. ERR_LIMIT. */
int vex_add(struct vex *v, const str *ids, size_t n_ids, str product, str subcomponent,
            const char *status, int64_t time, struct err *e);

int vex_read_openvex(struct vex *v, yyjson_val *root, struct err *e);
int vex_read_csaf(struct vex *v, yyjson_val *root, struct err *e);
int vex_read_cyclonedx(struct vex *v, yyjson_val *root, struct err *e);

#endif
