/* sigv4_lines.c - signs requests from standard input, one JSON document a line, and answers each
 * with
 * {"canonical": ..., "signature": ...}: tests/differential/test_sigv4.py compares with botocore. */
#include "base/auto.h"
#include "codec/json.h"
#include "net/sigv4.h"

static void answer(yyjson_val *q)
{
    static struct http_header headers[32];
    struct sigv4_signed s;
    struct err e = {0};
    auto_buf canonical, names, line;
    size_t n = 0, i, max;
    yyjson_val *h;
    buf_init(&canonical, 1 << 20);
    buf_init(&names, 1 << 16);
    buf_init(&line, 1 << 20);
    yyjson_arr_foreach(json_get(q, "headers"), i, max, h)
    {
        if (n < KE_ARRAY_LEN(headers))
            headers[n++] = (struct http_header){yyjson_get_str(yyjson_arr_get(h, 0)),
                                                yyjson_get_str(yyjson_arr_get(h, 1))};
    }
    const struct sigv4_request rq = {
        .method = yyjson_get_str(json_get(q, "method")),
        .host = json_str(q, "host"),
        .path = json_str(q, "path"),
        .query = json_str(q, "query"),
        .headers = headers,
        .n_headers = n,
        .body = json_str(q, "body"),
        .unsigned_payload = yyjson_get_bool(json_get(q, "unsigned")),
        .region = yyjson_get_str(json_get(q, "region")),
        .service = yyjson_get_str(json_get(q, "service")),
        .s3 = yyjson_get_bool(json_get(q, "s3")),
        .time = yyjson_get_sint(json_get(q, "time")),
    };
    const struct sigv4_keys keys = {yyjson_get_str(json_get(q, "access_key")),
                                    yyjson_get_str(json_get(q, "secret_key")),
                                    yyjson_get_str(json_get(q, "token"))};
    if (sigv4_canonical(&rq, &keys, &s, &canonical, &names, &e) < 0 ||
        sigv4_sign(&rq, &keys, &s, &e) < 0) {
        printf("{\"error\": \"%s\"}\n", e.text);
        return;
    }
    buf_add_str(&line, STR("{\"canonical\": "));
    json_put_string(&line, buf_view(&canonical));
    buf_addf(&line, ", \"signature\": \"%s\"}", s.signature);
    puts(buf_z(&line));
}

int main(void)
{
    static char text[1 << 20];
    while (fgets(text, sizeof text, stdin)) {
        auto_json *doc = NULL;
        if (json_parse(str_trim(str_z(text)), "request", &doc, NULL) < 0)
            return 1;
        answer(yyjson_doc_get_root(doc));
        fflush(stdout);
    }
    return 0;
}
