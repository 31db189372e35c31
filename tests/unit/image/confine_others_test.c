/* What a confined process may do to others of the same user: nothing. */
#include "image/confine.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pid_t parent;

enum { ALLOWED = 10, REFUSED, UNEXPECTED, NOT_HERE };

static int outcome(long r)
{
    return r >= 0 ? ALLOWED : errno == EPERM ? REFUSED : UNEXPECTED;
}

static int signal_parent(void)
{
    return outcome(syscall(SYS_tgkill, parent, parent, 0));
}
static int signal_itself(void)
{
    return outcome(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0));
}
static int limit_parent(void)
{
    struct rlimit none = {0, 0};
    return outcome(prlimit(parent, RLIMIT_CORE, &none, NULL));
}
static int read_parents_limit(void)
{
    struct rlimit got;
    return outcome(prlimit(parent, RLIMIT_CORE, NULL, &got));
}
static int read_own_limit(void)
{
    struct rlimit got;
    return outcome(prlimit(0, RLIMIT_CORE, NULL, &got));
}
static int own_descriptor(void)
{
    return outcome(fcntl(STDIN_FILENO, F_SETOWN, parent));
}
static int choose_signal(void)
{
    return outcome(fcntl(STDIN_FILENO, F_SETSIG, SIGKILL));
}
static int seal_memory(void)
{
    int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return outcome(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
}

static int confined(int (*attempt)(void))
{
    int status;
    parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        struct confinement got;
        struct err e = {0};
        if (confine(-1, &got, &e) < 0)
            _exit(UNEXPECTED);
        _exit(got.seccomp ? attempt() : NOT_HERE);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : UNEXPECTED;
}

static void test_others(void **state)
{
    static const struct {
        const char *name;
        int (*attempt)(void);
        int want;
    } cases[] = {
        {"signal the parent", signal_parent, REFUSED},
        {"signal itself", signal_itself, ALLOWED},
        {"limit the parent", limit_parent, REFUSED},
        {"read the parent's limit", read_parents_limit, REFUSED},
        {"read its own limit", read_own_limit, ALLOWED},
        {"direct a descriptor's signals", own_descriptor, REFUSED},
        {"choose a descriptor's signal", choose_signal, REFUSED},
        {"seal memory", seal_memory, ALLOWED},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        int got = confined(cases[i].attempt);
        if (got == NOT_HERE) {
            printf("skipped: this system has no seccomp\n");
            skip();
        }
        if (got != cases[i].want)
            fail_msg("%s: got %d, want %d", cases[i].name, got, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
