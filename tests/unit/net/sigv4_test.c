#include "unit.h"

#include "net/sigv4.h"

/* Computed with botocore 1.44; tests/differential/test_sigv4.py compares thousands more. */
static const struct http_header two[] = {{"My-Header2", "  a   b  "}, {"My-Header1", "x"}};
static const struct http_header form[] = {{"Content-Type", "application/x-www-form-urlencoded"}};
static const struct http_header json[] = {{"Content-Type", "application/x-amz-json-1.1"}};
static const struct http_header sse[] = {{"x-amz-server-side-encryption", "AES256"}};

static const struct vector {
    const char *method, *path, *query, *body, *token, *service, *signature;
    const struct http_header *headers;
    size_t n_headers;
    bool s3, unsigned_payload;
} vectors[] = {
    {"GET", "/", "", "", "", "service",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"GET", "", "", "", "", "service",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"GET", "/", "b=2&a=%20&a=1&%E1%88%B4=bar", "", "", "service",
     "4c7d87399ab73982aa725ed73bf5a4a4c131281e5cb4a6dcb08ddb466a04bb73", two, 2},
    {"GET", "/", "&&%e1%88%b4=b%61r&a=1&b=2&a=%20", "", "", "service",
     "4c7d87399ab73982aa725ed73bf5a4a4c131281e5cb4a6dcb08ddb466a04bb73", two, 2},
    {"POST", "/a/./b/../c%20d//e/", "", "Param1=value1", "", "service",
     "031f3fc3fcf3cfb2bd518cd5143925452fa5fe46116e843c2ff52d5b3aae79db", form, 1},
    {"POST", "/", "", "{}", "AQoDYXdz/with+signs==", "ecr",
     "bea657ae022a20e3ebb165b42ccb478b36b4a7b9b17a6ef8757e265fb3085ca9", json, 1},
    {"PUT", "/bucket//a/../b%20c%2B%3D", "partNumber=1&uploadId=x%2Fy", "Welcome", "", "s3",
     "541a6449485b665ad88aafa0d38581d72dad39464129822b77555bbf50277e84", NULL, 0, true},
    {"PUT", "/bucket/key", "", "Welcome", "", "s3",
     "09f377ca9ac88aa8eea6c2880b9f984fde10b1c7666cef03b922df5a7d5bf645", sse, 1, true, true},
};

static struct sigv4_request request_of(const struct vector *v)
{
    return (struct sigv4_request){
        .method = v->method,
        .host = STR("example.amazonaws.com"),
        .path = str_z(v->path),
        .query = str_z(v->query),
        .headers = v->headers,
        .n_headers = v->n_headers,
        .body = str_z(v->body),
        .unsigned_payload = v->unsigned_payload,
        .region = "us-east-1",
        .service = v->service,
        .s3 = v->s3,
        .time = 1440938160,
    };
}

static void vectors_agree(void **state)
{
    struct err e = {0};
    for (size_t i = 0; i < KE_ARRAY_LEN(vectors); i++) {
        struct sigv4_signed s;
        struct sigv4_request rq = request_of(&vectors[i]);
        const struct sigv4_keys keys = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                        vectors[i].token};
        assert_ok(sigv4_sign(&rq, &keys, &s, &e));
        assert_str(str_z(s.signature), str_z(vectors[i].signature));
        assert_true(str_starts(str_z(s.authorization),
                               STR("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/")));
        assert_true(str_ends(str_z(s.authorization), str_z(vectors[i].signature)));
        assert_string_equal(s.headers[0].value, "20150830T123600Z");
        assert_int_equal(s.n_headers, 1 + vectors[i].s3 + (vectors[i].token[0] != 0));
    }
}

static void limits(void **state)
{
    struct err e = {0};
    struct sigv4_signed s;
    struct sigv4_request rq = request_of(&vectors[0]);
    struct sigv4_keys keys = {"A", "s", NULL};
    static struct http_header many[40];
    char query[400] = "", secret[1000];
    for (size_t i = 0; i < 40; i++)
        many[i] = (struct http_header){"x-a", "1"};
    rq.headers = many;
    rq.n_headers = 25;
    assert_int_equal(sigv4_sign(&rq, &keys, &s, &e), ERR_LIMIT);
    rq.n_headers = 24;
    assert_ok(sigv4_sign(&rq, &keys, &s, &e));
    for (size_t i = 0; i < 65; i++)
        snprintf(query + 4 * i, sizeof query - 4 * i, "a=1&");
    rq.query = (str){query, 4 * 64};
    assert_ok(sigv4_sign(&rq, &keys, &s, &e));
    rq.query = (str){query, 4 * 65};
    assert_int_equal(sigv4_sign(&rq, &keys, &s, &e), ERR_LIMIT);
    rq.query = (str){0};
    memset(secret, 'x', sizeof secret - 1);
    secret[sizeof secret - 1] = 0;
    keys.secret_key = secret;
    assert_int_equal(sigv4_sign(&rq, &keys, &s, &e), ERR_LIMIT);
    keys.secret_key = "s";
    keys.access_key = secret;
    assert_int_equal(sigv4_sign(&rq, &keys, &s, &e), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_agree),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
