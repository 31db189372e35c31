#include "unit.h"

#include "services/kubernetes_webhook/cache.h"

#define HEAD                                                                                       \
    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{"           \
    "\"uid\":\"u\",\"namespace\":\"shop\","
#define KIND(k) "\"kind\":{\"kind\":\"" k "\"},"
#define MADE(k, object)                                                                            \
    HEAD KIND(k) "\"operation\":\"CREATE\",\"object\":{\"metadata\":{\"name\":\"web\"}," object    \
                 "}}}"
#define CHANGED(k, object, old)                                                                    \
    HEAD KIND(k) "\"operation\":\"UPDATE\",\"object\":{" object "},\"oldObject\":{" old "}}}"
#define ONE "\"containers\":[{\"name\":\"a\",\"image\":\"nginx:1\"}]"

/* ---- reviews: the images, each "pointer=name", with "!" in front of what was there already */

static const struct {
    const char *name, *in, *images;
} reviews[] = {
    {"pod", MADE("Pod", "\"spec\":{" ONE "}"), "/spec/containers/0/image=nginx:1"},
    {"all lists of a pod",
     MADE("Pod", "\"spec\":{\"initContainers\":[{\"image\":\"i\"}]," ONE
                 ",\"ephemeralContainers\":[{\"image\":\"e1\"},{\"image\":\"e2\"}]}"),
     "/spec/containers/0/image=nginx:1 /spec/initContainers/0/image=i "
     "/spec/ephemeralContainers/0/image=e1 /spec/ephemeralContainers/1/image=e2"},
    {"deployment", MADE("Deployment", "\"spec\":{\"template\":{\"spec\":{" ONE "}}}"),
     "/spec/template/spec/containers/0/image=nginx:1"},
    {"replica set", MADE("ReplicaSet", "\"spec\":{\"template\":{\"spec\":{" ONE "}}}"),
     "/spec/template/spec/containers/0/image=nginx:1"},
    {"stateful set", MADE("StatefulSet", "\"spec\":{\"template\":{\"spec\":{" ONE "}}}"),
     "/spec/template/spec/containers/0/image=nginx:1"},
    {"daemon set", MADE("DaemonSet", "\"spec\":{\"template\":{\"spec\":{" ONE "}}}"),
     "/spec/template/spec/containers/0/image=nginx:1"},
    {"replication controller",
     MADE("ReplicationController", "\"spec\":{\"template\":{\"spec\":{" ONE "}}}"),
     "/spec/template/spec/containers/0/image=nginx:1"},
    {"job", MADE("Job", "\"spec\":{\"template\":{\"spec\":{" ONE "}}}"),
     "/spec/template/spec/containers/0/image=nginx:1"},
    {"cron job",
     MADE("CronJob", "\"spec\":{\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{" ONE "}}}}}"),
     "/spec/jobTemplate/spec/template/spec/containers/0/image=nginx:1"},
    {"pod template", MADE("PodTemplate", "\"template\":{\"spec\":{" ONE "}}"),
     "/template/spec/containers/0/image=nginx:1"},
    {"what was there is known",
     CHANGED("Pod", "\"spec\":{\"containers\":[{\"image\":\"a\"},{\"image\":\"b\"}]}",
             "\"spec\":{\"initContainers\":[{\"image\":\"b\"}]}"),
     "/spec/containers/0/image=a !/spec/containers/1/image=b"},
    {"another kind", MADE("ConfigMap", "\"data\":{}"), ""},
    {"deleted", HEAD KIND("Pod") "\"operation\":\"DELETE\",\"object\":null}}", ""},
    {"no containers", MADE("Pod", "\"spec\":{\"containers\":null}"), ""},
    {"an image that comes later", MADE("Pod", "\"spec\":{\"containers\":[{\"name\":\"a\"}]}"), ""},
    {"unknown fields", MADE("Pod", "\"x\":[1],\"spec\":{\"y\":{}," ONE "}"),
     "/spec/containers/0/image=nginx:1"},
};

static void add(struct buf *b, const struct review *r)
{
    for (size_t i = 0; i < r->n_images; i++)
        buf_addf(b, "%s%s%.*s=%.*s", i ? " " : "", r->images[i].known ? "!" : "",
                 STR_ARG(r->images[i].pointer), STR_ARG(r->images[i].name));
}

static void images_of_reviews(void **state)
{
    (void)state;
    for (size_t i = 0; i < KE_ARRAY_LEN(reviews); i++) {
        struct arena a;
        struct review r;
        struct err e = {0};
        auto_json *doc = NULL;
        auto_buf got;
        buf_init(&got, 1 << 16);
        arena_init(&a, 1 << 20);
        assert_ok(json_parse(str_z(reviews[i].in), reviews[i].name, &doc, &e));
        assert_ok(review_read(doc, &a, &r, &e));
        add(&got, &r);
        if (!str_eq(buf_view(&got), str_z(reviews[i].images)))
            fail_msg("%s: got \"%.*s\"", reviews[i].name, STR_ARG(buf_view(&got)));
        assert_str(r.uid, STR("u"));
        assert_str(r.namespace, STR("shop"));
        arena_done(&a);
    }
}

static const struct {
    const char *in, *text;
} bad[] = {
    {"{}", "the body is no AdmissionReview"},
    {"[]", "the body is no AdmissionReview"},
    {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v2\"}",
     "AdmissionReview of version \"admission.k8s.io/v2\" is not known"},
    {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\"}",
     "request.uid is missing"},
    {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/"
     "v1\",\"request\":{\"uid\":1}}",
     "request.uid is missing"},
    {HEAD "\"kind\":\"Pod\"}}", "request.kind is missing"},
    {HEAD KIND("Pod") "\"object\":{}}}", "request.operation is missing"},
    {HEAD KIND("Pod") "\"operation\":\"CREATE\"}}", "request.object is missing"},
    {MADE("Pod", "\"spec\":[]"), "the Pod has no /spec"},
    {MADE("Job", "\"spec\":{\"template\":3}"), "the Job has no /spec/template/spec"},
    {MADE("Pod", "\"spec\":{\"containers\":{}}"), "/spec/containers is not a list"},
    {MADE("Pod", "\"spec\":{\"initContainers\":[3]}"), "/spec/initContainers/0 is no container"},
    {MADE("Pod", "\"spec\":{\"containers\":[{\"image\":[\"a\"]}]}"),
     "/spec/containers/0 is no container"},
};

static void bad_reviews_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KE_ARRAY_LEN(bad); i++) {
        struct arena a;
        struct review r;
        struct err e = {0};
        auto_json *doc = NULL;
        arena_init(&a, 1 << 20);
        assert_ok(json_parse(str_z(bad[i].in), "review", &doc, &e));
        assert_int_equal(review_read(doc, &a, &r, &e), ERR_USAGE);
        assert_string_equal(e.text, bad[i].text);
        arena_done(&a);
    }
}

static void too_many_images(void **state)
{
    (void)state;
    auto_buf text;
    auto_json *doc = NULL;
    struct arena a;
    struct review r;
    struct err e = {0};
    buf_init(&text, 1 << 20);
    buf_add_str(&text, STR(HEAD KIND("Pod") "\"operation\":\"CREATE\",\"object\":{\"spec\":{"
                                            "\"containers\":["));
    for (int i = 0; i <= REVIEW_IMAGES_MAX; i++)
        buf_addf(&text, "%s{\"image\":\"i%d\"}", i ? "," : "", i);
    buf_add_str(&text, STR("]}}}}"));
    arena_init(&a, 4 << 20);
    assert_ok(json_parse(buf_view(&text), "review", &doc, &e));
    assert_int_equal(review_read(doc, &a, &r, &e), ERR_LIMIT);
    arena_done(&a);
}

/* ---- settings */

static const struct {
    const char *in, *text;
} wrong[] = {
    {"[]", "the section must be a mapping"},
    {"{\"selectors\":[]}", "the section has no key \"selectors\""},
    {"{\"policySelectors\":{}}", "policySelectors must be a list"},
    {"{\"policySelectors\":[3]}", "policySelectors[0]: it must be a mapping"},
    {"{\"policySelectors\":[{\"mode\":\"strict\"}]}",
     "policySelectors[0]: mode is \"strict\"; it can be policy, analysis or breakglass"},
    {"{\"policySelectors\":[{},{\"selector\":{\"resourceType\":\"pod\"}}]}",
     "policySelectors[1]: resourceType is \"pod\"; it can be image, resource or namespace"},
    {"{\"policySelectors\":[{\"policyReference\":{\"password\":\"x\"}}]}",
     "policySelectors[0]: policyReference has no key \"password\""},
    {"{\"default\":\"maybe\"}", "default is \"maybe\"; it can be deny, allow"},
    {"{\"deadlineSeconds\":10}", "deadlineSeconds must be a number from 1 to 9"},
    {"{\"cacheSeconds\":61}", "cacheSeconds must be a number from 0 to 60"},
    {"{\"deadlineSeconds\":\"soon\"}", "deadlineSeconds must be a number from 1 to 9"},
    {"{\"validator\":{\"requestAnalysis\":\"often\"}}",
     "requestAnalysis is \"often\"; it can be false, true"},
    {"{\"configFile\":3}", "configFile must be text"},
};

static struct admission_settings *settings_of(const char *text, struct err *e)
{
    auto_json *doc = NULL;
    struct admission_settings *s = NULL;
    assert_int_equal(json_parse(str_z(text), "settings", &doc, e), 0);
    return admission_settings_new(yyjson_doc_get_root(doc), &s, e) < 0 ? NULL : s;
}

static void wrong_settings_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < KE_ARRAY_LEN(wrong); i++) {
        struct err e = {0};
        assert_null(settings_of(wrong[i].in, &e));
        assert_int_equal(e.code, ERR_USAGE);
        assert_string_equal(e.text, wrong[i].text);
    }
    struct err e = {0};
    assert_null(
        settings_of("{\"policySelectors\":[{\"selector\":{\"selectorValueRegex\":\"((\"}}]}", &e));
    assert_true(str_starts(str_z(e.text), STR("policySelectors[0]: selectorValueRegex")));
}

static void without_settings(void **state)
{
    (void)state;
    struct err e = {0};
    struct admission_settings *s = NULL;
    struct review r = {0};
    assert_ok(admission_settings_new(NULL, &s, &e));
    assert_true(s->request_analysis && s->default_allow && !s->error_allow);
    assert_int_equal(s->deadline_ms, 5000);
    const struct admission_selector *x = admission_select(s, &r, STR("any/image:1"));
    assert_non_null(x);
    assert_str(x->account, STR("admin"));
    assert_int_equal(x->mode, ADMISSION_POLICY);
    assert_int_equal(x->policy.n, 0);
    admission_settings_drop(s);
}

/* The original's form; which selector an image of an object meets: by its policy's id. */
static const char original[] =
    "{\"Validator\":{\"RequestAnalysis\":\"false\"},\"PolicySelectors\":["
    "{\"Selector\":{\"ResourceType\":\"namespace\",\"SelectorKeyRegex\":\"name\","
    "\"SelectorValueRegex\":\"^kube-\"},\"PolicyReference\":{\"Username\":\"u\","
    "\"PolicyBundleId\":\"system\"},\"Mode\":\"breakglass\"},"
    "{\"Selector\":{\"ResourceType\":\"resource\",\"SelectorKeyRegex\":\"^team$\","
    "\"SelectorValueRegex\":\"^(red|blue)$\"},\"PolicyReference\":{\"PolicyBundleId\":\"team\"},"
    "\"Mode\":\"analysis\"},"
    "{\"Selector\":{\"ResourceType\":\"resource\",\"SelectorKeyRegex\":\"^name$\","
    "\"SelectorValueRegex\":\"^db-\"},\"PolicyReference\":{\"PolicyBundleId\":\"named\"}},"
    "{\"Selector\":{\"resource_type\":\"image\",\"SelectorValueRegex\":\"^internal/\"},"
    "\"PolicyReference\":{\"PolicyBundleId\":\"image\"},\"Mode\":\"policy\"}]}";
static const struct {
    const char *ns, *name, *labels, *annotations, *image, *policy;
} choices[] = {
    {"kube-system", "x", NULL, NULL, "a", "system"},
    {"my-kube-", "x", NULL, NULL, "a", NULL},
    {"shop", "x", "{\"team\":\"red\"}", NULL, "a", "team"},
    {"shop", "x", "{\"team\":\"green\",\"x\":3}", NULL, "a", NULL},
    {"shop", "x", NULL, "{\"team\":\"blue\"}", "a", "team"},
    {"shop", "db-1", "[]", NULL, "internal/a", "named"},
    {"shop", "x", NULL, NULL, "internal/a:1", "image"},
    {"shop", "x", NULL, NULL, "docker.io/internal/a:1", NULL},
};

static void selectors_choose(void **state)
{
    (void)state;
    struct err e = {0};
    struct admission_settings *s = settings_of(original, &e);
    assert_non_null(s);
    assert_false(s->request_analysis);
    assert_int_equal(s->n, 4);
    assert_str(s->selectors[0].user, STR("u"));
    assert_str(s->selectors[1].account, STR("admin"));
    for (size_t i = 0; i < KE_ARRAY_LEN(choices); i++) {
        const char *maps[] = {choices[i].labels, choices[i].annotations};
        yyjson_doc *docs[2];
        for (int m = 0; m < 2; m++)
            docs[m] = maps[m] ? yyjson_read(maps[m], strlen(maps[m]), 0) : NULL;
        const struct review r = {.namespace = str_z(choices[i].ns),
                                 .name = str_z(choices[i].name),
                                 .labels = yyjson_doc_get_root(docs[0]),
                                 .annotations = yyjson_doc_get_root(docs[1])};
        const struct admission_selector *x = admission_select(s, &r, str_z(choices[i].image));
        if (!x != !choices[i].policy || (x && !str_eq(x->policy, str_z(choices[i].policy))))
            fail_msg("choice %zu: got \"%.*s\"", i, STR_ARG(x ? x->policy : STR("none")));
        yyjson_doc_free(docs[0]);
        yyjson_doc_free(docs[1]);
    }
    admission_settings_drop(s);
}

/* By a label that the path vouches for; key and value must be of one label. */
static void namespaces_by_label(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        bool fits;
    } cases[] = {
        {"env", "prod", true}, {"env", "test", false}, {"example.com/env", "prod", false},
        {"", "", false},       {"prod", "env", false},
    };
    struct err e = {0};
    struct admission_settings *s =
        settings_of("{\"policySelectors\":[{\"selector\":{\"resourceType\":\"namespace\","
                    "\"selectorKeyRegex\":\"^env$\",\"selectorValueRegex\":\"^prod$\"}}]}",
                    &e);
    assert_non_null(s);
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        const struct review r = {.namespace = STR("prod"),
                                 .label = str_z(cases[i].key),
                                 .label_value = str_z(cases[i].value)};
        assert_int_equal(admission_select(s, &r, STR("a:1")) != NULL, cases[i].fits);
    }
    admission_settings_drop(s);
}

/* ---- the policy engine's answer */

static const struct {
    const char *in;
    int code;
    bool passed;
} checks[] = {
    {"[{\"sha256:a\":{\"docker.io/a:1\":[{\"status\":\"pass\"}]}}]", 0, true},
    {"[{\"sha256:a\":{\"a:1\":[{\"status\":\"fail\"},{\"status\":\"pass\"}]}}]", 0, false},
    {"[{\"sha256:a\":{\"a:1\":[{\"status\":\"pass\"}],\"a:2\":[{\"status\":\"fail\"}]}}]", 0,
     false},
    {"[{\"sha256:a\":{\"a:1\":[]}}]", ERR_FORMAT, false},
    {"[]", ERR_FORMAT, false},
    {"{\"status\":\"pass\"}", ERR_FORMAT, false},
    {"<html>", ERR_FORMAT, false},
};

static void checks_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < KE_ARRAY_LEN(checks); i++) {
        struct err e = {0};
        bool passed = false;
        assert_int_equal(verdict_read_check(str_z(checks[i].in), &passed, &e), checks[i].code);
        if (checks[i].code == 0)
            assert_int_equal(passed, checks[i].passed);
    }
}

/* ---- verdicts that are kept */

static void verdicts_are_kept(void **state)
{
    (void)state;
    struct verdict_cache *c = NULL;
    struct err e = {0};
    struct arena a;
    struct verdict_answer out;
    const struct verdict_age at0 = {1000, 1000}, last = {2000, 1000}, late = {2001, 1000};
    const struct admission_selector s = {.account = STR("admin"), .mode = ADMISSION_POLICY};
    struct admission_selector other = s, longer = s;
    const struct verdict_answer refused = {VERDICT_REFUSED, STR("admin"), STR("why"),
                                           STR("sha256:1")};
    const struct verdict_answer none = {.verdict = VERDICT_UNKNOWN};
    arena_init(&a, 1 << 20);
    assert_ok(verdict_cache_new(&c, &e));
    assert_false(verdict_cache_get(c, &s, STR("a:1"), at0, &a, &out, NULL));
    verdict_cache_put(c, &s, STR("a:1"), 1000, &refused);
    assert_true(verdict_cache_get(c, &s, STR("a:1"), last, &a, &out, NULL));
    assert_int_equal(out.verdict, VERDICT_REFUSED);
    assert_str(out.account, STR("admin"));
    assert_str(out.text, STR("why"));
    assert_str(out.digest, STR("sha256:1"));
    assert_false(verdict_cache_get(c, &s, STR("a:1"), late, &a, &out, NULL));
    assert_false(verdict_cache_get(c, &s, STR("a:2"), at0, &a, &out, NULL));
    other.mode = ADMISSION_ANALYSIS;
    assert_false(verdict_cache_get(c, &other, STR("a:1"), at0, &a, &out, NULL));
    longer.policy = STR("p");
    assert_false(verdict_cache_get(c, &longer, STR("a:1"), at0, &a, &out, NULL));
    verdict_cache_put(c, &s, STR("b:1"), 1000, &none);
    assert_false(verdict_cache_get(c, &s, STR("b:1"), at0, &a, &out, NULL));
    char name[8192];
    memset(name, 'x', sizeof name);
    verdict_cache_put(c, &s, (str){name, sizeof name}, 1000, &refused);
    assert_false(verdict_cache_get(c, &s, (str){name, sizeof name}, at0, &a, &out, NULL));
    verdict_cache_free(c);
    arena_done(&a);
}

static void verdicts_are_renewed_by_one(void **state)
{
    (void)state;
    static const struct {
        int64_t now;
        bool found, due;
    } cases[] = {
        {1000, true, false}, {1500, true, false}, /* the first half */
        {1501, true, true},  {1502, true, false},
        {1750, true, false}, {1751, true, true}, /* whoever was told has not done it */
        {2000, true, false}, {2001, false, false},
    };
    struct verdict_cache *c = NULL;
    struct err e = {0};
    struct arena a;
    struct verdict_answer out;
    const struct admission_selector s = {.account = STR("admin")};
    const struct verdict_answer good = {.verdict = VERDICT_GOOD};
    arena_init(&a, 1 << 20);
    assert_ok(verdict_cache_new(&c, &e));
    verdict_cache_put(c, &s, STR("a:1"), 1000, &good);
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        const struct verdict_age age = {cases[i].now, 1000};
        bool due = true;
        assert_int_equal(verdict_cache_get(c, &s, STR("a:1"), age, &a, &out, &due), cases[i].found);
        assert_int_equal(due, cases[i].due);
    }
    verdict_cache_put(c, &s, STR("a:1"), 1900, &good);
    const struct verdict_age renewed = {2001, 1000};
    assert_true(verdict_cache_get(c, &s, STR("a:1"), renewed, &a, &out, NULL));
    verdict_cache_free(c);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_of_reviews),   cmocka_unit_test(bad_reviews_are_refused),
        cmocka_unit_test(too_many_images),     cmocka_unit_test(wrong_settings_are_named),
        cmocka_unit_test(without_settings),    cmocka_unit_test(selectors_choose),
        cmocka_unit_test(namespaces_by_label), cmocka_unit_test(checks_are_read),
        cmocka_unit_test(verdicts_are_kept),   cmocka_unit_test(verdicts_are_renewed_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
