/* unit.h - what the unit tests share: cmocka, and the places of test data. */
#ifndef KELLET_TESTS_UNIT_H
#define KELLET_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/fs.h"
#include "base/str.h"

#define assert_str(actual, expected)                                                               \
    do {                                                                                           \
        str got_ = (actual), want_ = (expected);                                                   \
        if (!str_eq(got_, want_))                                                                  \
            fail_msg("got \"%.*s\", want \"%.*s\"", STR_ARG(got_), STR_ARG(want_));                \
    } while (0)
/* For calls that must succeed: prints the error's text when they do not. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            fail_msg("%s: %s", #call, e.text);                                                     \
    } while (0)

/* Path of a file below ../shared, or NULL when the directory is not there: the test then calls
 * skip_without_shared(). Static buffer. */
static inline const char *shared_path(const char *relative)
{
    static char path[4096];
    const char *root = getenv("KELLET_SHARED");
    snprintf(path, sizeof path, "%s/%s", root ? root : "../shared", relative);
    return access(path, R_OK) == 0 ? path : NULL;
}
static inline void skip_without_shared(const char *relative)
{
    printf("skipped: ../shared/%s is not here\n", relative);
    skip();
}

/* Path of a file below tests/data. Static buffer. */
static inline const char *test_data_path(const char *relative)
{
    static char path[4096];
    const char *root = getenv("KELLET_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s", root ? root : "tests/data", relative);
    return path;
}

#endif
