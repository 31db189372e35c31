#include "services/api/operations.h"

#include "services/auth.h"

enum { FORM_MAX = 64 << 10 };

/* A field of the form as sent; p NULL: absent. */
static str form_value(struct call *c, str name)
{
    str rest = c->raw;
    str type = c->content_type;
    if (rest.n > FORM_MAX || !str_starts(type, STR("application/x-www-form-urlencoded")))
        return (str){0};
    while (rest.n) {
        str value = str_split(&rest, '&'), key = str_split(&value, '=');
        if (!str_eq(key, name))
            continue;
        auto_buf text;
        buf_init(&text, FORM_MAX);
        if (!httpd_decode(value, true, &text))
            return (str){0};
        return arena_dup(&c->arena, buf_view(&text));
    }
    return (str){0};
}

static int oauth_error(struct call *c, const char *error, str description)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "error", str_z(error));
    if (description.n)
        put_str(d, o, "error_description", description);
    return call_send(c, 400, d, o);
}

static int send_token(struct call *c, str uuid)
{
    auto_buf token;
    buf_init(&token, 16 << 10);
    int rc = auth_token(c->engine->auth, uuid, &token, c->err);
    if (rc == ERR_UNSUPPORTED)
        return call_error(c, 403, "Oauth not enabled in configuration");
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "access_token", arena_dup(&c->arena, buf_view(&token)));
    put_int(d, o, "expires_in", c->engine->config->token_seconds);
    put_str(d, o, "token_type", STR("Bearer"));
    call_reply_header(c, "Cache-Control", "no-store");
    return call_send(c, 200, d, o);
}

static int missing(struct call *c, const char *name)
{
    return oauth_error(c, "invalid_request",
                       arena_printf(&c->arena, "Missing \"%s\" in request.", name));
}

static int get_oauth_token(struct call *c)
{
    if (!c->engine->config->oauth_enabled)
        return call_error(c, 403, "Oauth not enabled in configuration");
    if (call_header(c, "Authorization").n) {
        int rc = auth_identify(c);
        return rc < 0 ? rc : rc == 1 ? 0 : send_token(c, c->who.uuid);
    }
    str grant = form_value(c, STR("grant_type")), client = form_value(c, STR("client_id"));
    str username = form_value(c, STR("username")), password = form_value(c, STR("password"));
    if (!grant.p)
        return oauth_error(c, "unsupported_grant_type", STR("Grant type None is not supported"));
    if (!str_eq(grant, STR("password")))
        return oauth_error(c, "unsupported_grant_type",
                           arena_printf(&c->arena, "Grant type '%.*s' is not supported",
                                        STR_ARG(str_sub(grant, 0, 100))));
    if (!str_eq(client, STR("anonymous")))
        return oauth_error(c, "invalid_client", (str){0});
    if (!username.n)
        return missing(c, "username");
    if (!password.n)
        return missing(c, "password");
    str uuid;
    int rc = auth_check_password(c, username, password, &uuid, c->err);
    if (rc < 0)
        return rc;
    return rc ? send_token(c, uuid)
              : oauth_error(c, "invalid_grant", STR("Wrong name or password"));
}

const struct operation oauth_operations[] = {
    {"get_oauth_token", get_oauth_token, ROUTE_OPEN | ROUTE_SLOW | ROUTE_RAW},
    {NULL, NULL, 0},
};
