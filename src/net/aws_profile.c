#include "net/aws_profile.h"

#include "base/fs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 1 << 20 };

const char *aws_profile_name(const char *name)
{
    if (!name || !*name)
        name = getenv("AWS_PROFILE");
    return name && *name ? name : "default";
}

/* Is "[...]" the section of this profile? */
static bool section_is(str line, const char *name, bool config)
{
    ptrdiff_t end = str_index(line, ']');
    str inside = str_trim(str_sub(line, 1, end > 0 ? (size_t)end : 0));
    bool prefixed = str_starts(inside, STR("profile ")) || str_starts(inside, STR("profile\t"));
    if (config && !prefixed && !str_eq(inside, STR("default")))
        return false;
    if (config && prefixed)
        inside = str_trim(str_from(inside, 8));
    if (inside.n >= 2 && (inside.p[0] == '"' || inside.p[0] == '\'') &&
        inside.p[inside.n - 1] == inside.p[0])
        inside = str_sub(inside, 1, inside.n - 1);
    return str_eq(inside, str_z(name));
}

static str without_comment(str value)
{
    for (size_t i = 1; i < value.n; i++)
        if ((value.p[i] == '#' || value.p[i] == ';') && ke_isspace(value.p[i - 1]))
            return str_trim(str_sub(value, 0, i));
    return value;
}

static void take(str key, str value, struct aws_profile *out)
{
    const struct {
        const char *key;
        char *at;
        size_t size;
    } places[] = {
        {"aws_access_key_id", out->access_key, sizeof out->access_key},
        {"aws_secret_access_key", out->secret_key, sizeof out->secret_key},
        {"aws_session_token", out->session_token, sizeof out->session_token},
        {"region", out->region, sizeof out->region},
        {"role_arn", out->role_arn, sizeof out->role_arn},
        {"external_id", out->external_id, sizeof out->external_id},
        {"source_profile", out->source_profile, sizeof out->source_profile},
        {"credential_source", out->credential_source, sizeof out->credential_source},
        {"web_identity_token_file", out->web_identity_token_file,
         sizeof out->web_identity_token_file},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(places); i++)
        if (str_eq_nocase(key, str_z(places[i].key)) && !places[i].at[0] &&
            value.n < places[i].size && (!value.n || !memchr(value.p, 0, value.n)))
            snprintf(places[i].at, places[i].size, "%.*s", (int)value.n, value.n ? value.p : "");
    out->has_process |= str_eq_nocase(key, STR("credential_process"));
    out->has_sso |=
        str_eq_nocase(key, STR("sso_session")) || str_eq_nocase(key, STR("sso_start_url"));
}

void aws_profile_parse(str text, const char *name, bool config, struct aws_profile *out)
{
    bool inside = false;
    str line;
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_from(text, 3);
    while (str_line(&text, &line)) {
        if (!line.n || ke_isspace(line.p[0]) || line.p[0] == '#' || line.p[0] == ';')
            continue;
        if (line.p[0] == '[') {
            inside = section_is(line, name, config);
            out->found |= inside;
            continue;
        }
        str value = line, key = str_trim(str_split(&value, '='));
        if (inside && key.n)
            take(key, without_comment(str_trim(value)), out);
    }
}

static int read_one(const char *variable, const char *usual, const char *name, bool config,
                    struct aws_profile *out, struct err *e)
{
    char path[PATH_MAX] = "";
    const char *given = getenv(variable), *home = getenv("HOME");
    if (given && *given)
        snprintf(path, sizeof path, "%s", given);
    else if (home && *home)
        snprintf(path, sizeof path, "%s/.aws/%s", home, usual);
    auto_buf text;
    buf_init(&text, FILE_MAX);
    int rc = path[0] ? fs_read(path, &text, e) : ERR_NOT_FOUND;
    if (rc == 0)
        aws_profile_parse(buf_view(&text), name, config, out);
    if (text.p)
        explicit_bzero(text.p, text.n);
    return rc == ERR_NOT_FOUND ? 0 : rc < 0 ? err_wrap(e, "AWS profiles") : 0;
}

int aws_profile_read(const char *name, struct aws_profile *out, struct err *e)
{
    *out = (struct aws_profile){0};
    name = aws_profile_name(name);
    int rc = read_one("AWS_SHARED_CREDENTIALS_FILE", "credentials", name, false, out, e);
    return rc < 0 ? rc : read_one("AWS_CONFIG_FILE", "config", name, true, out, e);
}
