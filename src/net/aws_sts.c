#include "net/aws_sts.h"

#include "base/auto.h"
#include "net/aws_xml.h"
#include "net/sigv4.h"

enum { ANSWER_MAX = 256 << 10, FORM_MAX = 64 << 10 };

static void add(struct buf *form, const char *name, str value)
{
    if (!value.n)
        return;
    if (form->n)
        buf_add_char(form, '&');
    buf_addf(form, "%s=", name);
    sigv4_encode(value, false, form);
}

static int keys_read(str answer, struct aws_keys *out, struct err *e)
{
    char expires[64];
    str credentials;
    if (!aws_xml_element(answer, "Credentials", &credentials, NULL) ||
        !aws_xml_text(credentials, "AccessKeyId", out->access_key, sizeof out->access_key) ||
        !aws_xml_text(credentials, "SecretAccessKey", out->secret_key, sizeof out->secret_key) ||
        !aws_xml_text(credentials, "SessionToken", out->session_token, sizeof out->session_token) ||
        !aws_xml_text(credentials, "Expiration", expires, sizeof expires))
        return err_set(e, ERR_FORMAT, "the answer of STS has no usable keys");
    out->expires = aws_time_parse(str_z(expires));
    return out->expires < 0 ? err_set(e, ERR_FORMAT, "the keys of STS have no usable expiration")
                            : 0;
}

static int ask(const struct aws_sts *s, const struct aws_keys *keys, struct buf *form,
               const char *what, struct aws_keys *out, struct err *e)
{
    static const struct http_header type = {"content-type",
                                            "application/x-www-form-urlencoded; charset=utf-8"};
    const char *region = s->region && *s->region ? s->region : aws_region_environment();
    char url[AWS_ENDPOINT_MAX + 1];
    bool own;
    struct http_response rs;
    auto_buf answer;
    buf_init(&answer, ANSWER_MAX);
    if (!region)
        region = "us-east-1";
    int rc = aws_endpoint(s->endpoints, "sts", region, url, &own, e);
    if (rc == 0)
        rc = buf_check(form, what, e);
    if (rc < 0)
        return rc;
    snprintf(url + strlen(url), 2, "/");
    rc = aws_send(s->client, keys,
                  &(struct aws_request){.service = "sts",
                                        .region = region,
                                        .method = "POST",
                                        .url = url,
                                        .headers = &type,
                                        .n_headers = 1,
                                        .body = buf_view(form),
                                        .max_body = ANSWER_MAX},
                  &rs, &answer, e);
    rc = aws_expect_ok(rc, &rs, buf_view(&answer), what, e);
    if (rc == 0)
        rc = keys_read(buf_view(&answer), out, e);
    http_response_done(&rs);
    if (answer.p)
        explicit_bzero(answer.p, answer.n);
    return rc;
}

static void begin(struct buf *form, const struct aws_sts *s, const char *action,
                  const char *role_arn, const char *session)
{
    char made[64];
    snprintf(made, sizeof made, "kellet-%lld", (long long)aws_now(s->client));
    buf_init(form, FORM_MAX);
    add(form, "Action", str_z(action));
    add(form, "Version", STR("2011-06-15"));
    add(form, "RoleArn", str_z(role_arn));
    add(form, "RoleSessionName", str_z(session && *session ? session : made));
}

int aws_sts_assume(const struct aws_sts *s, const struct aws_keys *keys, const char *role_arn,
                   const char *external_id, const char *session, struct aws_keys *out,
                   struct err *e)
{
    auto_buf form;
    char what[400];
    begin(&form, s, "AssumeRole", role_arn, session);
    add(&form, "ExternalId", str_z(external_id));
    snprintf(what, sizeof what, "role %.200s", role_arn);
    return ask(s, keys, &form, what, out, e);
}

int aws_sts_web_identity(const struct aws_sts *s, const char *role_arn, const char *session,
                         str token, struct aws_keys *out, struct err *e)
{
    auto_buf form;
    char what[400];
    begin(&form, s, "AssumeRoleWithWebIdentity", role_arn, session);
    add(&form, "WebIdentityToken", token);
    snprintf(what, sizeof what, "role %.200s by web identity", role_arn);
    int rc = ask(s, NULL, &form, what, out, e);
    if (form.p)
        explicit_bzero(form.p, form.n);
    return rc;
}
