#include "services/policy_engine/policy_name.h"

#include "image/reference.h"
#include "services/fulltag.h"

#define NO_REPOSITORY "localhost/image"

enum { CHECK_MAX = 64 << 10 };

static bool name_parse(str text, struct arena *a, str *out)
{
    struct fulltag name;
    struct err ignored;
    if (!text.n || fulltag_parse(text, a, &name, &ignored) < 0)
        return false;
    *out = name.fulltag.p ? name.fulltag : name.pull;
    return true;
}

/* A name that the library of references takes, but no engine does, stands for itself. */
static str said(str text, struct arena *a)
{
    str name = text;
    name_parse(text, a, &name);
    return name;
}

static bool is_only_tag(str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (strchr("/:@", text.p[i]))
            return false;
    return text.n > 0;
}

static enum policy_name_source given_by(const struct inventory *inv)
{
    static const struct {
        const char *kind;
        enum policy_name_source source;
    } kinds[] = {{"oci-dir", NAME_LAYOUT},
                 {"docker", NAME_ENGINE},
                 {"podman", NAME_ENGINE},
                 {"import", NAME_SBOM}};
    for (size_t i = 0; i < KE_ARRAY_LEN(kinds); i++)
        if (str_eq(inv->source_kind, str_z(kinds[i].kind)))
            return kinds[i].source;
    return NAME_ARCHIVE;
}

/* What was asked for is the name when it is one of the image's, or nothing else is to be had. */
static bool asked_counts(const struct inventory *inv)
{
    if (!inv->asked.n)
        return false;
    if (str_eq(inv->source_kind, STR("registry")))
        return true;
    for (size_t i = 0; i < inv->n_repo_tags; i++)
        if (!is_only_tag(inv->repo_tags[i]) && reference_names(inv->repo_tags[i], inv->asked))
            return true;
    return given_by(inv) == NAME_ENGINE && !inv->n_repo_tags;
}

static bool given_name(const struct inventory *inv, struct arena *a, struct policy_name *out)
{
    out->source = given_by(inv);
    for (size_t i = 0; i < inv->n_repo_tags; i++)
        if (!is_only_tag(inv->repo_tags[i]) && name_parse(inv->repo_tags[i], a, &out->text))
            return true;
    for (size_t i = 0; i < inv->n_repo_tags; i++) {
        str tag = inv->repo_tags[i];
        str name = arena_printf(a, NO_REPOSITORY ":%.*s", STR_ARG(tag));
        out->only_tag = is_only_tag(tag) && name.p && name_parse(name, a, &out->text);
        if (out->only_tag)
            return true;
    }
    return false;
}

int policy_name_of(str tag, const struct inventory *inv, struct arena *a, struct policy_name *out,
                   struct err *e)
{
    *out = (struct policy_name){.source = NAME_OPTION};
    if (tag.n) {
        out->text = said(tag, a);
    } else if (asked_counts(inv)) {
        out->source = NAME_ASKED;
        out->text = said(inv->asked, a);
    } else if (!given_name(inv, a, out)) {
        *out = (struct policy_name){STR(NO_REPOSITORY ":latest"), NAME_NONE, false};
    }
    return a->full ? err_no_memory(e) : 0;
}

static const struct {
    str word, reason, only_tag;
} sources[] = {
    [NAME_OPTION] = {STR_INIT("option"), STR_INIT("the name that --tag gives"), STR_INIT("")},
    [NAME_ASKED] = {STR_INIT("source"), STR_INIT("the name that was asked for"), STR_INIT("")},
    [NAME_ARCHIVE] = {STR_INIT("archive"), STR_INIT("the name in the archive"),
                      STR_INIT("the archive has only a tag, --tag gives a name")},
    [NAME_LAYOUT] = {STR_INIT("layout"), STR_INIT("the name in the layout"),
                     STR_INIT("the layout has only a tag, --tag gives a name")},
    [NAME_ENGINE] = {STR_INIT("engine"), STR_INIT("the name in the local engine"),
                     STR_INIT("the local engine has only a tag, --tag gives a name")},
    [NAME_SBOM] = {STR_INIT("sbom"), STR_INIT("the name in the SBOM"),
                   STR_INIT("the SBOM has only a tag, --tag gives a name")},
    [NAME_NONE] = {STR_INIT("none"), STR_INIT("the source has no name, --tag gives one"),
                   STR_INIT("")},
};

str policy_name_word(const struct policy_name *n)
{
    return sources[n->source].word;
}

str policy_name_reason(const struct policy_name *n)
{
    return n->only_tag ? sources[n->source].only_tag : sources[n->source].reason;
}

int policy_name_check(str tag, struct err *e)
{
    struct fulltag name;
    struct reference ref;
    struct err why = {0};
    struct arena a;
    arena_init(&a, CHECK_MAX);
    int rc = reference_parse(tag, &ref, &why);
    if (rc >= 0)
        rc = fulltag_parse(tag, &a, &name, &why);
    arena_done(&a);
    return rc < 0 ? err_set(e, ERR_USAGE,
                            "%s; a tag looks like registry/repository:tag, for example "
                            "docker.io/team/app:1.0",
                            why.text)
                  : 0;
}
