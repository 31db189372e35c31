#include "watch/want.h"

#include <fnmatch.h>
#include <stdlib.h>

static const char stars[] = "*?[";

void wants_init(struct wants *w)
{
    *w = (struct wants){0};
    arena_init(&w->arena, 256 << 20);
    map_init(&w->seen);
}

void wants_done(struct wants *w)
{
    vec_done(&w->list);
    map_done(&w->seen);
    arena_done(&w->arena);
}

bool want_matches(const char *pattern, const char *text)
{
    return fnmatch(pattern, text, FNM_NOESCAPE) == 0;
}

static bool has_star(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (strchr(stars, s.p[i]))
            return true;
    return false;
}

/* What names no image of a registry, but another kind of source. */
static int check_kind(str text, struct err *e)
{
    static const char *const prefixes[] = {
        "docker-archive:", "oci-archive:", "oci-dir:", "oci:", "docker:",
        "podman:",         "dir:",         "host:",    "sbom:"};
    for (size_t i = 0; i < KE_ARRAY_LEN(prefixes); i++)
        if (str_starts(text, str_z(prefixes[i])))
            return err_set(
                e, ERR_USAGE,
                "\"%.*s\": only images of registries can be watched; `kellet scan` looks "
                "at files and engines",
                STR_ARG(text));
    return 0;
}

static int add(struct wants *w, str text, const struct want *want, struct err *e)
{
    char name[1024];
    reference_format(&want->ref, name, sizeof name);
    str key =
        arena_printf(&w->arena, "%s|%s|%s", name, want->repositories ? want->repositories : "",
                     want->tags ? want->tags : "");
    if (!key.p)
        return err_no_memory(e);
    if (map_get(&w->seen, key))
        return 0;
    if (w->list.n >= WANTS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d images and patterns to watch", WANTS_MAX);
    struct want *slot = vec_push(&w->list);
    if (!slot || !map_put(&w->seen, key, w))
        return err_no_memory(e);
    *slot = *want;
    return 0;
}

static int add_repositories(struct wants *w, str text, str rest, str tags, struct err *e)
{
    struct want want = {.kind = WANT_REPOSITORIES};
    str host = str_split(&rest, '/');
    bool is_host = str_contains(host, STR(".")) || str_contains(host, STR(":")) ||
                   str_eq(host, STR("localhost"));
    if (!is_host || has_star(host) || !rest.n || host.n >= sizeof want.ref.registry)
        return err_set(e, ERR_USAGE,
                       "\"%.*s\": a pattern of repositories begins with its registry, for example "
                       "host:5000/team/*",
                       STR_ARG(text));
    const struct registry_names *known = registry_names_find(host);
    snprintf(want.ref.registry, sizeof want.ref.registry, "%.*s",
             STR_ARG(known ? str_z(known->name) : host));
    want.repositories = arena_dup(&w->arena, rest).p;
    want.tags = arena_dup(&w->arena, tags).p;
    if (!want.repositories || !want.tags)
        return err_no_memory(e);
    return add(w, text, &want, e);
}

static int add_tags(struct wants *w, str text, str rest, str tags, struct err *e)
{
    struct want want = {.kind = WANT_TAGS};
    int rc = reference_parse(rest, &want.ref, e);
    if (rc < 0)
        return err_wrap(e, "\"%.*s\"", STR_ARG(text));
    want.ref.tag[0] = 0;
    want.tags = arena_dup(&w->arena, tags).p;
    return want.tags ? add(w, text, &want, e) : err_no_memory(e);
}

int wants_add(struct wants *w, str text, struct err *e)
{
    struct want want = {.kind = WANT_IMAGE};
    str registry = STR("registry:"), rest = str_from(text, registry.n);
    uint64_t port; /* or it is a host of that name */
    if (str_starts(text, registry) && str_contains(text, STR("/")) &&
        !str_to_u64(str_split(&rest, '/'), &port))
        text = str_from(text, registry.n);
    int rc = check_kind(text, e);
    if (rc < 0)
        return rc;
    if (!has_star(text)) {
        rc = reference_parse(text, &want.ref, e);
        return rc < 0 ? err_wrap(e, "\"%.*s\"", STR_ARG(text)) : add(w, text, &want, e);
    }
    ptrdiff_t colon = str_rindex(text, ':'), slash = str_rindex(text, '/');
    rest = colon > slash ? str_sub(text, 0, (size_t)colon) : text;
    str tags = colon > slash ? str_from(text, (size_t)colon + 1) : STR("*");
    if (has_star(rest))
        return add_repositories(w, text, rest, tags, e);
    return add_tags(w, text, rest, tags, e);
}

static str without_comment(str line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] == '#' && (i == 0 || ke_isspace(line.p[i - 1])))
            return str_trim(str_sub(line, 0, i));
    return str_trim(line);
}

int wants_add_lines(struct wants *w, str text, const char *name, struct err *e)
{
    size_t number = 0;
    for (str line; str_line(&text, &line);) {
        number++;
        line = without_comment(line);
        int rc = line.n ? wants_add(w, line, e) : 0;
        if (rc < 0)
            return err_wrap(e, "%s, line %zu", name, number);
    }
    return 0;
}
