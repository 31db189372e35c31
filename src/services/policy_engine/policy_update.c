#include "services/policy_engine/policy_update.h"

#include "services/api/policy_engine.h"
#include "services/log.h"
#include "services/policy_engine/subscribed.h"
#include "services/policy_engine/vulndata.h"

enum { ANSWER_MAX = 64 << 20 };

int policy_update_evaluate(struct engine *en, str account, str digest, str tag, struct err *e)
{
    auto_buf path, body;
    int status = 0;
    buf_init(&path, 64 << 10);
    buf_init(&body, ANSWER_MAX);
    buf_add_str(&path, STR("/users/"));
    policy_engine_escape(&path, account);
    buf_add_str(&path, STR("/images/"));
    policy_engine_escape(&path, digest);
    buf_add_str(&path, STR("/check?detail=false&tag="));
    policy_engine_escape(&path, tag);
    const struct service_request rq = {.service = SERVICE_POLICY_ENGINE,
                                       .method = "GET",
                                       .path = buf_z(&path),
                                       .account = account};
    int rc = rq.path ? service_request(en, &rq, &status, &body, e) : err_no_memory(e);
    if (rc >= 0 && (status >= 500 || status == 413))
        return err_set(e, ERR_IO, "the policy engine answered %d: %.*s", status,
                       STR_ARG(str_sub(buf_view(&body), 0, 300)));
    return rc < 0 ? rc : 0;
}

static int do_due(struct engine *en, const struct subscribed *s, struct err *e)
{
    for (size_t i = 0; i < s->tags.n; i++) {
        const struct subscribed_tag *t = s->tags.p[i];
        struct err why = {0};
        if (engine_stopping(en))
            return err_set(e, ERR_CONFLICT, "the engine is stopping");
        int rc = t->due ? policy_update_evaluate(en, t->account, t->digest, t->fulltag, &why) : 0;
        if (rc < 0)
            log_warn("policy_engine", "evaluation of %.*s of %.*s: %s", STR_ARG(t->fulltag),
                     STR_ARG(t->account), why.text);
        if (rc == ERR_NET)
            return err_set(e, rc, "%s", why.text);
    }
    return 0;
}

int policy_update_run(struct engine *en, struct err *e)
{
    struct subscribed s;
    int rc = vulndata_newest(en, e);
    if (rc != 1)
        return rc;
    subscribed_init(&s, "policy_eval");
    do {
        rc = subscribed_read(en, &s, false, e);
        if (rc >= 0)
            rc = do_due(en, &s, e);
        if (rc >= 0)
            rc = subscribed_move(en, &s, e);
    } while (rc >= 0 && s.more);
    subscribed_done(&s);
    return rc < 0 ? rc : 0;
}
