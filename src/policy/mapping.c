#include "policy/mapping.h"

static bool is_host(str s)
{
    static const char *const names[] = {"localhost", "localbuild"};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++)
        if (str_eq(s, str_z(names[i])))
            return true;
    return str_index(s, ':') >= 0 || str_index(s, '.') >= 0;
}

struct tag_parts tag_parse(str text)
{
    struct tag_parts out = {STR("docker.io"), text, STR("latest")};
    if (!text.n)
        return (struct tag_parts){STR("docker.io"), STR("*/*"), STR("*")};
    ptrdiff_t slash = str_index(text, '/');
    str first = slash < 0 ? (str){0} : str_sub(text, 0, (size_t)slash);
    if (str_eq(first, STR("dockerhub")) || (slash > 0 && is_host(first))) {
        out.registry = str_eq(first, STR("dockerhub")) ? out.registry : first;
        out.repository = str_from(text, (size_t)slash + 1);
    }
    ptrdiff_t at = str_index(out.repository, '@');
    if (at >= 0) {
        out.tag = STR("");
        out.repository = str_sub(out.repository, 0, (size_t)at);
    }
    ptrdiff_t colon = str_rindex(out.repository, ':');
    if (colon >= 0) {
        if (at < 0)
            out.tag = str_from(out.repository, (size_t)colon + 1);
        out.repository = str_sub(out.repository, 0, (size_t)colon);
    }
    return out;
}

int selector_compile(yyjson_val *json, struct arena *a, struct selector *out, struct err *e)
{
    static const char *const types[] = {"tag", "digest", "id"};
    yyjson_val *image = json_get(json, "image");
    *out = (struct selector){.json = json, .value = json_str(image, "value")};
    for (size_t i = 0; i < KE_ARRAY_LEN(types); i++) {
        if (str_eq(json_str(image, "type"), str_z(types[i]))) {
            out->by = (enum image_by)i;
            out->known = true;
        }
    }
    int rc = pattern_compile(json_str(json, "registry"), a, &out->registry, e);
    if (rc == 0)
        rc = pattern_compile(json_str(json, "repository"), a, &out->repository, e);
    if (rc == 0 && out->by == BY_TAG)
        rc = pattern_compile(out->value, a, &out->tag, e);
    return rc;
}

void selector_done(struct selector *s)
{
    pattern_done(&s->registry);
    pattern_done(&s->repository);
    pattern_done(&s->tag);
}

int selector_match(const struct selector *s, const struct tag_parts *tag,
                   const struct policy_image *image, struct err *e)
{
    int rc = s->known ? pattern_match(&s->registry, tag->registry, e) : 0;
    if (rc == 1)
        rc = pattern_match(&s->repository, tag->repository, e);
    if (rc != 1)
        return rc;
    if (s->by == BY_TAG)
        return pattern_match(&s->tag, tag->tag, e);
    str is = !image ? (str){0} : s->by == BY_DIGEST ? image->digest : image->id;
    return is.n && str_eq(is, s->value);
}
