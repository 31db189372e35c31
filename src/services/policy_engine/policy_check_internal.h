/* policy_check_internal.h - a question about an image's verdict under way, and verdicts that are
 * kept: shared by the files that answer (policy_check.c, policy_check_history.c, policy_dry_run.c)
 * and the one that makes and keeps verdicts (policy_verdict.c). */
#ifndef KELLET_SERVICES_POLICY_ENGINE_POLICY_CHECK_INTERNAL_H
#define KELLET_SERVICES_POLICY_ENGINE_POLICY_CHECK_INTERNAL_H

#include "services/policy_engine/evaluations.h"
#include "services/policy_engine/policy_check.h"

struct kept_verdict {
    struct kept kept;
    /* of what */
    int64_t bundle_updated, vex, analyzed, image_updated, synced, valid_until;
    char generation[72];
    /* the verdict */
    enum policy_action action;
    char eval_id[EVALUATION_ID];
    struct buf detail;        /* {"policy", "result"}, as it stands in the answer */
    size_t created, modified; /* where its times are */
    struct buf result;        /* for the store; emptied once it is there */
    _Atomic int64_t stored;   /* when a row was last written; 0: never */
};

struct policy_checks {
    struct policy_loads *loads;
    struct keeper *verdicts;
    _Atomic bool caching;
    _Atomic int64_t synced, synced_at; /* of all feeds, and the second in which it was read */
};

struct asked {
    struct call *c;
    struct policy_checks *p;
    struct vuln_reports *reports;
    const struct policy_question *q;
    /* read */
    bool found;
    str digest, state;
    int64_t analyzed, updated;
    str policy; /* p NULL: there is none */
    int64_t policy_updated;
    int64_t vex; /* state of the account's VEX documents */
    int64_t now;
    struct image_record record; /* with account NULL: not read yet */
};

/* Reads what the question is about: state of the image, policy, time, last synchronisation. A
 * transaction's function; ctx is the struct asked. */
int asked_read(struct db_tx *tx, void *ctx, struct err *e);
/* Reads the image's record unless it was read. ERR_NOT_FOUND. */
int asked_need_record(struct asked *a);

/* The verdict on the image under a tag ("": none) by the policy that was read: the kept one while
 * it is good, else a new one. Nothing is stored. The caller drops it: kept_drop(&v->kept). */
int verdict_get(struct asked *a, str tag, struct kept_verdict **out);
/* Writes its row when that is due and the question is not interactive. Of several threads one
 * writes. */
int verdict_store(struct asked *a, str tag, struct kept_verdict *v);

/* Answers with all evaluations that are stored, the newest of each tag being of now. */
int policy_check_history(struct asked *a, const str *tags, size_t n);

#endif
