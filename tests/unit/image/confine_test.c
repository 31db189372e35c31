/* What a confined process can still do, each question asked in a process of its own. */
#include "image/confine.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Children exit without the sanitizers' leak check, which a confined process cannot run. */
enum { ALLOWED = 0, REFUSED = 1, UNEXPECTED = 2, NOT_HERE = 77 };

static int outcome(long r)
{
    if (r >= 0)
        return ALLOWED;
    return errno == EPERM || errno == EACCES ? REFUSED : UNEXPECTED;
}

static int try_open(void)
{
    return outcome(open("/etc/passwd", O_RDONLY));
}
static int try_create(void)
{
    return outcome(open("/tmp/kellet-confined", O_WRONLY | O_CREAT, 0600));
}
static int try_directory(void)
{
    return outcome(open("/", O_RDONLY | O_DIRECTORY));
}
static int try_socket(void)
{
    return outcome(socket(AF_INET, SOCK_STREAM, 0));
}
static int try_unix_socket(void)
{
    return outcome(socket(AF_UNIX, SOCK_STREAM, 0));
}
static int try_exec(void)
{
    char *const args[] = {(char[]){"true"}, NULL};
    return outcome(execve("/bin/true", args, NULL));
}
static int try_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return outcome(pid);
}
static int try_kill(void)
{
    return outcome(kill(getppid(), 0));
}
static int try_memory(void)
{
    int fd = memfd_create("x", MFD_CLOEXEC);
    void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return fd >= 0 && write(fd, "x", 1) == 1 && p != MAP_FAILED ? ALLOWED : UNEXPECTED;
}

static void *thread_run(void *arg)
{
    *(int *)arg = 7;
    return NULL;
}

static int try_thread(void)
{
    pthread_t thread;
    int seven = 0;
    if (pthread_create(&thread, NULL, thread_run, &seven) != 0)
        return UNEXPECTED;
    pthread_join(thread, NULL);
    return seven == 7 ? ALLOWED : UNEXPECTED;
}

static int root = -1; /* of the cases with a directory */

static int try_below(void)
{
    return outcome(openat(root, "inside", O_RDONLY));
}
static int try_write_below(void)
{
    return outcome(openat(root, "inside", O_WRONLY));
}
static int try_unlink_below(void)
{
    return outcome(unlinkat(root, "inside", 0));
}
static int try_above(void)
{
    return outcome(openat(root, "../../etc/passwd", O_RDONLY));
}

static int asked(int (*question)(void), bool with_root)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct confinement done;
        if (confine(with_root ? root : -1, &done, NULL) < 0)
            _exit(99);
        _exit(done.seccomp && done.landlock ? question() : NOT_HERE);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_confined(void **state)
{
    static const struct {
        const char *name;
        int (*question)(void);
        bool with_root;
        int answer;
    } cases[] = {
        {"open a file", try_open, false, REFUSED},
        {"create a file", try_create, false, REFUSED},
        {"open a directory", try_directory, false, REFUSED},
        {"socket", try_socket, false, REFUSED},
        {"unix socket", try_unix_socket, false, REFUSED},
        {"execve", try_exec, false, REFUSED},
        {"fork", try_fork, false, REFUSED},
        {"kill", try_kill, false, REFUSED},
        {"memory", try_memory, false, ALLOWED},
        {"thread", try_thread, false, ALLOWED},
        {"read below the root", try_below, true, ALLOWED},
        {"write below the root", try_write_below, true, REFUSED},
        {"unlink below the root", try_unlink_below, true, REFUSED},
        {"leave the root", try_above, true, REFUSED},
        {"open a file beside the root", try_open, true, REFUSED},
        {"create a file beside the root", try_create, true, REFUSED},
        {"socket with a root", try_socket, true, REFUSED},
        {"execve with a root", try_exec, true, REFUSED},
        {"thread with a root", try_thread, true, ALLOWED},
    };
    char dir[] = "/tmp/kellet-confine-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/inside", dir);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    root = open(dir, O_RDONLY | O_DIRECTORY);
    size_t wrong = 0;
    bool here = true;
    for (size_t i = 0; here && i < KE_ARRAY_LEN(cases); i++) {
        int answer = asked(cases[i].question, cases[i].with_root);
        here = answer != NOT_HERE;
        if (here && answer != cases[i].answer) {
            printf("%s: %d, want %d\n", cases[i].name, answer, cases[i].answer);
            wrong++;
        }
    }
    close(root);
    unlink(path);
    rmdir(dir);
    if (!here) {
        printf("skipped: this kernel has no seccomp or no Landlock\n");
        skip();
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_confined)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
