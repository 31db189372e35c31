/* The broker against analysts that hang, flood and never listen: it always comes back. */
#include "image/broker.h"
#include "unit.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static int ends[2];
static uint64_t progress, progress_step;

static int setup(void **state)
{
    progress = progress_step = 0;
    alarm(120); /* a broker that hangs fails the test */
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}
static int teardown(void **state)
{
    alarm(0);
    close(ends[0]);
    return 0;
}

static bool have(void *ctx, str diff_id)
{
    return false;
}
static int record(void *ctx, str diff_id, bool keep, int fd, struct err *e)
{
    return 0;
}
static int image(void *ctx, int fd, struct err *e)
{
    return 0;
}
static uint64_t tick(void *ctx)
{
    return progress += progress_step;
}

static const struct broker_events events = {
    .have = have, .record = record, .image = image, .tick = tick};

static void question(enum message_type type)
{
    struct err e;
    auto_buf body;
    buf_init(&body, MESSAGE_MAX);
    message_put_str(&body, STR("sha256:0"));
    channel_send(ends[1], type, &body, -1, &e);
}

static void answer(void)
{
    struct err e;
    struct message *m autofree = malloc(sizeof *m);
    if (channel_receive(ends[1], m, &e) == 1 && m->fd >= 0)
        close(m->fd);
}

/* ---- analysts
 * ------------------------------------------------------------------------------------------- */

static void *analyst_done(void *arg)
{
    question(MSG_HAVE);
    answer();
    question(MSG_DONE);
    return NULL;
}

static void *analyst_silent(void *arg)
{
    struct timespec t = {3, 500000000};
    nanosleep(&t, NULL);
    question(MSG_DONE);
    return NULL;
}

static void *analyst_deaf(void *arg)
{
    for (int i = 0; i < 5000; i++)
        question(MSG_HAVE);
    return NULL;
}

static void *analyst_curious(void *arg)
{
    for (int i = 0; i < 100; i++) {
        question(MSG_HAVE);
        answer();
    }
    return NULL;
}

static void *analyst_fetching(void *arg)
{
    for (int i = 0; i < 100; i++) {
        question(MSG_MANIFEST);
        answer();
    }
    return NULL;
}

static void *analyst_without_record(void *arg)
{
    question(MSG_RECORD);
    answer();
    question(MSG_IMAGE);
    answer();
    question(MSG_OK);
    answer();
    question(MSG_DONE);
    return NULL;
}

static void *analyst_leaving(void *arg)
{
    question(MSG_HAVE);
    shutdown(ends[1], SHUT_RDWR);
    return NULL;
}

/* ---- tests
 * ---------------------------------------------------------------------------------------------- */

static void test_analysts(void **state)
{
    static const struct {
        const char *name;
        void *(*run)(void *arg);
        struct broker_limits limits;
        uint64_t step;
        int want;
    } cases[] = {
        {"done", analyst_done, {100, 100, 0}, 0, 0},
        {"silent", analyst_silent, {100, 100, 1}, 0, ERR_LIMIT},
        {"silent at work", analyst_silent, {100, 100, 1}, 1, 0},
        {"deaf", analyst_deaf, {1000000, 100, 1}, 0, ERR_IO},
        {"curious", analyst_curious, {50, 100, 1}, 0, ERR_LIMIT},
        {"fetching", analyst_fetching, {1000, 50, 1}, 0, ERR_LIMIT},
        {"answers for questions", analyst_without_record, {100, 100, 1}, 0, 0},
        {"leaving", analyst_leaving, {100, 100, 1}, 0, ERR_IO},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct err e = {0};
        pthread_t thread;
        struct source s = {.shape = SHAPE_BLOBS, .fd = -1};
        assert_int_equal(setup(NULL), 0);
        progress_step = cases[i].step;
        assert_int_equal(pthread_create(&thread, NULL, cases[i].run, NULL), 0);
        int r = broker_serve(&s, ends[0], &cases[i].limits, &events, &e);
        teardown(NULL);
        pthread_join(thread, NULL);
        close(ends[1]);
        if (r != cases[i].want)
            fail_msg("%s: got %d (%s), want %d", cases[i].name, r, e.text, cases[i].want);
    }
}

/* An engine that accepts and never answers keeps its transfers going. */
static void test_transfers(void **state)
{
    enum { MOST = 256 };
    struct err e = {0};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/kellet-broker-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct source *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->fd = -1;
    snprintf(at.sun_path, sizeof at.sun_path, "%s/engine", dir);
    snprintf(s->engine_socket, sizeof s->engine_socket, "%s", at.sun_path);
    snprintf(s->engine_image, sizeof s->engine_image, "alpine");
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listening, 2 * MOST), 0);
    int fds[MOST], more;
    bool seekable;
    for (int i = 0; i < MOST; i++)
        assert_ok(source_blob(s, STR(""), 0, STR(""), &fds[i], &seekable, &e));
    assert_int_equal(source_blob(s, STR(""), 0, STR(""), &more, &seekable, &e), ERR_LIMIT);
    close(listening);
    for (int i = 0; i < MOST; i++)
        close(fds[i]);
    source_close(s);
    unlink(at.sun_path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_analysts),
                                       cmocka_unit_test(test_transfers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
