#include "services/kubernetes_webhook/refresh.h"

#include "base/clock.h"
#include "services/kubernetes_webhook/pool.h"
#include "services/log.h"

enum { THREADS = 2, LINE = 4096, MEMORY = 8 << 20, TIMEOUT = 5 };

struct refresher {
    struct engine *engine;
    struct verdict_cache *cache;
    struct hook_pool *pool;
};
struct item {
    struct refresher *of;
    struct admission_settings *settings;
    struct admission_selector selector;
    struct arena arena;
    str image;
};

static void item_free(void *p)
{
    struct item *x = p;
    admission_settings_drop(x->settings);
    arena_done(&x->arena);
    free(x);
}

static void item_run(void *p)
{
    struct item *x = p;
    const struct verdict_question q = {x->of->engine, &x->selector, x->image, STR(""), TIMEOUT};
    struct verdict_answer v;
    struct err why = {0};
    int64_t now = clock_ms();
    if (verdict_find(&q, &x->arena, &v, &why) == 0)
        verdict_cache_put(x->of->cache, &x->selector, x->image, now, &v);
    else
        log_warn(service_names[SERVICE_KUBERNETES_WEBHOOK].key, "a verdict is not renewed: %s",
                 why.text);
    item_free(x);
}

void refresher_add(struct refresher *r, struct admission_settings *settings,
                   const struct admission_selector *s, str image)
{
    struct item *x = calloc(1, sizeof *x);
    if (!x)
        return;
    arena_init(&x->arena, MEMORY);
    x->of = r;
    x->settings = admission_settings_hold(settings);
    x->selector = *s;
    x->image = arena_dup(&x->arena, image);
    if (!x->image.p || !hook_pool_add(r->pool, x))
        item_free(x);
}

int refresher_new(struct engine *en, struct verdict_cache *cache, struct refresher **out,
                  struct err *e)
{
    struct refresher *r = calloc(1, sizeof *r);
    if (!r)
        return err_no_memory(e);
    r->engine = en;
    r->cache = cache;
    int k = hook_pool_new(THREADS, LINE, item_run, item_free, &r->pool, e);
    if (k < 0) {
        free(r);
        return k;
    }
    *out = r;
    return 0;
}

void refresher_free(struct refresher *r)
{
    if (!r)
        return;
    hook_pool_free(r->pool);
    free(r);
}
