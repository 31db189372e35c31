#include "services/fulltag.h"

static bool allowed(char c)
{
    return ke_isalnum(c) || (c != '\0' && strchr("@:/_.-", c));
}

static int refuse_bad(str text, struct arena *a, struct err *e)
{
    str bad = STR("");

    for (size_t i = 0; i < text.n && bad.n < 200; i++) {
        char c = text.p[i];
        unsigned char u = (unsigned char)c;

        if (allowed(c))
            continue;
        const char *sep = bad.n ? ", " : "";
        if (u < 0x20 || u >= 0x7f)
            bad = arena_printf(a, "%.*s%s'\\x%02x'", STR_ARG(bad), sep, u);
        else
            bad = arena_printf(a, "%.*s%s'%c'", STR_ARG(bad), sep, c);
        if (!bad.p)
            return err_no_memory(e);
    }
    if (!bad.n)
        return 0;
    return err_set(e, ERR_USAGE, "bad character(s) [%.*s] in dockerimage string input (%.*s)",
                   STR_ARG(bad), STR_ARG(str_sub(text, 0, 200)));
}

static bool is_host(str s)
{
    return str_index(s, ':') >= 0 || str_index(s, '.') >= 0 || str_eq(s, STR("localhost")) ||
           str_eq(s, STR("localbuild"));
}

int fulltag_parse(str text, struct arena *a, struct fulltag *out, struct err *e)
{
    *out = (struct fulltag){0};
    int r = refuse_bad(text, a, e);
    if (r < 0)
        return r;
    if (text.n > 1024)
        return err_set(e, ERR_USAGE, "dockerimage string input is longer than 1024 characters");
    str rest = arena_dup(a, text);
    if (!rest.p)
        return err_no_memory(e);

    ptrdiff_t at = str_index(rest, '@');
    if (at >= 0) {
        out->digest = str_from(rest, (size_t)at + 1);
        rest = str_sub(rest, 0, (size_t)at);
    }
    ptrdiff_t slash = str_index(rest, '/');
    out->registry = STR("docker.io");
    if (slash > 0 && is_host(str_sub(rest, 0, (size_t)slash))) {
        out->registry = str_sub(rest, 0, (size_t)slash);
        rest = str_from(rest, (size_t)slash + 1);
    }
    ptrdiff_t colon = str_rindex(rest, ':');
    if (colon >= 0 && str_index(str_from(rest, (size_t)colon), '/') < 0) {
        out->tag = str_from(rest, (size_t)colon + 1);
        rest = str_sub(rest, 0, (size_t)colon);
    } else if (!out->digest.p) {
        out->tag = STR("latest");
    }
    out->repo = rest;
    if (!rest.n || (out->tag.p && !out->tag.n) || (out->digest.p && !out->digest.n))
        return err_set(e, ERR_USAGE,
                       "no repository, tag or digest in dockerimage string input (%.*s)",
                       STR_ARG(text));

    if (out->tag.p)
        out->fulltag = arena_printf(a, "%.*s/%.*s:%.*s", STR_ARG(out->registry), STR_ARG(out->repo),
                                    STR_ARG(out->tag));
    out->pull = out->digest.p ? arena_printf(a, "%.*s/%.*s@%.*s", STR_ARG(out->registry),
                                             STR_ARG(out->repo), STR_ARG(out->digest))
                              : out->fulltag;
    return a->full ? err_no_memory(e) : 0;
}
