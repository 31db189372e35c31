/* java_manifest.c - MANIFEST.MF and pom.properties. */
#include "packages/java.h"

static const char *const attributes[JAVA_ATTRIBUTES] = {
    [JAVA_AUTOMATIC_MODULE_NAME] = "Automatic-Module-Name",
    [JAVA_BUNDLE_LICENSE] = "Bundle-License",
    [JAVA_BUNDLE_NAME] = "Bundle-Name",
    [JAVA_BUNDLE_SYMBOLIC_NAME] = "Bundle-SymbolicName",
    [JAVA_BUNDLE_VENDOR] = "Bundle-Vendor",
    [JAVA_BUNDLE_VERSION] = "Bundle-Version",
    [JAVA_EXTENSION_NAME] = "Extension-Name",
    [JAVA_GROUP_ID] = "Group-Id",
    [JAVA_IMPLEMENTATION_TITLE] = "Implementation-Title",
    [JAVA_IMPLEMENTATION_VENDOR] = "Implementation-Vendor",
    [JAVA_IMPLEMENTATION_VENDOR_ID] = "Implementation-Vendor-Id",
    [JAVA_IMPLEMENTATION_VERSION] = "Implementation-Version",
    [JAVA_PLUGIN_VERSION] = "Plugin-Version",
    [JAVA_SHORT_NAME] = "Short-Name",
    [JAVA_SPECIFICATION_VERSION] = "Specification-Version",
};

/* "${project.version}" and the like: a build that did not fill in its templates. */
static bool is_placeholder(str s)
{
    return str_contains(s, STR("${")) || (s.n && s.p[0] == '@' && str_ends(s, STR("@")));
}

/* Takes one line; "\n", "\r\n" and "\r" end lines here. */
static bool manifest_line(str *rest, str *line)
{
    if (rest->n == 0)
        return false;
    size_t n = 0;
    while (n < rest->n && rest->p[n] != '\n' && rest->p[n] != '\r')
        n++;
    *line = str_sub(*rest, 0, n);
    if (n + 1 < rest->n && rest->p[n] == '\r' && rest->p[n + 1] == '\n')
        n++;
    *rest = str_from(*rest, n + 1);
    return true;
}

static bool manifest_note(str line, struct arena *a, struct java_manifest *out)
{
    ptrdiff_t colon = str_index(line, ':');
    if (colon <= 0)
        return true;
    str key = str_sub(line, 0, (size_t)colon), value = str_trim(str_from(line, (size_t)colon + 1));
    if (value.n == 0 || is_placeholder(value))
        return true;
    for (size_t i = 0; i < JAVA_ATTRIBUTES; i++)
        if (out->values[i].n == 0 && str_eq_nocase(key, str_z(attributes[i]))) {
            out->values[i] = arena_dup(a, value);
            return out->values[i].p != NULL;
        }
    return true;
}

int java_manifest_parse(str text, struct arena *a, struct java_manifest *out, struct err *e)
{
    auto_buf joined;
    str line;
    bool ok = true, begun = false;
    buf_init(&joined, text.n + 1);
    text = str_starts(text, STR("\xEF\xBB\xBF")) ? str_from(text, 3) : text;
    while (ok && manifest_line(&text, &line)) {
        if (line.n == 0 && begun)
            break;
        if (line.n && line.p[0] == ' ') {
            buf_add_str(&joined, str_from(line, 1));
            continue;
        }
        ok = manifest_note(buf_view(&joined), a, out);
        buf_clear(&joined);
        buf_add_str(&joined, line);
        begun |= line.n > 0;
    }
    ok = ok && manifest_note(buf_view(&joined), a, out);
    return ok && buf_ok(&joined) ? 0 : err_no_memory(e);
}

void java_pom_parse(str text, struct java_pom *out)
{
    str line;
    while (manifest_line(&text, &line)) {
        line = str_trim(line);
        size_t n = 0;
        while (n < line.n && line.p[n] != '=' && line.p[n] != ':')
            n++;
        if (line.n == 0 || line.p[0] == '#' || line.p[0] == '!' || n == line.n)
            continue;
        str key = str_trim(str_sub(line, 0, n)), value = str_trim(str_from(line, n + 1));
        if (is_placeholder(value))
            continue;
        if (str_eq(key, STR("groupId")))
            out->group = value;
        else if (str_eq(key, STR("artifactId")))
            out->artifact = value;
        else if (str_eq(key, STR("version")))
            out->version = value;
    }
}
