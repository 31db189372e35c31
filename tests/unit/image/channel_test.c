/* Messages between the processes: what is sent arrives, what is malformed is refused and leaks no
 * descriptor. */
#include "image/channel.h"
#include "unit.h"

#include <dirent.h>
#include <sys/socket.h>

static int ends[2];
static struct message message;

static int setup(void **state)
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}
static int teardown(void **state)
{
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static size_t open_descriptors(void)
{
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void test_round_trip(void **state)
{
    struct err e = {0};
    auto_buf body;
    buf_init(&body, MESSAGE_MAX);
    message_put_str(&body, STR("digest"));
    buf_add_varint(&body, 300);
    message_put_str(&body, STR(""));
    assert_ok(channel_send(ends[0], MSG_BLOB, &body, ends[0], &e));
    assert_int_equal(channel_receive(ends[1], &message, &e), 1);
    assert_int_equal(message.type, MSG_BLOB);
    assert_str(message_get_str(&message), STR("digest"));
    assert_int_equal(cursor_varint(&message.body), 300);
    assert_str(message_get_str(&message), STR(""));
    assert_true(cursor_ok(&message.body) && cursor_left(&message.body) == 0);
    assert_true(message.fd >= 0);
    close(message.fd);
    assert_ok(channel_send(ends[0], MSG_TEMP, NULL, -1, &e));
    assert_int_equal(channel_receive(ends[1], &message, &e), 1);
    assert_int_equal(message.fd, -1);
    assert_int_equal(cursor_left(&message.body), 0);
}

static void test_failure(void **state)
{
    struct err e = {0}, got = {0};
    auto_buf body;
    buf_init(&body, MESSAGE_MAX);
    err_set(&e, ERR_LIMIT, "too much of it");
    message_put_failure(&body, &e);
    assert_int_equal(channel_send(ends[0], MSG_FAIL, &body, -1, &e), 0);
    assert_int_equal(channel_receive(ends[1], &message, &e), 1);
    assert_int_equal(message_failure(&message, &got), ERR_LIMIT);
    assert_string_equal(got.text, "too much of it");
}

static void test_bad_failures(void **state)
{
    static const str bodies[] = {STR_INIT(""), STR_INIT("\0\1x"), STR_INIT("\x70\1x"),
                                 STR_INIT("\3\x7fx"),
                                 STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")};
    for (size_t i = 0; i < KE_ARRAY_LEN(bodies); i++) {
        struct err e = {0};
        message.body = cursor_over(bodies[i].p, bodies[i].n);
        assert_int_equal(message_failure(&message, &e), ERR_FORMAT);
    }
}

static void send_raw(const void *p, size_t n, int n_fds)
{
    int fds[4] = {ends[0], ends[0], ends[0], ends[0]};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof fds)];
    } control = {0};
    struct iovec part = {(void *)(uintptr_t)p, n};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    if (n_fds) {
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n_fds);
    }
    assert_int_equal(sendmsg(ends[0], &msg, 0), n);
}

static void test_malformed(void **state)
{
    static char large[MESSAGE_MAX + 5];
    uint32_t unknown = MSG_LAST + 1, huge = UINT32_MAX, fine = MSG_OK;
    const struct {
        const void *p;
        size_t n;
        int fds;
    } cases[] = {
        {"x", 1, 0},
        {"xyz", 3, 1},
        {&unknown, 4, 0},
        {&unknown, 4, 1},
        {&huge, 4, 1},
        {large, sizeof large, 0},
        {large, sizeof large, 1},
        {&fine, 4, 2},
        {&fine, 4, 4},
    };
    size_t before = open_descriptors();
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct err e = {0};
        send_raw(cases[i].p, cases[i].n, cases[i].fds);
        if (channel_receive(ends[1], &message, &e) != ERR_FORMAT)
            fail_msg("case %zu", i);
        assert_int_equal(message.fd, -1);
    }
    assert_int_equal(open_descriptors(), before);
}

static void test_strings_that_lie(void **state)
{
    static const str bodies[] = {STR_INIT("\5abc"), STR_INIT("\xff\xff\xff\xff\x0f"),
                                 STR_INIT("\x80"), STR_INIT("")};
    for (size_t i = 0; i < KE_ARRAY_LEN(bodies); i++) {
        message.body = cursor_over(bodies[i].p, bodies[i].n);
        assert_int_equal(message_get_str(&message).n, 0);
        assert_false(cursor_ok(&message.body));
    }
}

static void test_too_long(void **state)
{
    struct err e = {0};
    auto_buf body;
    buf_init(&body, 1 << 20);
    for (size_t i = 0; i <= MESSAGE_MAX; i++)
        buf_add_char(&body, 'x');
    assert_int_equal(channel_send(ends[0], MSG_OK, &body, -1, &e), ERR_LIMIT);
    body.n = MESSAGE_MAX;
    assert_ok(channel_send(ends[0], MSG_OK, &body, -1, &e));
    assert_int_equal(channel_receive(ends[1], &message, &e), 1);
    assert_int_equal(cursor_left(&message.body), MESSAGE_MAX);
}

static void test_other_end_gone(void **state)
{
    struct err e = {0};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    close(pair[0]);
    assert_int_equal(channel_receive(pair[1], &message, &e), 0);
    assert_int_equal(channel_send(pair[1], MSG_OK, NULL, -1, &e), ERR_IO);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure, setup, teardown),
        cmocka_unit_test(test_bad_failures),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test(test_strings_that_lie),
        cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
        cmocka_unit_test(test_other_end_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
