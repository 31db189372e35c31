/* A library that is not there, or too old, is an error that says what to do. */
#include "unit.h"

#include "base/library.h"

struct api {
    double (*cosine)(double), (*sine)(double);
};

struct shared {
    const struct library *library;
    struct library_once once;
    struct api api;
    pthread_barrier_t start;
};

static int readied;

static int ready(void *handle, struct err *e)
{
    readied++;
    return handle ? 0 : err_set(e, ERR_IO, "no handle");
}

static int not_ready(void *handle, struct err *e)
{
    readied++;
    return err_set(e, ERR_LIMIT, "not ready");
}

static void test_loaded(void **state)
{
    static const struct library_symbol symbols[] = {{"cos", offsetof(struct api, cosine)},
                                                    {"sin", offsetof(struct api, sine)}};
    static const char *const files[] = {"libnowhere.so.1", "libm.so.6", NULL};
    const struct library l = {"the test", "libm", "1", "libc6", files, symbols, 2};
    struct library_once once = LIBRARY_ONCE;
    struct api api = {0};
    struct err e = {0};
    readied = 0;
    for (int i = 0; i < 2; i++) {
        assert_ok(library_load(&l, &once, &api, ready, &e));
        assert_true(api.cosine(0) == 1.0 && api.sine(0) == 0.0);
        assert_int_equal(readied, 1);
    }
}

static void *load_too(void *arg)
{
    struct shared *s = arg;
    struct err e = {0};
    pthread_barrier_wait(&s->start);
    int rc = library_load(s->library, &s->once, &s->api, ready, &e);
    return rc == 0 && s->api.cosine(0) == 1.0 ? arg : NULL;
}

static void test_many_threads(void **state)
{
    enum { THREADS = 8 };
    static const struct library_symbol symbols[] = {{"cos", offsetof(struct api, cosine)}};
    static const char *const files[] = {"libm.so.6", NULL};
    const struct library l = {"the test", "libm", "1", "libc6", files, symbols, 1};
    struct shared s = {.library = &l, .once = LIBRARY_ONCE};
    pthread_t threads[THREADS];
    readied = 0;
    pthread_barrier_init(&s.start, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load_too, &s), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *good = NULL;
        pthread_join(threads[i], &good);
        assert_non_null(good);
    }
    assert_int_equal(readied, 1);
    pthread_barrier_destroy(&s.start);
}

/* The last step fails, and is not done again. */
static void test_not_ready(void **state)
{
    static const char *const files[] = {"libm.so.6", NULL};
    const struct library l = {"the test", "libm", "1", "libc6", files, NULL, 0};
    struct library_once once = LIBRARY_ONCE;
    struct api api = {0};
    readied = 0;
    for (int i = 0; i < 2; i++) {
        struct err e = {0};
        assert_int_equal(library_load(&l, &once, &api, not_ready, &e), ERR_LIMIT);
        assert_str(str_z(e.text), STR("not ready"));
        assert_int_equal(readied, 1);
    }
}

static void test_failures(void **state)
{
    static const struct library_symbol symbols[] = {{"cosine_of_9", offsetof(struct api, cosine)}};
    static const struct {
        const char *const files[2];
        const char *want;
    } cases[] = {
        {{"libnowhere.so.1"}, "install libm (package libc6)"},
        {{"libm.so.6"}, "the installed libm is too old (it has no cosine_of_9): install libm 1"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        const struct library l = {"the test", "libm", "1", "libc6", cases[i].files, symbols, 1};
        struct api api = {0};
        struct err e = {0};
        struct library_once once = LIBRARY_ONCE;
        assert_int_equal(library_load(&l, &once, &api, NULL, &e), ERR_UNSUPPORTED);
        assert_int_equal(library_load(&l, &once, &api, NULL, &e), ERR_UNSUPPORTED);
        assert_true(str_contains(str_z(e.text), str_z(cases[i].want)));
        assert_null(api.cosine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loaded), cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_not_ready), cmocka_unit_test(test_failures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
