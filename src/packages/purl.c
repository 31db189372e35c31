/* purl.c - package URLs: ECMA-427 (purl 1.0) and the type definitions that come with it; the
 * qualifiers of distro packages as syft writes them, so that other tools find what they look for.
 */
#include "packages/package.h"

enum letter_case { AS_IS, LOWER };

/* A purl leaves letters, digits, "-._~" and the colon as they are. */
static bool purl_plain(char c)
{
    return ke_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == ':';
}

static const char hex[] = "0123456789ABCDEF";

static void purl_add(struct buf *out, str s, enum letter_case letters)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = letters == LOWER ? ke_tolower(s.p[i]) : s.p[i];
        if (purl_plain(c))
            buf_add_char(out, c);
        else
            buf_add(out, (char[3]){'%', hex[(uint8_t)c >> 4], hex[(uint8_t)c & 15]}, 3);
    }
}

/* Segments between slashes, empty ones left out, each followed by a slash. */
static void purl_add_namespace(struct buf *out, str s, enum letter_case letters)
{
    while (s.n) {
        str segment = str_split(&s, '/');
        if (segment.n == 0)
            continue;
        purl_add(out, segment, letters);
        buf_add_char(out, '/');
    }
}

struct qualifiers {
    struct buf *out;
    char separator;
};

static void qualifier_key(struct qualifiers *q, const char *key)
{
    buf_add_char(q->out, q->separator);
    q->separator = '&';
    buf_add_str(q->out, str_z(key));
    buf_add_char(q->out, '=');
}

static void qualifier_add(struct qualifiers *q, const char *key, str value)
{
    if (value.n == 0)
        return;
    qualifier_key(q, key);
    purl_add(q->out, value, AS_IS);
}

static void qualifier_distro(struct qualifiers *q, str id, str version)
{
    qualifier_add(q, "distro", id);
    if (id.n && version.n) {
        buf_add_char(q->out, '-');
        purl_add(q->out, version, AS_IS);
    }
}

/* deb and apk: "source" or "source@version". */
static void qualifier_source(struct qualifiers *q, const struct package *p)
{
    str source = p->source_name.n ? p->source_name : p->name;
    if (p->source_version.n == 0 && str_eq(source, p->name))
        return;
    qualifier_add(q, "upstream", source);
    if (p->source_version.n) {
        purl_add(q->out, STR("@"), AS_IS);
        purl_add(q->out, p->source_version, AS_IS);
    }
}

static void purl_add_version(struct buf *out, str version)
{
    if (version.n == 0)
        return;
    buf_add_char(out, '@');
    purl_add(out, version, AS_IS);
}

static void purl_distro(const struct package *p, str distro_id, str distro_version, struct buf *out)
{
    purl_add_namespace(out, distro_id, LOWER);
    purl_add(out, p->name, LOWER);
    purl_add_version(out, p->version);
    struct qualifiers q = {out, '?'};
    qualifier_add(&q, "arch", p->arch);
    qualifier_distro(&q, distro_id, distro_version);
    qualifier_source(&q, p);
}

static str rpm_namespace(str distro_id)
{
    if (str_eq(distro_id, STR("rhel")))
        return STR("redhat");
    if (str_starts(distro_id, STR("opensuse")))
        return STR("opensuse");
    return distro_id;
}

static void purl_rpm(const struct package *p, str distro_id, str distro_version, struct buf *out)
{
    purl_add_namespace(out, rpm_namespace(distro_id), LOWER);
    purl_add(out, p->name, AS_IS);
    str version = p->version, epoch = {0};
    ptrdiff_t colon = str_index(version, ':');
    if (colon >= 0) {
        epoch = str_sub(version, 0, (size_t)colon);
        version = str_from(version, (size_t)colon + 1);
    }
    purl_add_version(out, version);
    struct qualifiers q = {out, '?'};
    qualifier_add(&q, "arch", p->arch);
    qualifier_distro(&q, distro_id, distro_version);
    qualifier_add(&q, "epoch", epoch);
    if (p->source_name.n || p->source_version.n) {
        qualifier_key(&q, "upstream");
        purl_add(out, p->source_name.n ? p->source_name : p->name, AS_IS);
        purl_add(out, STR("-"), AS_IS);
        purl_add(out, p->source_version.n ? p->source_version : version, AS_IS);
        purl_add(out, STR(".src.rpm"), AS_IS);
    }
}

/* Everything up to the last slash is the namespace. */
static void purl_path(const struct package *p, str d, str v, struct buf *out)
{
    purl_add_namespace(out, str_dirname(p->name), AS_IS);
    purl_add(out, str_basename(p->name), AS_IS);
    purl_add_version(out, p->version);
}

static void purl_maven(const struct package *p, str d, str v, struct buf *out)
{
    purl_add_namespace(out, p->group, AS_IS);
    purl_add(out, p->name, AS_IS);
    purl_add_version(out, p->version);
}

static void purl_pypi(const struct package *p, str d, str v, struct buf *out)
{
    for (size_t i = 0; i < p->name.n; i++)
        purl_add(out, p->name.p[i] == '_' ? STR("-") : str_sub(p->name, i, i + 1), LOWER);
    purl_add_version(out, p->version);
}

static void purl_simple(const struct package *p, str d, str v, struct buf *out)
{
    purl_add(out, p->name, AS_IS);
    purl_add_version(out, p->version);
}

static const struct {
    const char *type;
    void (*write)(const struct package *p, str distro_id, str distro_version, struct buf *out);
} writers[] = {
    {"deb", purl_distro}, {"apk", purl_distro},  {"alpm", purl_distro}, {"rpm", purl_rpm},
    {"npm", purl_path},   {"golang", purl_path}, {"maven", purl_maven}, {"pypi", purl_pypi},
};

void package_purl(const struct package *p, str distro_id, str distro_version, struct buf *out)
{
    const char *type = p->type->purl_type;
    if (str_eq(str_z(type), STR("maven")) && p->group.n == 0)
        type = "generic"; /* Maven's namespace is required */
    buf_add_str(out, STR("pkg:"));
    buf_add_str(out, str_z(type));
    buf_add_char(out, '/');
    for (size_t i = 0; i < KE_ARRAY_LEN(writers); i++)
        if (str_eq(str_z(writers[i].type), str_z(type))) {
            writers[i].write(p, distro_id, distro_version, out);
            return;
        }
    purl_simple(p, distro_id, distro_version, out);
}
