#include "services/kubernetes_webhook/admission.h"

#include "base/clock.h"
#include "net/base64.h"
#include "services/kubernetes_webhook/verdict.h"
#include "services/metrics.h"

#include <pthread.h>

enum { JOB_MEMORY = 32 << 20, TEXTS_MAX = 32, MESSAGE_MAX = 8 << 10, TIMEOUT_MARGIN_MS = 1000 };

struct job {
    _Atomic unsigned uses; /* of the call and of the thread that judges */
    pthread_mutex_t lock;
    bool done;
    struct httpd_request *rq; /* parked; NULL: nobody waits any more */

    struct engine *engine;
    struct hook *hook;
    struct admission_settings *settings;
    struct arena arena;
    yyjson_doc *doc;
    struct review review;
    str only_account; /* the caller's; empty: he may ask for all */
    str request_id;
    bool mutate;
    int64_t from_ms, until_ms;

    /* the answer, when done */
    bool allowed;
    str refusals[TEXTS_MAX], warnings[TEXTS_MAX];
    size_t n_refusals, n_warnings, refused;
    str patch; /* JSON; empty: none */
};

static void job_drop(struct job *j)
{
    if (--j->uses)
        return;
    yyjson_doc_free(j->doc);
    admission_settings_drop(j->settings);
    arena_done(&j->arena);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

/* ---- judging -----------------------------------------------------------------------------------
 */

static void refuse(struct job *j, str why)
{
    j->allowed = false;
    j->refused++;
    if (j->n_refusals < TEXTS_MAX)
        j->refusals[j->n_refusals++] = why.p ? why : STR("out of memory");
}

static void warn(struct job *j, str what)
{
    if (what.p && j->n_warnings < TEXTS_MAX)
        j->warnings[j->n_warnings++] = what;
}

/* What could not be found out. */
static void fail(struct job *j, const struct admission_selector *s, str why)
{
    if (s->mode == ADMISSION_BREAKGLASS || j->settings->error_allow)
        warn(j, arena_printf(&j->arena, "allowed without a verdict: %.*s", STR_ARG(why)));
    else
        refuse(j, arena_printf(&j->arena, "no verdict: %.*s", STR_ARG(why)));
}

static bool has_digest(str image)
{
    return str_index(image, '@') >= 0;
}

static str unknown_text(struct job *j, const struct verdict_answer *v, str image)
{
    struct arena *a = &j->arena;
    if (!j->settings->request_analysis || j->review.dry_run)
        return v->text;
    if (hook_ask_analysis(j->hook, v->account, image, j->request_id))
        return arena_printf(a, "%.*s; its analysis has been asked for", STR_ARG(v->text));
    return arena_printf(a, "%.*s, and its analysis could not be asked for", STR_ARG(v->text));
}

/* A verdict of the last seconds. With `renew` it is looked for again, later, when that is due. */
static bool remembered(struct job *j, const struct admission_selector *s, str image, bool renew,
                       struct verdict_answer *out)
{
    const struct verdict_age age = {j->from_ms, j->settings->cache_ms};
    bool due = false;
    bool found = age.keep_ms && verdict_cache_get(hook_cache(j->hook), s, image, age, &j->arena,
                                                  out, renew ? &due : NULL);
    if (due)
        refresher_add(hook_refresher(j->hook), j->settings, s, image);
    return found;
}

/* Whole ones, at least one. */
static unsigned seconds_left(const struct job *j, int64_t now)
{
    return now < j->until_ms ? (unsigned)((j->until_ms - now + 999) / 1000) : 1;
}

static int find(struct job *j, const struct admission_selector *s, str image,
                struct verdict_answer *out, struct err *e)
{
    if (remembered(j, s, image, true, out))
        return 0;
    int64_t now = clock_ms(); /* before it is looked for: what changes meanwhile is not kept long */
    const struct verdict_question q = {j->engine, s, image, j->request_id, seconds_left(j, now)};
    int k = verdict_find(&q, &j->arena, out, e);
    if (k == 0 && j->settings->cache_ms)
        verdict_cache_put(hook_cache(j->hook), s, image, now, out);
    return k;
}

static void judge_image(struct job *j, const struct admission_selector *s, str image)
{
    struct arena *a = &j->arena;
    struct verdict_answer v;
    struct err why = {0};
    if (find(j, s, image, &v, &why) < 0) {
        fail(j, s, arena_dup(a, str_z(why.text)));
        return;
    }
    str text = v.verdict == VERDICT_UNKNOWN ? unknown_text(j, &v, image) : v.text;
    if (s->mode == ADMISSION_BREAKGLASS) {
        if (v.verdict != VERDICT_GOOD)
            warn(j, text);
        return;
    }
    if (v.verdict != VERDICT_GOOD)
        refuse(j, text);
    if (j->settings->digests == DIGESTS_REQUIRED && !has_digest(image))
        refuse(j, arena_printf(a, "image '%.*s' must be named by its digest%s%.*s%s%.*s",
                               STR_ARG(image), v.digest.n ? ": " : "",
                               STR_ARG(v.digest.n ? image : STR("")), v.digest.n ? "@" : "",
                               STR_ARG(v.digest)));
}

/* Whether the caller may have it judged for the selector's account. */
static bool may_use(struct job *j, const struct admission_selector *s)
{
    str account = {NULL, 0};
    struct err why = {0};
    if (!j->only_account.n)
        return true;
    if (verdict_account(j->engine, &j->arena, s, &account, &why) == 0 &&
        str_eq(account, j->only_account))
        return true;
    refuse(j, STR("the caller has no right to ask for this account"));
    return false;
}

static void judge_one(struct job *j, const struct review_image *image)
{
    const struct admission_selector *s = admission_select(j->settings, &j->review, image->name);
    if (s) {
        if (may_use(j, s))
            judge_image(j, s, image->name);
    } else if (!j->settings->default_allow) {
        refuse(j, arena_printf(&j->arena, "no policy selector fits image '%.*s'",
                               STR_ARG(image->name)));
    }
}

/* Nothing has to be looked up: it is judged at once. */
static bool all_remembered(struct job *j)
{
    const struct review *r = &j->review;
    struct verdict_answer ignored;
    if (j->mutate || j->only_account.n)
        return false;
    for (size_t i = 0; i < r->n_images; i++) {
        str name = r->images[i].name;
        const struct admission_selector *s = admission_select(j->settings, r, name);
        if (!r->images[i].known && s && !remembered(j, s, name, false, &ignored))
            return false;
    }
    return true;
}

static bool seen_before(const struct review *r, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (str_eq(r->images[k].name, r->images[i].name))
            return true;
    return false;
}

static void judge(struct job *j)
{
    const struct review *r = &j->review;
    for (size_t i = 0; i < r->n_images && clock_ms() < j->until_ms; i++) {
        size_t before = j->refused;
        if (r->images[i].known || seen_before(r, i))
            continue;
        judge_one(j, &r->images[i]);
        metric_add(j->engine->metrics, METRIC_WEBHOOK_TOTAL, 1,
                   METRIC_LABELS(j->refused == before ? "true" : "false"));
    }
}

/* ---- pinning -----------------------------------------------------------------------------------
 */

/* The digest that an image's name stands for now; empty: not known, not to be told. */
static str digest_of(struct job *j, str image)
{
    struct admission_selector any = {0};
    struct verdict_answer v;
    struct err why = {0};
    const struct admission_selector *s = admission_select(j->settings, &j->review, image);
    if (!s || !may_use(j, s))
        return STR("");
    any = *s;
    any.mode = ADMISSION_BREAKGLASS;
    if (find(j, &any, image, &v, &why) == 0 && v.verdict != VERDICT_UNKNOWN)
        return v.digest;
    warn(j, arena_printf(&j->arena, "image '%.*s' is not pinned: %.*s", STR_ARG(image),
                         STR_ARG(why.code ? str_z(why.text) : unknown_text(j, &v, image))));
    return STR("");
}

static void pin(struct job *j)
{
    const struct review *r = &j->review;
    auto_buf patch;
    buf_init(&patch, JOB_MEMORY);
    for (size_t i = 0; i < r->n_images && clock_ms() < j->until_ms; i++) {
        str name = r->images[i].name;
        str digest = r->images[i].known || has_digest(name) ? STR("") : digest_of(j, name);
        str value = digest.n ? arena_printf(&j->arena, "%.*s@%.*s", STR_ARG(name), STR_ARG(digest))
                             : digest;
        if (!value.n)
            continue;
        buf_add_str(&patch, patch.n ? STR(",") : STR("["));
        buf_add_str(&patch, STR("{\"op\":\"replace\",\"path\":"));
        json_put_string(&patch, r->images[i].pointer);
        buf_add_str(&patch, STR(",\"value\":"));
        json_put_string(&patch, value);
        buf_add_char(&patch, '}');
    }
    j->allowed = true; /* judging is the validating webhook's */
    if (patch.n)
        buf_add_char(&patch, ']');
    if (buf_check(&patch, "the patch", NULL) == 0 && patch.n)
        j->patch = arena_dup(&j->arena, buf_view(&patch));
}

/* ---- the thread that judges and the call that waits --------------------------------------------
 */

void admission_judge(void *p)
{
    struct job *j = p;
    if (j->mutate)
        pin(j);
    else
        judge(j);
    pthread_mutex_lock(&j->lock);
    j->done = clock_ms() < j->until_ms;
    if (j->rq)
        httpd_wake(j->rq);
    pthread_mutex_unlock(&j->lock);
    job_drop(j);
}

void admission_drop(void *p)
{
    job_drop(p);
}

static str message_of(struct call *c, const struct job *j)
{
    auto_buf text;
    buf_init(&text, MESSAGE_MAX + (1 << 16));
    for (size_t i = 0; i < j->n_refusals && text.n < MESSAGE_MAX; i++)
        buf_addf(&text, "%s%.*s", i ? "; " : "", STR_ARG(j->refusals[i]));
    if (j->n_refusals < j->refused)
        buf_addf(&text, "; and %zu more", j->refused - j->n_refusals);
    return arena_dup(&c->arena, buf_view(&text));
}

static void put_answer(yyjson_mut_doc *d, yyjson_mut_val *response, struct call *c,
                       const struct job *j)
{
    put_bool(d, response, "allowed", j->allowed);
    if (!j->allowed) {
        yyjson_mut_val *status = yyjson_mut_obj_add_obj(d, response, "status");
        put_str(d, status, "status", STR("Failure"));
        put_str(d, status, "reason", STR("Forbidden"));
        put_int(d, status, "code", 403);
        put_str(d, status, "message", message_of(c, j));
    }
    if (j->n_warnings) {
        yyjson_mut_val *list = yyjson_mut_obj_add_arr(d, response, "warnings");
        for (size_t i = 0; i < j->n_warnings; i++)
            yyjson_mut_arr_add_strncpy(d, list, j->warnings[i].p, j->warnings[i].n);
    }
    if (j->patch.n) {
        auto_buf text;
        buf_init(&text, JOB_MEMORY * 2);
        base64_encode(j->patch, &text);
        put_str(d, response, "patchType", STR("JSONPatch"));
        put_str(d, response, "patch", arena_dup(&c->arena, buf_view(&text)));
    }
}

static void put_late(yyjson_mut_doc *d, yyjson_mut_val *response, const struct job *j)
{
    static const char text[] = "kellet could not judge the images in time";
    bool allowed = j->mutate || j->settings->error_allow;
    put_bool(d, response, "allowed", allowed);
    if (allowed) {
        yyjson_mut_val *list = yyjson_mut_obj_add_arr(d, response, "warnings");
        yyjson_mut_arr_add_str(d, list, text);
        return;
    }
    yyjson_mut_val *status = yyjson_mut_obj_add_obj(d, response, "status");
    put_str(d, status, "status", STR("Failure"));
    put_str(d, status, "reason", STR("ServiceUnavailable"));
    put_int(d, status, "code", 503);
    put_str(d, status, "message", STR(text));
}

static int answer(struct call *c, const struct job *j, bool in_time)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    put_str(d, root, "apiVersion", j->review.version);
    put_str(d, root, "kind", STR("AdmissionReview"));
    yyjson_mut_val *response = yyjson_mut_obj_add_obj(d, root, "response");
    put_str(d, response, "uid", j->review.uid);
    if (in_time)
        put_answer(d, response, c, j);
    else
        put_late(d, response, j);
    return call_send(c, 200, d, root);
}

static int resumed(struct call *c)
{
    struct job *j = c->state;
    pthread_mutex_lock(&j->lock);
    j->rq = NULL;
    bool done = j->done;
    pthread_mutex_unlock(&j->lock);
    int k = answer(c, j, done);
    job_drop(j);
    return k;
}

/* ---- the request -------------------------------------------------------------------------------
 */

bool admission_may_ask(const struct call *c, str account)
{
    return !c->who.username.n || str_eq(c->who.account_type, STR("admin")) ||
           str_eq(c->who.account_type, STR("service")) || str_eq(c->who.account, account);
}

/* API servers say in the query how long they wait: "timeout=10s". */
static unsigned deadline_ms(struct call *c, unsigned most)
{
    str text = call_param(c, "timeout");
    uint64_t s;
    if (!text.n || text.p[text.n - 1] != 's' || !str_to_u64(str_sub(text, 0, text.n - 1), &s) ||
        s > 30)
        return most;
    uint64_t ms = s > 1 ? s * 1000 - TIMEOUT_MARGIN_MS : TIMEOUT_MARGIN_MS / 2;
    return ms < most ? (unsigned)ms : most;
}

static struct job *job_new(struct call *c)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->uses = 1;
    pthread_mutex_init(&j->lock, NULL);
    arena_init(&j->arena, JOB_MEMORY);
    j->engine = c->engine;
    j->hook = c->engine->state[SERVICE_KUBERNETES_WEBHOOK];
    j->settings = hook_settings(j->hook);
    j->allowed = true;
    return j;
}

static int job_fill(struct job *j, struct call *c)
{
    j->request_id = arena_dup(&j->arena, c->request_id);
    if (!admission_may_ask(c, STR("")))
        j->only_account = arena_dup(&j->arena, c->who.account);
    int k = json_parse(c->raw, "the review", &j->doc, c->err);
    if (k == 0)
        k = review_read(j->doc, &j->arena, &j->review, c->err);
    str label = call_param(c, "label");
    ptrdiff_t slash = str_rindex(label, '/');
    if (k == 0 && slash >= 0) { /* a label's key may have a slash, its value has none */
        j->review.label = arena_dup(&j->arena, str_sub(label, 0, (size_t)slash));
        j->review.label_value = arena_dup(&j->arena, str_from(label, (size_t)slash + 1));
    }
    return k < 0 ? k : j->arena.full ? err_no_memory(c->err) : 0;
}

static int post(struct call *c, bool mutate)
{
    struct job *j = job_new(c);
    if (!j)
        return err_no_memory(c->err);
    int k = job_fill(j, c);
    j->mutate = mutate;
    if (k < 0) {
        job_drop(j);
        if (k == ERR_NO_MEMORY)
            return k;
        return call_problem(c, 400, "Bad Request", "%s", c->err->text);
    }
    unsigned ms = deadline_ms(c, j->settings->deadline_ms);
    j->from_ms = clock_ms();
    j->until_ms = j->from_ms + ms;
    c->state = j;
    if (!j->review.n_images) {
        j->allowed = j->review.watched || j->settings->default_allow || mutate;
        if (!j->allowed)
            refuse(j, arena_printf(&j->arena, "objects of kind %.*s are not looked into",
                                   STR_ARG(j->review.kind)));
        j->done = true;
        return resumed(c);
    }
    if (all_remembered(j)) {
        judge(j);
        j->done = true;
        return resumed(c);
    }
    j->rq = c->rq;
    j->uses++;
    if (!hook_judge(j->hook, j)) {
        j->uses--;
        return resumed(c);
    }
    return call_park(c, ms, resumed);
}

int admission_post(struct call *c)
{
    return post(c, false);
}

int admission_post_mutate(struct call *c)
{
    return post(c, true);
}
