#include "base/aside.h"
#include "unit.h"

struct work {
    pthread_t by;
    int times;
};

static void note(void *ctx)
{
    struct work *w = ctx;
    w->by = pthread_self();
    w->times++;
}

static void done_once(void **state)
{
    struct work w = {0};
    struct aside a;
    aside_begin(&a, note, &w);
    aside_end(&a);
    assert_int_equal(w.times, 1);
    assert_false(pthread_equal(w.by, pthread_self()));
    (void)state;
}

static void done_here(void **state)
{
    struct work w = {0};
    struct aside a = {.run = note, .ctx = &w}; /* no thread was to be had */
    aside_end(&a);
    assert_int_equal(w.times, 1);
    assert_true(pthread_equal(w.by, pthread_self()));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(done_once), cmocka_unit_test(done_here)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
