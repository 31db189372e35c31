#include "image/reference.h"

#include <stdio.h>

enum { NAME_MAX_BYTES = 255, TAG_MAX_BYTES = 128 };

static const struct registry_names known[] = {
    {.name = "docker.io",
     .api_host = "registry-1.docker.io",
     .config_key = "https://index.docker.io/v1/",
     .aliases = {"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}},
};

/* Where images without a registry come from, and the directory of its one-word names. */
static const char default_registry[] = "docker.io";
static const char default_directory[] = "library";
static const char default_tag[] = "latest";

const struct registry_names *registry_names_find(str host)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(known); i++) {
        if (str_eq_nocase(host, str_z(known[i].name)) ||
            str_eq_nocase(host, str_z(known[i].api_host)))
            return &known[i];
        for (const char *const *alias = known[i].aliases; *alias; alias++)
            if (str_eq_nocase(host, str_z(*alias)))
                return &known[i];
    }
    return NULL;
}

const char *reference_api_host(const struct reference *r)
{
    const struct registry_names *names = registry_names_find(str_z(r->registry));
    return names ? names->api_host : r->registry;
}

static bool is_lower_alnum(char c)
{
    return ke_isdigit(c) || (c >= 'a' && c <= 'z');
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_hex(char c)
{
    return ke_isdigit(c) || (c >= 'a' && c <= 'f');
}

static void copy(char *out, size_t size, str s)
{
    size_t n = s.n < size - 1 ? s.n : size - 1;
    memcpy(out, s.n ? s.p : "", n);
    out[n] = 0;
}

/* ---- digest and tag ----------------------------------------------------------------------------
 */

static int digest_check(str digest, struct err *e)
{
    static const struct {
        const char *name;
        size_t digits;
    } algorithms[] = {{"sha256", 64}, {"sha512", 128}};
    str hex = digest, name = str_split(&hex, ':');
    for (size_t i = 0; i < KE_ARRAY_LEN(algorithms); i++) {
        if (!str_eq(name, str_z(algorithms[i].name)))
            continue;
        size_t good = 0;
        while (good < hex.n && is_hex(hex.p[good]))
            good++;
        if (hex.n == algorithms[i].digits && good == hex.n)
            return 0;
        return err_set(e, ERR_USAGE,
                       "a %s digest has %zu lower-case hex digits, this one has %zu%s",
                       algorithms[i].name, algorithms[i].digits, hex.n,
                       good == hex.n ? "" : " characters, not all of them hex digits");
    }
    size_t good = 0;
    while (good < name.n && is_lower_alnum(name.p[good]))
        good++;
    if (name.n == digest.n || good < name.n)
        return err_set(e, ERR_USAGE, "what follows \"@\" must be a digest (sha256:...)");
    return err_set(e, ERR_UNSUPPORTED, "digest algorithm \"%.*s\" is not supported", STR_ARG(name));
}

static int tag_check(str tag, struct err *e)
{
    if (tag.n == 0)
        return err_set(e, ERR_USAGE, "the tag after \":\" is empty");
    if (tag.n > TAG_MAX_BYTES)
        return err_set(e, ERR_USAGE, "the tag is longer than %d bytes", TAG_MAX_BYTES);
    for (size_t i = 0; i < tag.n; i++) {
        char c = tag.p[i];
        if (!ke_isalnum(c) && c != '_' && (i == 0 || (c != '.' && c != '-')))
            return err_set(
                e, ERR_USAGE,
                "the tag \"%.*s\" may have letters, digits, \"_\", \".\" and \"-\" only, "
                "and not begin with the last two",
                STR_ARG(tag));
    }
    return 0;
}

/* ---- registry ----------------------------------------------------------------------------------
 */

static bool ipv6_ok(str s)
{
    size_t colons = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ':')
            colons++;
        else if (!is_hex(ke_tolower(s.p[i])) && s.p[i] != '.')
            return false;
    }
    return s.n >= 2 && s.n <= 45 && colons >= 2;
}

static bool host_ok(str host)
{
    if (host.n && host.p[0] == '[')
        return host.p[host.n - 1] == ']' && ipv6_ok(str_sub(host, 1, host.n - 1));
    if (host.n == 0 || host.p[host.n - 1] == '.')
        return false;
    while (host.n) {
        str label = str_split(&host, '.');
        if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++)
            if (!ke_isalnum(label.p[i]) && label.p[i] != '-')
                return false;
    }
    return true;
}

static int registry_check(str registry, struct err *e)
{
    str host = registry, port = {0};
    ptrdiff_t colon = str_rindex(registry, ':');
    ptrdiff_t bracket = str_rindex(registry, ']');
    uint64_t number = 0;
    if (colon >= 0 && colon > bracket) {
        host = str_sub(registry, 0, (size_t)colon);
        port = str_from(registry, (size_t)colon + 1);
        if (!str_to_u64(port, &number) || number == 0 || number > 65535)
            return err_set(e, ERR_USAGE, "\"%.*s\" is not a port number", STR_ARG(port));
    }
    if (!host_ok(host))
        return err_set(e, ERR_USAGE, "\"%.*s\" is not a host name", STR_ARG(host));
    return 0;
}

/* The first component is a registry when it cannot be a repository's directory. */
static bool is_registry(str first)
{
    if (str_eq(first, STR("localhost")) || (first.n && first.p[0] == '['))
        return true;
    for (size_t i = 0; i < first.n; i++)
        if (first.p[i] == '.' || first.p[i] == ':')
            return true;
    return false;
}

/* ---- repository --------------------------------------------------------------------------------
 */

/* [a-z0-9]+ joined by ".", "_", "__" or dashes. */
static bool component_ok(str s)
{
    size_t i = 0;
    while (i < s.n) {
        size_t from = i;
        while (i < s.n && is_lower_alnum(s.p[i]))
            i++;
        if (i == from || i == s.n)
            return i > from;
        char joint = s.p[i];
        size_t run = 0;
        for (; i < s.n && s.p[i] == joint; i++)
            run++;
        bool ok = joint == '-' || (joint == '.' && run == 1) || (joint == '_' && run <= 2);
        if (!ok)
            return false;
    }
    return false;
}

static int repository_check(str repository, struct err *e)
{
    for (size_t i = 0; i < repository.n; i++)
        if (is_upper(repository.p[i]))
            return err_set(e, ERR_USAGE, "the repository \"%.*s\" must be in lower case",
                           STR_ARG(repository));
    str rest = repository;
    bool ok = repository.n && repository.p[repository.n - 1] != '/';
    while (ok && rest.n)
        ok = component_ok(str_split(&rest, '/'));
    if (ok)
        return 0;
    if (repository.n == 0)
        return err_set(e, ERR_USAGE, "the repository's name is missing");
    return err_set(e, ERR_USAGE,
                   "\"%.*s\" is not a repository's name: lower-case letters and digits, joined by "
                   "\".\", \"_\", \"__\" or \"-\", in parts separated by \"/\"",
                   STR_ARG(repository));
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

static int name_parse(str name, struct reference *out, struct err *e)
{
    ptrdiff_t slash = str_index(name, '/');
    str registry = {0}, repository = name;
    if (slash >= 0 && is_registry(str_sub(name, 0, (size_t)slash))) {
        registry = str_sub(name, 0, (size_t)slash);
        repository = str_from(name, (size_t)slash + 1);
        int rc = registry_check(registry, e);
        if (rc < 0)
            return rc;
    }
    int rc = repository_check(repository, e);
    if (rc < 0)
        return rc;
    copy(out->registry, sizeof out->registry, registry.n ? registry : str_z(default_registry));
    for (char *c = out->registry; *c; c++)
        *c = ke_tolower(*c);
    const struct registry_names *names = registry_names_find(str_z(out->registry));
    if (names)
        snprintf(out->registry, sizeof out->registry, "%s", names->name);
    bool one_word = strcmp(out->registry, default_registry) == 0 && str_index(repository, '/') < 0;
    size_t length =
        strlen(out->registry) + 1 + repository.n + (one_word ? sizeof default_directory : 0);
    if (length > NAME_MAX_BYTES)
        return err_set(e, ERR_USAGE, "the name is longer than %d bytes", NAME_MAX_BYTES);
    snprintf(out->repository, sizeof out->repository, "%s%s%.*s", one_word ? default_directory : "",
             one_word ? "/" : "", STR_ARG(repository));
    return 0;
}

static bool is_image_id(str s)
{
    size_t i = 0;
    while (i < s.n && is_hex(s.p[i]))
        i++;
    return s.n == 64 && i == s.n;
}

static int parse(str text, struct reference *out, struct err *e)
{
    int rc = 0;
    memset(out, 0, sizeof *out);
    if (text.n > 2 * NAME_MAX_BYTES + TAG_MAX_BYTES)
        return err_set(e, ERR_USAGE, "it is too long");
    if (str_find(text, STR("://")) >= 0)
        return err_set(e, ERR_USAGE, "write it without \"%.*s://\"",
                       STR_ARG(str_sub(text, 0, (size_t)str_find(text, STR("://")))));
    if (is_image_id(text))
        return err_set(e, ERR_USAGE, "it is an image's id; registries know images by name");
    str name = text;
    ptrdiff_t at = str_index(text, '@');
    if (at >= 0) {
        str digest = str_from(text, (size_t)at + 1);
        if ((rc = digest_check(digest, e)) < 0)
            return rc;
        copy(out->digest, sizeof out->digest, digest);
        name = str_sub(text, 0, (size_t)at);
    }
    ptrdiff_t colon = str_rindex(name, ':');
    if (colon >= 0 && colon > str_rindex(name, '/')) {
        str tag = str_from(name, (size_t)colon + 1);
        if ((rc = tag_check(tag, e)) < 0)
            return rc;
        copy(out->tag, sizeof out->tag, tag);
        name = str_sub(name, 0, (size_t)colon);
    } else if (at < 0) {
        copy(out->tag, sizeof out->tag, str_z(default_tag));
    }
    return name_parse(name, out, e);
}

int reference_parse(str text, struct reference *out, struct err *e)
{
    int rc = parse(text, out, e);
    if (rc == 0)
        return 0;
    memset(out, 0, sizeof *out);
    err_wrap(e, "\"%.*s\" is not an image reference", (int)(text.n < 100 ? text.n : 100),
             text.n ? text.p : "");
    return rc;
}

bool reference_names(str name, str asked)
{
    static const str prefixes[] = {STR_INIT(""), STR_INIT("docker.io/"),
                                   STR_INIT("docker.io/library/"), STR_INIT("index.docker.io/"),
                                   STR_INIT("index.docker.io/library/")};
    for (size_t i = 0; asked.n && i < KE_ARRAY_LEN(prefixes); i++) {
        if (!str_starts(name, prefixes[i]))
            continue;
        str rest = str_from(name, prefixes[i].n);
        if (str_eq(rest, asked) ||
            (str_starts(rest, asked) && str_eq(str_from(rest, asked.n), STR(":latest"))))
            return true;
    }
    return false;
}

void reference_format(const struct reference *r, char *out, size_t size)
{
    snprintf(out, size, "%s/%s%s%s%s%s", r->registry, r->repository, r->tag[0] ? ":" : "", r->tag,
             r->digest[0] ? "@" : "", r->digest);
}
