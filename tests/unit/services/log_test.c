#include "unit.h"

#include "services/log.h"

#include <fcntl.h>

struct line {
    enum log_level level;
    const char *request_id, *text;
    bool numbers;
};

/* What is written to standard error. */
static void capture_line(struct buf *out, const struct line *l)
{
    int fd;
    assert_int_equal(fs_temp_fd(&fd, NULL), 0);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    static const struct log_number numbers[] = {{"waiting", 3}, {"dead", -1}};
    if (l->numbers)
        log_numbers("simplequeue", "queue", l->text, numbers, 2);
    else
        log_line(l->level, "catalog", l->request_id, "%s", l->text);
    dup2(saved, STDERR_FILENO);
    close(saved);
    lseek(fd, 0, SEEK_SET);
    buf_clear(out);
    assert_int_equal(fs_read_fd(fd, "log", out, NULL), 0);
    close(fd);
}

static void capture(struct buf *out, enum log_level level, const char *request_id, const char *text)
{
    capture_line(out, &(struct line){level, request_id, text, false});
}

static void test_levels(void **state)
{
    auto_buf b;
    buf_init(&b, 1 << 20);
    unsetenv("KELLET_LOG_FORMAT");
    static const struct {
        const char *level;
        bool info, debug;
    } cases[] = {{"FATAL", false, false}, {"WARN", false, false}, {"info", true, false},
                 {"DEBUG", true, true},   {"SPEW", true, true},   {"nonsense", true, false},
                 {NULL, true, false}};
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        log_open(cases[i].level);
        assert_true(log_wants(LOG_LEVEL_ERROR));
        assert_int_equal(log_wants(LOG_LEVEL_INFO), cases[i].info);
        assert_int_equal(log_wants(LOG_LEVEL_DEBUG), cases[i].debug);
        capture(&b, LOG_LEVEL_DEBUG, NULL, "x");
        assert_int_equal(b.n > 0, cases[i].debug);
    }
}

static void test_words(void **state)
{
    auto_buf b;
    buf_init(&b, 1 << 20);
    unsetenv("KELLET_LOG_FORMAT");
    log_open("INFO");
    capture(&b, LOG_LEVEL_WARN, "a\x1b[2J", "one\ntwo\r \"q\" \xc3\xa9");
    str line = buf_view(&b);
    assert_int_equal(line.p[10], 'T');
    assert_str(str_from(line, 24),
               STR(" WARN  catalog [a\\x1b[2J]: one\\x0atwo\\x0d \"q\" \xc3\xa9\n"));
}

static void test_json(void **state)
{
    auto_buf b;
    buf_init(&b, 1 << 20);
    setenv("KELLET_LOG_FORMAT", "json", 1);
    log_open("INFO");
    capture(&b, LOG_LEVEL_ERROR, "id", "a\n\"b\"\\\x01");
    unsetenv("KELLET_LOG_FORMAT");
    log_open("INFO");
    ptrdiff_t at = str_find(buf_view(&b), STR(",\"level\""));
    assert_true(at > 0);
    assert_str(str_from(buf_view(&b), (size_t)at),
               STR(",\"level\":\"ERROR\",\"service\":\"catalog\",\"request_id\":\"id\","
                   "\"message\":\"a\\n\\\"b\\\"\\\\\\u0001\"}\n"));
}

static void test_numbers(void **state)
{
    auto_buf b;
    buf_init(&b, 1 << 20);
    const struct line l = {.text = "a\"b", .numbers = true};
    unsetenv("KELLET_LOG_FORMAT");
    log_open("INFO");
    capture_line(&b, &l);
    assert_str(str_from(buf_view(&b), 24),
               STR(" INFO  simplequeue: queue a\"b waiting=3 dead=-1\n"));
    setenv("KELLET_LOG_FORMAT", "json", 1);
    log_open("INFO");
    capture_line(&b, &l);
    ptrdiff_t at = str_find(buf_view(&b), STR(",\"level\""));
    assert_str(str_from(buf_view(&b), (size_t)at),
               STR(",\"level\":\"INFO\",\"service\":\"simplequeue\",\"queue\":\"a\\\"b\","
                   "\"waiting\":3,\"dead\":-1}\n"));
    unsetenv("KELLET_LOG_FORMAT");
    log_open("WARN");
    capture_line(&b, &l);
    assert_int_equal(b.n, 0);
    log_open("INFO");
}

static void test_long(void **state)
{
    auto_buf b;
    buf_init(&b, 1 << 20);
    char *text = malloc(100001);
    memset(text, '\x02', 100000);
    text[100000] = '\0';
    capture(&b, LOG_LEVEL_ERROR, NULL, text);
    free(text);
    assert_in_range(b.n, 8192, 65536);
    assert_int_equal(b.p[b.n - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),  cmocka_unit_test(test_words), cmocka_unit_test(test_json),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
