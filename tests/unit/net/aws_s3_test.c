#include "server.h"

#include "net/aws_s3.h"

static struct err e;
static struct server server;
static char url[64];

static struct s3 *bucket(const struct s3_options *more)
{
    struct s3_options o = {0};
    struct s3 *s;
    if (more)
        o = *more;
    o.access_key = "A";
    o.secret_key = "s";
    if (!o.url)
        o.url = url;
    if (!o.bucket)
        o.bucket = "bucket";
    assert_ok(s3_new(&o, &s, &e));
    return s;
}

static void fetch(const char *path, struct buf *out)
{
    struct http *h;
    struct http_response rs;
    char full[128];
    snprintf(full, sizeof full, "%s%s", url, path);
    assert_ok(http_new(NULL, &h, &e));
    assert_ok(http_fetch(h, &(struct http_request){.url = full}, &rs, out, &e));
    http_response_done(&rs);
    http_free(h);
}

static unsigned requests(const char *begin)
{
    auto_buf log;
    str rest, line;
    unsigned n = 0;
    buf_init(&log, 1 << 20);
    fetch("/log", &log);
    for (rest = buf_view(&log); str_line(&rest, &line);)
        n += str_starts(line, str_z(begin));
    return n;
}

static void objects_come_back(void **state)
{
    static const char *const keys[] = {"a",           "a/b//c", "with blank", "plus+and=&?#%25",
                                       "\xc3\xbc~*'", "..",     "a/../b",     "busy",
                                       "cut"};
    struct s3 *s = bucket(NULL);
    auto_buf got;
    buf_init(&got, 1 << 20);
    for (size_t i = 0; i < KE_ARRAY_LEN(keys); i++) {
        buf_clear(&got);
        assert_ok(s3_put(s, keys[i], str_z(keys[i]), &e));
        assert_ok(s3_get(s, keys[i], &got, &e));
        assert_str(buf_view(&got), str_z(keys[i]));
    }
    buf_clear(&got);
    assert_ok(s3_put(s, "a", STR(""), &e));
    assert_ok(s3_get(s, "a", &got, &e));
    assert_int_equal(got.n, 0);
    assert_int_equal(s3_get(s, "absent", &got, &e), ERR_NOT_FOUND);
    assert_ok(s3_delete(s, "a", &e));
    assert_int_equal(s3_get(s, "a", &got, &e), ERR_NOT_FOUND);
    assert_ok(s3_delete(s, "a", &e));
    assert_int_equal(s3_put(s, "never", STR("x"), &e), ERR_NET);
    assert_non_null(strstr(e.text, "InternalError"));
    assert_int_equal(requests("PUT /bucket/never"), 4);
    char large[1100];
    memset(large, 'k', sizeof large);
    large[1025] = 0;
    assert_int_equal(s3_put(s, large, STR("x"), &e), ERR_LIMIT);
    struct buf small;
    buf_init(&small, 10);
    assert_ok(s3_put(s, "a", STR("more than ten bytes"), &e));
    assert_int_equal(s3_get(s, "a", &small, &e), ERR_LIMIT);
    buf_done(&small);
    s3_free(s);
}

static void large_ones_go_in_parts(void **state)
{
    struct s3 *s = bucket(&(struct s3_options){.encryption = "aws:kms", .kms_key = "key-1"});
    size_t n = S3_MULTIPART_FROM + 12345;
    char *bytes autofree = malloc(n);
    auto_buf got;
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    buf_init(&got, n + 1);
    assert_ok(s3_put(s, "large", (str){bytes, n}, &e));
    assert_ok(s3_get(s, "large", &got, &e));
    assert_true(str_eq(buf_view(&got), (str){bytes, n}));
    assert_int_equal(requests("PUT /bucket/large?partNumber="), 3);
    buf_clear(&got);
    fetch("/encryption", &got);
    assert_non_null(strstr(buf_z(&got), "key-1"));
    assert_int_equal(s3_put(s, "half", (str){bytes, n}, &e), ERR_NET);
    assert_int_equal(requests("DELETE /bucket/half?uploadId="), 1);
    s3_free(s);
}

struct seen {
    char text[400];
    char last[S3_KEY_MAX + 1];
};

static int see(void *ctx, const char *key, int64_t modified, struct err *e_)
{
    struct seen *x = ctx;
    size_t n = strlen(x->text);
    snprintf(x->text + n, sizeof x->text - n, "%s ", key);
    snprintf(x->last, sizeof x->last, "%s", key);
    assert_true(modified > 0);
    return 0;
}

static void lists(void **state)
{
    static const char *const keys[] = {"l/1", "l/2 & <b>", "l/3", "l/4", "l/old", "m"};
    struct s3 *s = bucket(NULL);
    struct seen x = {0};
    for (size_t i = 0; i < KE_ARRAY_LEN(keys); i++)
        assert_ok(s3_put(s, keys[i], STR("x"), &e));
    assert_int_equal(s3_list(s, "l/", "", see, &x, &e), 1);
    assert_int_equal(s3_list(s, "l/", x.last, see, &x, &e), 0);
    assert_string_equal(x.text, "l/1 l/2 & <b> l/3 l/4 l/old ");
    s3_free(s);
}

static void buckets(void **state)
{
    static const struct {
        const char *bucket;
        bool create;
        int rc;
        const char *says;
    } cases[] = {
        {"bucket", false, 0, ""},
        {"denied", false, ERR_AUTH, "AccessDenied"},
        {"late", false, ERR_NOT_FOUND, "create_bucket"},
        {"late", true, 0, ""},
        {"late", false, 0, ""},
        {"gone", true, ERR_AUTH, "AccessDenied"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct s3 *s = bucket(&(struct s3_options){.bucket = cases[i].bucket});
        e = (struct err){0};
        assert_int_equal(s3_check(s, "p/", cases[i].create, &e), cases[i].rc);
        assert_non_null(strstr(e.text, cases[i].says));
        s3_free(s);
    }
    struct s3 *s = bucket(&(struct s3_options){.url = "http://127.0.0.1:1"});
    assert_int_equal(s3_check(s, "", false, &e), ERR_NET);
    s3_free(s);
}

static void options_are_checked(void **state)
{
    static const struct s3_options bad[] = {
        {.bucket = NULL},
        {.bucket = "x"},
        {.bucket = "up/down"},
        {.bucket = "bucket", .encryption = "rot13"},
        {.bucket = "bucket", .url = "ftp://x"},
        {.bucket = "bucket", .region = "not a region"},
        {.bucket = "bucket", .access_key = "only"},
    };
    unsetenv("AWS_REGION");
    unsetenv("AWS_DEFAULT_REGION");
    unsetenv("AWS_ENDPOINT_URL");
    unsetenv("AWS_ENDPOINT_URL_S3");
    setenv("HOME", "/nonexistent", 1);
    for (size_t i = 0; i < KE_ARRAY_LEN(bad); i++) {
        struct s3 *s = NULL;
        assert_int_equal(s3_new(&bad[i], &s, &e), ERR_USAGE);
    }
    struct s3 *s = NULL;
    assert_int_equal(s3_new(&(struct s3_options){.bucket = "bucket"}, &s, &e), ERR_USAGE);
    assert_non_null(strstr(e.text, "AWS_REGION"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_come_back),
        cmocka_unit_test(large_ones_go_in_parts),
        cmocka_unit_test(lists),
        cmocka_unit_test(buckets),
        cmocka_unit_test(options_are_checked),
    };
    if (!server_start(&server, "store/s3_server.py"))
        return 77;
    snprintf(url, sizeof url, "http://127.0.0.1:%u", server.port);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    server_stop(&server);
    return failed;
}
