#include "net/aws.h"
#include "net/aws_profile.h"
#include "net/aws_xml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Answers of AWS, and profile files. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"Code", "Message", "Credentials", "Expiration", "Key"};
    static struct aws_profile profile;
    str text = {(const char *)data, size}, content, rest;
    struct http_response rs = {.status = 400};
    struct aws_error x;
    char out[64];
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++) {
        aws_xml_text(text, names[i], out, sizeof out);
        if (strlen(out) >= sizeof out)
            abort();
        if (aws_xml_element(text, names[i], &content, &rest) && content.n + rest.n > size)
            abort();
    }
    aws_error_read(&rs, text, &x);
    aws_time_parse(text);
    profile = (struct aws_profile){0};
    aws_profile_parse(text, "default", true, &profile);
    aws_profile_parse(text, "ci", false, &profile);
    return 0;
}
