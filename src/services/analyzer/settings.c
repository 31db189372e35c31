#include "services/analyzer/settings.h"

#include "base/auto.h"
#include "base/fs.h"
#include "codec/regex.h"
#include "codec/yaml.h"

enum {
    SETTINGS_MAX = 4 << 20,
    DEFAULT_FILE_MAX = 10000,
    DEFAULT_RETRIEVE_MAX = 1000 * 1024,
    DEFAULT_STREAM_MAX = 25 << 20
};
#define DEFAULT_CLAMD "unix:/run/clamav/clamd.ctl"

static const char *const default_secrets[][2] = {
    {"AWS_ACCESS_KEY", "(?i).*aws_access_key_id( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20}(?![A-Z0-9]).*"},
    {"AWS_SECRET_KEY", "(?i).*aws_secret_access_key( *=+ *).*(?<![A-Za-z0-9/+=])[A-Za-z0-9/"
                       "+=]{40}(?![A-Za-z0-9/+=]).*"},
    {"PRIV_KEY", "(?i)-+BEGIN(.*)PRIVATE KEY-+"},
    {"DOCKER_AUTH", "(?i).*\"auth\": *\".+\""},
    {"API_KEY", "(?i).*api(-|_)key( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20,60}(?![A-Z0-9]).*"},
};

struct loader {
    struct analyzer_settings *s;
    struct fact_rule rules[FACT_RULES_MAX];
    size_t n_rules;
    str retrieve[FACT_RETRIEVE_MAX];
    size_t n_retrieve;
    const char *file;
};

static int add_rule(struct loader *l, str name, str pattern, uint64_t max, struct err *e)
{
    struct regex *r;
    if (l->n_rules == FACT_RULES_MAX)
        return err_set(e, ERR_LIMIT, "%s: more than %d expressions", l->file, FACT_RULES_MAX);
    int rc = regex_compile(pattern, REGEX_ANCHORED | REGEX_LINES, &r, e);
    if (rc < 0)
        return err_wrap(e, "%s: expression %.*s", l->file, STR_ARG(name));
    l->rules[l->n_rules++] = (struct fact_rule){
        .name = arena_dup(&l->s->arena, name),
        .pattern = arena_dup(&l->s->arena, pattern),
        .regex = r,
        .max_file_size = max,
    };
    return 0;
}

static uint64_t search_limit(yyjson_val *search)
{
    size_t i, n;
    yyjson_val *v;
    uint64_t max = DEFAULT_FILE_MAX;
    yyjson_arr_foreach(json_get(search, "match_params"), i, n, v)
    {
        str text = json_text(v);
        if (str_starts(text, STR("MAXFILESIZE=")))
            str_to_u64(str_from(text, sizeof "MAXFILESIZE=" - 1), &max);
    }
    return max;
}

static int load_search(struct loader *l, yyjson_val *search, struct err *e)
{
    size_t i, n;
    yyjson_val *v;
    uint64_t max = search_limit(search);
    yyjson_arr_foreach(json_get(search, "regexp_match"), i, n, v)
    {
        str rest = json_text(v);
        str name = str_split(&rest, '=');
        if (!name.n || !rest.n)
            return err_set(e, ERR_USAGE, "%s: an expression must be written NAME=EXPRESSION: %.*s",
                           l->file, STR_ARG(json_text(v)));
        int rc = add_rule(l, name, rest, max, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int default_search(struct loader *l, struct err *e)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(default_secrets); i++) {
        int rc = add_rule(l, str_z(default_secrets[i][0]), str_z(default_secrets[i][1]),
                          DEFAULT_FILE_MAX, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int add_retrieved(struct loader *l, str path, struct err *e)
{
    if (l->n_retrieve >= FACT_RETRIEVE_MAX - 1)
        return err_set(e, ERR_LIMIT, "%s: more than %d files to retrieve", l->file,
                       FACT_RETRIEVE_MAX - 1);
    if (!path.n || path.p[0] != '/')
        return err_set(e, ERR_USAGE, "%s: file_list: %.*s is not an absolute path", l->file,
                       STR_ARG(path));
    l->retrieve[l->n_retrieve++] = arena_dup(&l->s->arena, path);
    return 0;
}

static int load_retrieved(struct loader *l, yyjson_val *section, struct err *e)
{
    size_t i, n;
    yyjson_val *v, *max = json_get(section, "max_file_size_kb");
    if (yyjson_is_uint(max))
        l->s->facts.retrieve_max = yyjson_get_uint(max) * 1024;
    yyjson_arr_foreach(json_get(section, "file_list"), i, n, v)
    {
        int rc = add_retrieved(l, json_text(v), e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int load_malware(struct loader *l, yyjson_val *clamav, struct err *e)
{
    struct analyzer_settings *s = l->s;
    str socket = json_str(clamav, "clamd_socket");
    yyjson_val *max = json_get(clamav, "stream_max_length");
    if (!yyjson_is_true(json_get(clamav, "enabled")))
        return 0;
    if (!socket.n)
        socket = STR(DEFAULT_CLAMD);
    if (!str_starts(socket, STR("unix:/")) && !str_starts(socket, STR("tcp:")))
        return err_set(e, ERR_USAGE, "%s: clamd_socket is unix:/PATH or tcp:HOST:PORT, not %.*s",
                       l->file, STR_ARG(socket));
    if (max && !yyjson_is_uint(max))
        return err_set(e, ERR_USAGE, "%s: stream_max_length is a number of bytes", l->file);
    s->facts.malware_max = max ? yyjson_get_uint(max) : DEFAULT_STREAM_MAX;
    s->clamd = arena_printf(&s->arena, "%.*s", STR_ARG(socket)).p;
    return s->clamd ? 0 : err_no_memory(e);
}

static int load_digests(struct loader *l, yyjson_val *list, struct err *e)
{
    size_t i, n;
    yyjson_val *v;
    if (list && !yyjson_is_arr(list))
        return err_set(e, ERR_USAGE, "%s: digests is a list of md5 and sha1", l->file);
    yyjson_arr_foreach(list, i, n, v)
    {
        str name = json_text(v);
        unsigned digest = str_eq_nocase(name, STR("md5"))    ? FACT_MD5
                          : str_eq_nocase(name, STR("sha1")) ? FACT_SHA1
                                                             : 0;
        if (!digest && !str_eq_nocase(name, STR("sha256")))
            return err_set(e, ERR_USAGE, "%s: digests are md5 and sha1, not %.*s", l->file,
                           STR_ARG(name));
        l->s->facts.digests |= digest;
    }
    return 0;
}

static int load_tree(struct loader *l, yyjson_val *tree, struct err *e)
{
    int rc;
    yyjson_val *secrets = json_get(tree, "secret_search");
    yyjson_val *files = json_get(tree, "retrieve_files");
    rc = secrets ? load_search(l, secrets, e) : default_search(l, e);
    if (rc < 0)
        return rc;
    l->s->n_secrets = l->n_rules;
    if ((rc = load_search(l, json_get(tree, "content_search"), e)) < 0)
        return rc;
    if ((rc = load_digests(l, json_get(tree, "digests"), e)) < 0)
        return rc;
    rc = files ? load_retrieved(l, files, e) : add_retrieved(l, STR("/etc/passwd"), e);
    if (rc < 0)
        return rc;
    return load_malware(l, json_at(tree, "malware", "clamav", NULL), e);
}

static int finish(struct loader *l, struct err *e)
{
    struct analyzer_settings *s = l->s;
    s->n_retrieve = l->n_retrieve;
    if (s->hints)
        l->retrieve[l->n_retrieve++] = STR(HINTS_FILE);
    struct fact_rule *rules = arena_calloc(&s->arena, l->n_rules + 1, sizeof *rules);
    str *retrieve = arena_calloc(&s->arena, l->n_retrieve + 1, sizeof *retrieve);
    if (!rules || !retrieve)
        return err_no_memory(e);
    memcpy(rules, l->rules, l->n_rules * sizeof *rules);
    memcpy(retrieve, l->retrieve, l->n_retrieve * sizeof *retrieve);
    s->facts.rules = rules;
    s->facts.n_rules = l->n_rules;
    s->facts.retrieve = retrieve;
    s->facts.n_retrieve = l->n_retrieve;
    return 0;
}

static int load(struct loader *l, const struct config *c, struct err *e)
{
    auto_json *doc = NULL;
    if (c->analyzer_config) {
        auto_buf text;
        buf_init(&text, SETTINGS_MAX);
        int rc = fs_read(c->analyzer_config, &text, e);
        if (rc < 0)
            return rc;
        if ((rc = yaml_parse(buf_view(&text), c->analyzer_config, NULL, &doc, e)) < 0)
            return rc;
    }
    int rc = load_tree(l, doc ? yyjson_doc_get_root(doc) : NULL, e);
    return rc < 0 ? rc : finish(l, e);
}

int analyzer_settings_load(const struct config *c, struct analyzer_settings **out, struct err *e)
{
    autofree struct loader *l = calloc(1, sizeof *l);
    struct analyzer_settings *s = calloc(1, sizeof *s);
    if (!l || !s) {
        free(s);
        return err_no_memory(e);
    }
    arena_init(&s->arena, SETTINGS_MAX);
    s->facts.retrieve_max = DEFAULT_RETRIEVE_MAX;
    s->hints = c->hints_enabled;
    s->owned_left_out = c->owned_package_filtering;
    l->s = s;
    l->file = c->analyzer_config ? c->analyzer_config : "analyzer settings";
    int rc = load(l, c, e);
    if (rc < 0) {
        for (size_t i = 0; i < l->n_rules; i++)
            regex_free((struct regex *)l->rules[i].regex);
        s->facts.n_rules = 0;
        analyzer_settings_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void analyzer_settings_free(struct analyzer_settings *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->facts.n_rules; i++)
        regex_free((struct regex *)s->facts.rules[i].regex);
    arena_done(&s->arena);
    free(s);
}
