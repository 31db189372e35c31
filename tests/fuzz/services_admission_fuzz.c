/* Reviews as API servers send them, and the settings by which they are judged: "R" or "S" and a
 * JSON text. */
#include "services/kubernetes_webhook/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void review(yyjson_doc *doc)
{
    struct arena a;
    struct review r;
    struct err e = {0};
    struct admission_settings *s = NULL;
    arena_init(&a, 8 << 20);
    if (review_read(doc, &a, &r, &e) == 0) {
        if (admission_settings_new(NULL, &s, &e) < 0)
            abort();
        for (size_t i = 0; i < r.n_images; i++)
            if (!r.images[i].name.n || !r.images[i].pointer.n ||
                !admission_select(s, &r, r.images[i].name))
                abort();
        admission_settings_drop(s);
    }
    arena_done(&a);
}

static void settings(yyjson_doc *doc)
{
    struct admission_settings *s = NULL;
    struct err e = {0};
    if (admission_settings_new(yyjson_doc_get_root(doc), &s, &e) < 0) {
        if (!e.text[0])
            abort();
        return;
    }
    struct review r = {.namespace = STR("default"), .name = STR("web-")};
    (void)admission_select(s, &r, STR("docker.io/alpine:3"));
    admission_settings_drop(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json *doc = NULL;
    struct err e = {0};
    str text = {(const char *)data, size};
    if (size < 2 || json_parse(str_from(text, 1), "input", &doc, &e) < 0)
        return 0;
    if (data[0] == 'S')
        settings(doc);
    else
        review(doc);
    return 0;
}
