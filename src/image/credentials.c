#include "image/credentials.h"

#include "base/auto.h"
#include "base/fs.h"
#include "codec/json.h"
#include "image/credential_helper.h"
#include "net/base64.h"

#include <limits.h>

enum { CONFIG_MAX = 4 << 20 };

/* ---- keys --------------------------------------------------------------------------------------
 */

static str without_scheme(str s)
{
    ptrdiff_t at = str_find(s, STR("://"));
    return at >= 0 ? str_from(s, (size_t)at + 3) : s;
}

static bool same_host(str a, str b)
{
    if (str_eq_nocase(a, b))
        return true;
    const struct registry_names *names = registry_names_find(a);
    return names && names == registry_names_find(b);
}

size_t credentials_key_match(str key, str registry)
{
    str key_path = without_scheme(key), path = registry;
    str key_host = str_split(&key_path, '/'), host = str_split(&path, '/');
    if (!host.n || !same_host(key_host, host))
        return 0;
    while (key_path.n && key_path.p[key_path.n - 1] == '/')
        key_path.n--;
    /* The API's own path is no part of a repository's name. */
    if (str_eq(key_path, STR("v1")) || str_eq(key_path, STR("v2")))
        key_path.n = 0;
    if (key_path.n &&
        (!str_starts(path, key_path) || (path.n > key_path.n && path.p[key_path.n] != '/')))
        return 0;
    return 1 + key_path.n;
}

/* The member of an object whose key matches best, or NULL. */
static yyjson_val *best_member(yyjson_val *object, str registry, str *key_out)
{
    yyjson_val *best = NULL, *key;
    size_t best_score = 0;
    yyjson_obj_iter it;
    if (!yyjson_is_obj(object))
        return NULL;
    yyjson_obj_iter_init(object, &it);
    while ((key = yyjson_obj_iter_next(&it))) {
        size_t score = credentials_key_match(json_text(key), registry);
        if (score > best_score) {
            best_score = score;
            best = yyjson_obj_iter_get_val(key);
            *key_out = json_text(key);
        }
    }
    return best;
}

/* ---- values ------------------------------------------------------------------------------------
 */

/* Passwords may have line breaks (cloud providers' keys are whole JSON documents); what becomes
 * part of a message or a header may not. */
static int set(char *out, size_t size, str s, const char *what, bool lines, struct err *e)
{
    if (s.n >= size)
        return err_set(e, ERR_AUTH, "the %s is longer than %zu bytes", what, size - 1);
    for (size_t i = 0; i < s.n; i++)
        if (lines ? s.p[i] == 0 : (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return err_set(e, ERR_AUTH, "the %s has control characters", what);
    memcpy(out, s.n ? s.p : "", s.n);
    out[s.n] = 0;
    return 0;
}

static int set_all(struct credentials *out, str user, str password, str identity, struct err *e)
{
    int rc = set(out->username, sizeof out->username, user, "user name", false, e);
    if (rc == 0)
        rc = set(out->password, sizeof out->password, password, "password", true, e);
    if (rc == 0)
        rc = set(out->identity_token, sizeof out->identity_token, identity, "identity token", false,
                 e);
    return rc < 0 ? rc : (user.n && password.n) || identity.n;
}

static int from_auth_entry(yyjson_val *entry, str key, struct credentials *out, struct err *e)
{
    auto_buf plain;
    str auth = json_str(entry, "auth"), user = json_str(entry, "username");
    str password = json_str(entry, "password"), identity = json_str(entry, "identitytoken");
    buf_init(&plain, 16384);
    if (auth.n) {
        if (base64_decode(auth, &plain, NULL) < 0 || str_index(buf_view(&plain), ':') < 0)
            return err_set(e, ERR_AUTH, "\"auth\" of \"%.*s\" is not base64 of user:password",
                           STR_ARG(str_sub(key, 0, 200)));
        password = buf_view(&plain);
        while (password.n && password.p[password.n - 1] == 0)
            password.n--;
        user = str_split(&password, ':');
    }
    return set_all(out, user, password, identity, e);
}

static int from_helper(str helper, const char *server, struct credentials *out, struct err *e)
{
    auto_buf answer;
    char name[128];
    buf_init(&answer, 1 << 17);
    snprintf(name, sizeof name, "%.*s", (int)(helper.n < 100 ? helper.n : 100), helper.p);
    int rc = credential_helper_get(name, server, &answer, e);
    if (rc <= 0)
        return rc;
    auto_json *doc = NULL;
    if (json_parse(buf_view(&answer), name, &doc, NULL) < 0)
        return err_set(e, ERR_AUTH, "docker-credential-%s did not answer with JSON", name);
    yyjson_val *root = yyjson_doc_get_root(doc);
    str user = json_str(root, "Username"), secret = json_str(root, "Secret");
    if (str_eq(user, STR("<token>")))
        return set_all(out, (str){0}, (str){0}, secret, e);
    return set_all(out, user, secret, (str){0}, e);
}

/* What credential stores know a registry by. */
static void store_key(const char *registry, char *out, size_t size)
{
    str path = str_z(registry), host = str_split(&path, '/');
    const struct registry_names *names = registry_names_find(host);
    if (names)
        snprintf(out, size, "%s", names->config_key);
    else
        snprintf(out, size, "%.*s", STR_ARG(host));
}

int credentials_from_config(str text, const char *name, const char *registry,
                            struct credentials *out, struct err *e)
{
    auto_json *doc = NULL;
    str key = {0};
    char server[512];
    int rc = json_parse(text, name, &doc, e);
    if (rc < 0)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(doc);
    store_key(registry, server, sizeof server);
    str helper = json_text(best_member(json_get(root, "credHelpers"), str_z(registry), &key));
    if (!helper.n)
        helper = json_str(root, "credsStore");
    if (helper.n && (rc = from_helper(helper, server, out, e)) != 0)
        return rc;
    yyjson_val *entry = best_member(json_get(root, "auths"), str_z(registry), &key);
    return entry ? from_auth_entry(entry, key, out, e) : 0;
}

/* ---- files -------------------------------------------------------------------------------------
 */

/* Files in the order they are asked; each may be absent. */
static void config_paths(const char *docker_config, char paths[4][PATH_MAX])
{
    const char *auth_file = getenv("REGISTRY_AUTH_FILE"), *docker = getenv("DOCKER_CONFIG");
    const char *run = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");
    memset(paths, 0, 4 * PATH_MAX);
    if (docker_config) {
        snprintf(paths[0], PATH_MAX, "%s/config.json", docker_config);
        return;
    }
    if (auth_file && *auth_file)
        snprintf(paths[0], PATH_MAX, "%s", auth_file);
    if (docker && *docker)
        snprintf(paths[1], PATH_MAX, "%s/config.json", docker);
    else if (home && *home)
        snprintf(paths[1], PATH_MAX, "%s/.docker/config.json", home);
    if (run && *run)
        snprintf(paths[2], PATH_MAX, "%s/containers/auth.json", run);
    else
        snprintf(paths[2], PATH_MAX, "/run/containers/%u/auth.json", (unsigned)getuid());
    if (home && *home)
        snprintf(paths[3], PATH_MAX, "%s/.config/containers/auth.json", home);
}

int credentials_find(const char *docker_config, const char *registry, struct credentials *out,
                     struct err *e)
{
    char(*paths)[PATH_MAX] autofree = malloc(4 * PATH_MAX);
    memset(out, 0, sizeof *out);
    if (!paths)
        return err_no_memory(e);
    config_paths(docker_config, paths);
    for (size_t i = 0; i < 4; i++) {
        auto_buf text;
        buf_init(&text, CONFIG_MAX);
        if (!paths[i][0] || access(paths[i], F_OK) != 0)
            continue;
        int rc = fs_read(paths[i], &text, e);
        if (rc == 0 && str_trim(buf_view(&text)).n)
            rc = credentials_from_config(buf_view(&text), paths[i], registry, out, e);
        if (text.p)
            explicit_bzero(text.p, text.n);
        if (rc > 0)
            return 0;
        memset(out, 0, sizeof *out);
        if (rc < 0) {
            err_wrap(e, "credentials in %s", paths[i]);
            return rc;
        }
    }
    return 0;
}
