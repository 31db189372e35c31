/* A library that is not there, or too old, is an error that says what to do. */
#include "unit.h"

#include "base/library.h"

struct api {
    double (*cosine)(double), (*sine)(double);
};

static void test_loaded(void **state)
{
    static const struct library_symbol symbols[] = {{"cos", offsetof(struct api, cosine)},
                                                    {"sin", offsetof(struct api, sine)}};
    static const char *const files[] = {"libnowhere.so.1", "libm.so.6", NULL};
    const struct library l = {"the test", "libm", "1", "libc6", files, symbols, 2};
    struct api api = {0};
    struct err e = {0};
    void *handle = NULL;
    assert_ok(library_load(&l, &api, &handle, &e));
    assert_non_null(handle);
    assert_true(api.cosine(0) == 1.0 && api.sine(0) == 0.0);
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
        assert_int_equal(library_load(&l, &api, NULL, &e), ERR_UNSUPPORTED);
        assert_true(str_contains(str_z(e.text), str_z(cases[i].want)));
        assert_null(api.cosine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_loaded),
                                       cmocka_unit_test(test_failures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
