#include "services/kubernetes_webhook/hook.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/fs.h"
#include "codec/regex.h"
#include "services/fulltag.h"
#include "services/log.h"

#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

enum { JUDGES = 8, JUDGES_LINE = 4096, ASKERS = 2, ASKERS_LINE = 1024 };
enum { RECENT = 1024, RECENT_SECONDS = 60, FILE_MAX = 1 << 20, ASK_MEMORY = 64 << 10 };
#define WHO service_names[SERVICE_KUBERNETES_WEBHOOK].key

struct hook {
    struct engine *engine;
    struct hook_pool *judges, *askers;
    struct verdict_cache *cache;
    struct refresher *refresher;
    pthread_mutex_t lock;
    struct admission_settings *base; /* of config.yaml */
    struct admission_settings *now;
    struct timespec changed;
    ino_t inode;
    time_t looked;
    struct {
        uint64_t hash;
        time_t at;
    } recent[RECENT];
};

/* ---- settings ----------------------------------------------------------------------------------
 */

/* Selectors that look at labels see those that the API server's configuration vouches for. */
static void tell_labels(const struct admission_settings *s)
{
    struct err ignored = {0};
    for (size_t i = 0; i < s->n; i++)
        if (s->selectors[i].type == SELECT_NAMESPACE &&
            regex_match(s->selectors[i].key, STR("name"), &ignored) != 1)
            log_info(WHO,
                     "policySelectors[%zu] fits namespaces by the label that reviews bring with "
                     "their path: /v1/admission/namespace/KEY/VALUE",
                     i);
}

static int read_file(const char *path, struct admission_settings **out, struct err *e)
{
    auto_buf text;
    auto_json *doc = NULL;
    buf_init(&text, FILE_MAX);
    int k = fs_read(path, &text, e);
    if (k == 0)
        k = json_parse(buf_view(&text), path, &doc, e);
    if (k == 0)
        k = admission_settings_new(yyjson_doc_get_root(doc), out, e);
    return k < 0 ? err_wrap(e, "%s", path) : 0;
}

/* Whether the file is another than it was, which is remembered. */
static bool file_changed(struct hook *h)
{
    struct stat st;
    if (stat(h->base->config_file.p, &st) < 0 ||
        (st.st_ino == h->inode && st.st_mtim.tv_sec == h->changed.tv_sec &&
         st.st_mtim.tv_nsec == h->changed.tv_nsec))
        return false;
    h->inode = st.st_ino;
    h->changed = st.st_mtim;
    return true;
}

static void look_again(struct hook *h)
{
    struct admission_settings *s = NULL;
    struct err why = {0};
    if (!h->base->config_file.p || h->looked == clock_s())
        return;
    h->looked = clock_s();
    if (!file_changed(h))
        return;
    if (read_file(h->base->config_file.p, &s, &why) < 0) {
        log_error(WHO, "the admission settings remain as they were: %s", why.text);
        return;
    }
    admission_settings_drop(h->now);
    h->now = s;
    tell_labels(s);
    log_info(WHO, "admission settings read again: %zu selectors", s->n);
}

struct admission_settings *hook_settings(struct hook *h)
{
    pthread_mutex_lock(&h->lock);
    look_again(h);
    struct admission_settings *s = admission_settings_hold(h->now);
    pthread_mutex_unlock(&h->lock);
    return s;
}

/* ---- analyses of unknown images ----------------------------------------------------------------
 */

struct ask {
    struct engine *engine;
    struct arena arena;
    str account, body, image, request_id;
};

static void ask_free(void *p)
{
    struct ask *x = p;
    arena_done(&x->arena);
    free(x);
}

static void ask_run(void *p)
{
    struct ask *x = p;
    auto_buf answer;
    int status = 0;
    struct err why = {0};
    buf_init(&answer, 1 << 20);
    const struct service_request rq = {.service = SERVICE_APIEXT,
                                       .method = "POST",
                                       .path = "/images?autosubscribe=false",
                                       .account = x->account,
                                       .body = x->body,
                                       .request_id = x->request_id};
    int k = service_request(x->engine, &rq, &status, &answer, &why);
    if (k == 0 && status == 200)
        log_line(LOG_LEVEL_INFO, WHO, x->request_id.p, "analysis of %.*s asked for in account %.*s",
                 STR_ARG(x->image), STR_ARG(x->account));
    else
        log_line(LOG_LEVEL_WARN, WHO, x->request_id.p,
                 "no analysis of %.*s in account %.*s: %s%.*s", STR_ARG(x->image),
                 STR_ARG(x->account), k < 0 ? why.text : "",
                 k < 0 ? 0 : (int)(answer.n > 500 ? 500 : answer.n), answer.p ? answer.p : "");
    ask_free(x);
}

/* An image belongs to some tag: what is named by its digest alone gets one that says so. */
static str digest_tag(struct arena *a, const struct fulltag *name)
{
    str hex = str_from(name->digest, (size_t)str_index(name->digest, ':') + 1);
    return arena_printf(a, "%.*s/%.*s:untagged-%.*s", STR_ARG(name->registry), STR_ARG(name->repo),
                        STR_ARG(hex));
}

/* The body of POST /images. */
static str ask_body(struct arena *a, const struct fulltag *name)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    yyjson_mut_doc_set_root(d, root);
    yyjson_mut_val *source = yyjson_mut_obj_add_obj(d, root, "source");
    if (name->digest.p) {
        yyjson_mut_val *by = yyjson_mut_obj_add_obj(d, source, "digest");
        put_str(d, by, "pullstring",
                arena_printf(a, "%.*s/%.*s@%.*s", STR_ARG(name->registry), STR_ARG(name->repo),
                             STR_ARG(name->digest)));
        put_str(d, by, "tag", name->fulltag.n ? name->fulltag : digest_tag(a, name));
    } else {
        yyjson_mut_val *by = yyjson_mut_obj_add_obj(d, source, "tag");
        put_str(d, by, "pullstring", name->fulltag);
    }
    yyjson_mut_val *notes = yyjson_mut_obj_add_obj(d, root, "annotations");
    put_str(d, notes, "requestor", STR("anchore-admission-controller"));
    size_t n = 0;
    char *text = yyjson_mut_write(d, 0, &n);
    str out = text ? arena_dup(a, (str){text, n}) : (str){NULL, 0};
    free(text);
    yyjson_mut_doc_free(d);
    return out;
}

/* Under the lock: was it asked for lately? Then false, else it is now. */
static bool recently(struct hook *h, str account, str image)
{
    uint64_t hash = 14695981039346656037ULL;
    for (size_t i = 0; i < account.n; i++)
        hash = (hash ^ (unsigned char)account.p[i]) * 1099511628211ULL;
    hash = (hash ^ 0xff) * 1099511628211ULL;
    for (size_t i = 0; i < image.n; i++)
        hash = (hash ^ (unsigned char)image.p[i]) * 1099511628211ULL;
    size_t slot = hash % RECENT;
    time_t now = clock_s();
    if (h->recent[slot].hash == hash && now - h->recent[slot].at < RECENT_SECONDS)
        return true;
    h->recent[slot].hash = hash;
    h->recent[slot].at = now;
    return false;
}

bool hook_ask_analysis(struct hook *h, str account, str image, str request_id)
{
    struct ask *x = calloc(1, sizeof *x);
    struct fulltag name;
    if (!x)
        return false;
    arena_init(&x->arena, ASK_MEMORY);
    x->engine = h->engine;
    bool good = fulltag_parse(image, &x->arena, &name, NULL) == 0;
    if (good) {
        x->account = arena_dup(&x->arena, account);
        x->image = arena_dup(&x->arena, image);
        x->request_id = arena_dup(&x->arena, request_id);
        x->body = ask_body(&x->arena, &name);
        good = x->body.p && !x->arena.full;
    }
    pthread_mutex_lock(&h->lock);
    bool already = good && recently(h, account, image);
    pthread_mutex_unlock(&h->lock);
    if (good && !already && hook_pool_add(h->askers, x))
        return true;
    ask_free(x);
    return already;
}

/* ---- life --------------------------------------------------------------------------------------
 */

struct verdict_cache *hook_cache(struct hook *h)
{
    return h->cache;
}

struct refresher *hook_refresher(struct hook *h)
{
    return h->refresher;
}

bool hook_judge(struct hook *h, void *job)
{
    return hook_pool_add(h->judges, job);
}

static int read_section(const struct config *c, struct admission_settings **out, struct err *e)
{
    yyjson_val *section = json_at(c->tree, "services", "kubernetes_webhook", "admission", NULL);
    int k = admission_settings_new(yyjson_is_null(section) ? NULL : section, out, e);
    return k < 0 ? err_wrap(e, "services.kubernetes_webhook.admission") : 0;
}

int hook_check(const struct config *c, struct err *e)
{
    struct admission_settings *base = NULL, *file = NULL;
    int k = read_section(c, &base, e);
    if (k == 0 && base->config_file.p)
        k = read_file(base->config_file.p, &file, e);
    admission_settings_drop(file);
    admission_settings_drop(base);
    return k;
}

static int open_settings(struct hook *h, struct err *e)
{
    int k = read_section(h->engine->config, &h->base, e);
    if (k < 0)
        return k;
    if (!h->base->config_file.p) {
        h->now = admission_settings_hold(h->base);
    } else {
        (void)file_changed(h);
        k = read_file(h->base->config_file.p, &h->now, e);
    }
    if (k == 0)
        tell_labels(h->now);
    return k;
}

int hook_new(struct engine *en, void (*judge)(void *job), void (*drop)(void *job),
             struct hook **out, struct err *e)
{
    struct hook *h = calloc(1, sizeof *h);
    if (!h)
        return err_no_memory(e);
    h->engine = en;
    pthread_mutex_init(&h->lock, NULL);
    int k = open_settings(h, e);
    if (k == 0)
        k = verdict_cache_new(&h->cache, e);
    if (k == 0)
        k = refresher_new(en, h->cache, &h->refresher, e);
    if (k == 0)
        k = hook_pool_new(JUDGES, JUDGES_LINE, judge, drop, &h->judges, e);
    if (k == 0)
        k = hook_pool_new(ASKERS, ASKERS_LINE, ask_run, ask_free, &h->askers, e);
    if (k < 0) {
        hook_free(h);
        return k;
    }
    *out = h;
    return 0;
}

void hook_free(struct hook *h)
{
    if (!h)
        return;
    hook_pool_free(h->judges);
    hook_pool_free(h->askers);
    refresher_free(h->refresher);
    verdict_cache_free(h->cache);
    admission_settings_drop(h->now);
    admission_settings_drop(h->base);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
