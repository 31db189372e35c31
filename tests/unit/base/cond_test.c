/* Waiting: until woken, until the moment, not at all when it has passed. */
#include "unit.h"

#include "base/cond.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;
static bool said;

static void a_moment_comes(void **state)
{
    cond_init(&cond);
    pthread_mutex_lock(&lock);
    int64_t until = clock_us() + 20000;
    while (cond_wait_until(&cond, &lock, until))
        ;
    assert_true(clock_us() >= until);
    assert_false(cond_wait_until(&cond, &lock, clock_us() - 1));
    assert_false(cond_wait_until(&cond, &lock, 0));
    assert_false(cond_wait_until(&cond, &lock, -5000000));
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&cond);
}

static void *say(void *ctx)
{
    pthread_mutex_lock(&lock);
    said = true;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void who_is_woken_goes_on(void **state)
{
    pthread_t t;
    cond_init(&cond);
    pthread_mutex_lock(&lock);
    assert_int_equal(pthread_create(&t, NULL, say, NULL), 0);
    int64_t until = clock_us() + 3600 * (int64_t)1000000;
    while (!said)
        assert_true(cond_wait_until(&cond, &lock, until));
    pthread_mutex_unlock(&lock);
    pthread_join(t, NULL);
    pthread_cond_destroy(&cond);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_comes),
        cmocka_unit_test(who_is_woken_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
