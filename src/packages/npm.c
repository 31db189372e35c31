/* npm.c - package.json files of installed Node packages.
 *
 * Format: the npm documentation, "package.json". Any package.json that has a name and a version is
 * a package: those below node_modules, and the copies that bundlers and vendors leave elsewhere.
 * Many have neither (they only say "type": "module") and mean nothing here. Lock files say what
 * would be installed, not what is: they are no business of an image. */
#include "packages/cataloguer.h"

#include "codec/json.h"
#include "packages/licence.h"

enum {
    FILE_MAX = 16 << 20,
    LICENCES_MAX = 16,
    LICENCE_TEXT_MAX = 1000,
};

static bool npm_wants(str path, uint64_t size, uint32_t mode)
{
    return str_ends(path, STR("package.json")) && str_eq(str_basename(path), STR("package.json"));
}

/* The file's path inside the installed package that holds it: "package.json",
 * "test/x/package.json". All of it where no directory is one of installed packages (Debian's is
 * usr/share/nodejs). */
static str path_in_package(str path)
{
    static const str prefix = STR_INIT("usr/share/nodejs/");
    str inside = str_starts(path, prefix) ? str_from(path, prefix.n) : (str){0};
    str rest = path;
    while (rest.n)
        if (str_eq(str_split(&rest, '/'), STR("node_modules")))
            inside = rest;
    if (inside.n == 0)
        return path;
    if (str_starts(inside, STR("@")))
        str_split(&inside, '/');
    str_split(&inside, '/');
    return inside;
}

/* Would Node find a package by this file? Packages carry broken package.json files on purpose,
 * among their test data; those are not worth a complaint. */
static bool at_package_root(str path)
{
    str inside = path_in_package(path);
    return inside.n == path.n || str_index(inside, '/') < 0;
}

/* Does an installed package carry this file as test data or part of an example, or only to
 * structure itself ("private": npm publishes no such package, so no advisory is about it)? Some of
 * their names belong to somebody else's malware. */
static bool is_no_package(str path, yyjson_val *root)
{
    static const char *const dirs[] = {
        "test", "tests", "__tests__", "example", "examples", "fixtures", "__fixtures__",
    };
    if (at_package_root(path))
        return false;
    for (str rest = str_dirname(path_in_package(path)); rest.n;) {
        str dir = str_split(&rest, '/');
        for (size_t i = 0; i < KE_ARRAY_LEN(dirs); i++)
            if (str_eq(dir, str_z(dirs[i])))
                return true;
    }
    return yyjson_get_bool(json_get(root, "private"));
}

/* One licence: a string, or the old { "type": ..., "url": ... }. */
static void licence_add(struct buf *out, yyjson_val *v)
{
    str name = yyjson_is_obj(v) ? json_str(v, "type") : json_text(v);
    if (yyjson_is_obj(v) && str_trim(name).n == 0)
        name = json_str(v, "name");
    licence_list_add(out, name);
}

static void licences_add(struct buf *out, yyjson_val *v)
{
    if (!yyjson_is_arr(v)) {
        licence_add(out, v);
        return;
    }
    size_t i, n;
    yyjson_val *one;
    yyjson_arr_foreach(v, i, n, one)
    {
        if (i == LICENCES_MAX)
            break;
        licence_add(out, one);
    }
}

/* "Isaac <i@example.org> (http://blog.example/)", or an object with these three. */
static void author_add(struct buf *out, yyjson_val *v)
{
    str name = yyjson_is_obj(v) ? json_str(v, "name") : json_text(v);
    str mail = json_str(v, "email"), url = json_str(v, "url");
    buf_add_str(out, str_trim(name));
    if (mail.n)
        buf_addf(out, " <%.*s>", STR_ARG(mail));
    if (url.n)
        buf_addf(out, " (%.*s)", STR_ARG(url));
}

/* npm itself reads files whose text is not UTF-8; name and version are ASCII all the same. */
static int npm_document(struct cat *c, str text, yyjson_doc **out, struct err *e)
{
    int r = json_parse(text, "package.json", out, e);
    if (r != ERR_FORMAT)
        return r;
    char *p = arena_alloc(cat_scratch(c), text.n + 1);
    bool changed = false;
    for (size_t i = 0; p && i < text.n; i++) {
        bool foreign = (uint8_t)text.p[i] >= 0x80;
        p[i] = foreign ? '?' : text.p[i];
        changed |= foreign;
    }
    struct err again = {0};
    if (p && changed && json_parse((str){p, text.n}, "package.json", out, &again) == 0)
        return 0;
    return r;
}

static int npm_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    str text;
    int r = cat_read_all(c, f, FILE_MAX, &text, e);
    if (r != 0)
        return r < 0 ? r : 0;
    auto_json *doc = NULL;
    struct err why = {0};
    r = npm_document(c, text, &doc, &why);
    if (r == ERR_NO_MEMORY)
        return err_no_memory(e);
    if (r < 0) {
        if (at_package_root(f->path))
            cat_problem(c, (str){0}, r == ERR_LIMIT ? "limit" : "parse", "%s", why.text);
        return 0;
    }
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct package p = {
        .type = package_type_find(STR("npm")),
        .name = str_trim(json_str(root, "name")),
        .version = str_trim(json_str(root, "version")),
    };
    if (p.name.n == 0 || p.version.n == 0 || is_no_package(f->path, root))
        return 0;
    auto_buf licence, author;
    buf_init(&licence, LICENCE_TEXT_MAX);
    buf_init(&author, LICENCE_TEXT_MAX);
    author_add(&author, json_get(root, "author"));
    licences_add(&licence, json_get(root, "license"));
    if (licence.n == 0)
        licences_add(&licence, json_get(root, "licenses"));
    p.licence = buf_view(&licence);
    p.vendor = buf_ok(&author) ? str_trim(buf_view(&author)) : STR("");
    return cat_package(c, &p, e);
}

const struct cataloguer cataloguer_npm = {.name = "npm", .wants = npm_wants, .parse = npm_parse};
