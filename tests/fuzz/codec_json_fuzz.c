/* The first byte chooses a path for the pull reader; the rest is the text. */
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {NULL, "a", "a/b"};
    if (size == 0)
        return 0;
    str text = {(const char *)data + 1, size - 1}, key, element;
    struct err e;
    auto_json *whole = NULL;
    int parsed = json_parse(text, "fuzz", &whole, &e);
    auto_stream *in = NULL;
    struct json_pull *j = NULL;
    struct json_pull_limits limits = {4096};
    const char *path = paths[data[0] % 3];
    if (stream_from_mem(text, &in, &e) < 0 || json_pull_open(in, path, "fuzz", &limits, &j, &e) < 0)
        return 0;
    int r;
    bool all_parse = true;
    while ((r = json_pull_next(j, &key, &element, &e)) == 1) {
        auto_json *doc = NULL;
        all_parse &= json_parse(element, "fuzz", &doc, &e) == 0;
        auto_buf out;
        buf_init(&out, 1 << 20);
        json_put_string(&out, key);
    }
    /* What the parser takes as a whole, the pull reader must take in pieces. */
    if (parsed == 0 && !path && (r == ERR_FORMAT || !all_parse))
        abort();
    json_pull_close(j);
    return 0;
}
