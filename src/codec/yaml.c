#include "codec/yaml.h"

#include "base/map.h"
#include "base/vec.h"

#include <stdlib.h>
#include <yaml.h>

enum { YAML_DEPTH = 128, YAML_NODES = 4 << 20, YAML_ALIASED = 1 << 20 };

struct anchor {
    char *name;
    yyjson_mut_val *value;
    size_t nodes, height; /* of the value, itself included; levels of nesting */
    bool open;            /* still being read: an alias to it would be a cycle */
};

/* A collection that is being read. */
struct frame {
    yyjson_mut_val *value;
    yyjson_mut_val *key; /* of the member whose value comes next; NULL: a key comes next */
    bool merge_next;     /* that key is "<<" */
    struct map keys;
    VEC(yyjson_mut_val *) merges;
    size_t anchor;      /* index + 1 of its anchor; 0: none */
    size_t nodes_start; /* loader's node count before it */
    size_t height;      /* levels of nesting so far, itself included */
};

struct loader {
    yaml_parser_t parser;
    const char *name;
    const struct yaml_options *options;
    yyjson_mut_doc *doc;
    yyjson_mut_val *root;
    struct frame frames[YAML_DEPTH];
    size_t depth, nodes, aliased;
    VEC(struct anchor) anchors;
    struct map anchor_of; /* name -> index + 1 in anchors */
};

static int yaml_fail(const struct loader *l, const yaml_mark_t *at, int code, const char *what,
                     struct err *e)
{
    return err_set(e, code, "%s:%zu:%zu: %s", l->name, at->line + 1, at->column + 1, what);
}

/* ---- scalars ------------------------------------------------------------------------------------
 */

static bool is_one_of(str s, const char *a, const char *b, const char *c)
{
    return str_eq(s, str_z(a)) || str_eq(s, str_z(b)) || str_eq(s, str_z(c));
}

/* The core schema's floats: digits with at most one point and an exponent. */
static bool looks_like_real(str s)
{
    size_t i = 0, digits = 0;
    if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
        i++;
    for (; i < s.n && ke_isdigit(s.p[i]); i++)
        digits++;
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && ke_isdigit(s.p[i]); i++)
            digits++;
    if (!digits)
        return false;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
            i++;
        if (i == s.n)
            return false;
        while (i < s.n && ke_isdigit(s.p[i]))
            i++;
    }
    return i == s.n;
}

static yyjson_mut_val *number_value(struct loader *l, str s)
{
    bool negative = s.n && s.p[0] == '-';
    str digits = s.n && (negative || s.p[0] == '+') ? str_from(s, 1) : s;
    uint64_t u;
    if (str_to_u64(digits, &u) && !negative)
        return yyjson_mut_uint(l->doc, u);
    if (str_to_u64(digits, &u) && u <= (uint64_t)INT64_MAX)
        return yyjson_mut_sint(l->doc, -(int64_t)u);
    if (str_starts(s, STR("0x")) && str_to_u64_hex(str_from(s, 2), &u))
        return yyjson_mut_uint(l->doc, u);
    char text[64];
    if (!looks_like_real(s) || s.n >= sizeof text)
        return NULL;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    double d = strtod(text, NULL);
    return d - d == 0 ? yyjson_mut_real(l->doc, d) : NULL;
}

static yyjson_mut_val *scalar_value(struct loader *l, const yaml_event_t *ev)
{
    str s = {(const char *)ev->data.scalar.value, ev->data.scalar.length};
    const char *tag = (const char *)ev->data.scalar.tag;
    bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                 !(tag && strcmp(tag, YAML_STR_TAG) == 0);
    yyjson_mut_val *v = NULL;
    if (plain && (s.n == 0 || str_eq(s, STR("~")) || is_one_of(s, "null", "Null", "NULL")))
        return yyjson_mut_null(l->doc);
    if (plain && !l->options->all_strings) {
        if (is_one_of(s, "true", "True", "TRUE"))
            return yyjson_mut_bool(l->doc, true);
        if (is_one_of(s, "false", "False", "FALSE"))
            return yyjson_mut_bool(l->doc, false);
        v = number_value(l, s);
    }
    return v ? v : yyjson_mut_strncpy(l->doc, s.p, s.n);
}

/* ---- mappings -----------------------------------------------------------------------------------
 */

static int key_text(struct loader *l, const yaml_event_t *ev, yyjson_mut_val **key, struct err *e)
{
    str s = {(const char *)ev->data.scalar.value, ev->data.scalar.length};
    *key = yyjson_mut_strncpy(l->doc, s.p, s.n);
    return *key ? 0 : err_no_memory(e);
}

static int frame_begin_member(struct loader *l, struct frame *f, yyjson_mut_val *key, bool plain,
                              const yaml_mark_t *at, struct err *e)
{
    str text = {yyjson_mut_get_str(key), yyjson_mut_get_len(key)};
    f->key = key;
    f->merge_next = plain && str_eq(text, STR("<<"));
    if (f->merge_next)
        return 0;
    void **slot = map_slot(&f->keys, text);
    if (!slot)
        return err_no_memory(e);
    if (*slot && !l->options->keep_duplicates) {
        err_set(e, ERR_FORMAT, "%s:%zu:%zu: the key \"%.*s\" occurs twice", l->name, at->line + 1,
                at->column + 1, (int)(text.n > 80 ? 80 : text.n), text.p);
        return ERR_FORMAT;
    }
    *slot = key;
    return 0;
}

/* Adds the members of `from` that the mapping does not have. */
static int frame_merge_one(struct loader *l, struct frame *f, yyjson_mut_val *from, struct err *e)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(from);
    for (yyjson_mut_val *key; (key = yyjson_mut_obj_iter_next(&it));) {
        str text = {yyjson_mut_get_str(key), yyjson_mut_get_len(key)};
        void **slot = map_slot(&f->keys, text);
        if (!slot)
            return err_no_memory(e);
        if (*slot)
            continue;
        yyjson_mut_val *own = yyjson_mut_strncpy(l->doc, text.p, text.n);
        yyjson_mut_val *value = yyjson_mut_val_mut_copy(l->doc, yyjson_mut_obj_iter_get_val(key));
        if (!own || !value || !yyjson_mut_obj_add(f->value, own, value))
            return err_no_memory(e);
        *slot = own;
    }
    return 0;
}

static int frame_end_mapping(struct loader *l, struct frame *f, struct err *e)
{
    int r = 0;
    for (size_t i = 0; i < f->merges.n && r == 0; i++)
        r = frame_merge_one(l, f, f->merges.p[i], e);
    return r;
}

/* The value of "<<": a mapping, or a sequence of mappings. */
static int frame_add_merge(struct loader *l, struct frame *f, yyjson_mut_val *v,
                           const yaml_mark_t *at, struct err *e)
{
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(v);
    yyjson_mut_val *one = yyjson_mut_is_arr(v) ? yyjson_mut_arr_iter_next(&it) : v;
    for (; one; one = yyjson_mut_arr_iter_next(&it)) {
        if (!yyjson_mut_is_obj(one))
            return yaml_fail(l, at, ERR_FORMAT, "\"<<\" merges something that is not a mapping", e);
        yyjson_mut_val **slot = vec_push(&f->merges);
        if (!slot)
            return err_no_memory(e);
        *slot = one;
    }
    return 0;
}

/* ---- nodes --------------------------------------------------------------------------------------
 */

static int loader_count(struct loader *l, size_t n, const yaml_mark_t *at, struct err *e)
{
    size_t max = l->options->max_nodes ? l->options->max_nodes : YAML_NODES;
    l->nodes += n;
    if (l->nodes > max)
        return err_set(e, ERR_LIMIT, "%s:%zu:%zu: YAML has more nodes than the limit of %zu",
                       l->name, at->line + 1, at->column + 1, max);
    return 0;
}

static int loader_count_copy(struct loader *l, size_t n, const yaml_mark_t *at, struct err *e)
{
    l->aliased += n;
    if (l->aliased > YAML_ALIASED)
        return yaml_fail(l, at, ERR_LIMIT,
                         "aliases and merges expand to more than the limit of 1048576 nodes", e);
    return loader_count(l, n, at, e);
}

/* Puts a finished value where it belongs. */
static int loader_place(struct loader *l, yyjson_mut_val *v, size_t height, struct err *e)
{
    if (!v)
        return err_no_memory(e);
    if (l->depth == 0) {
        l->root = v;
        return 0;
    }
    struct frame *f = &l->frames[l->depth - 1];
    if (f->height < height + 1)
        f->height = height + 1;
    if (yyjson_mut_is_arr(f->value))
        return yyjson_mut_arr_append(f->value, v) ? 0 : err_no_memory(e);
    yyjson_mut_val *key = f->key;
    f->key = NULL;
    if (!f->merge_next)
        return yyjson_mut_obj_add(f->value, key, v) ? 0 : err_no_memory(e);
    return 0;
}

static bool frame_wants_key(const struct loader *l)
{
    const struct frame *f = l->depth ? &l->frames[l->depth - 1] : NULL;
    return f && yyjson_mut_is_obj(f->value) && !f->key;
}
static bool frame_wants_merge(const struct loader *l)
{
    const struct frame *f = l->depth ? &l->frames[l->depth - 1] : NULL;
    return f && yyjson_mut_is_obj(f->value) && f->key && f->merge_next;
}

static int anchor_add(struct loader *l, const yaml_char_t *name, yyjson_mut_val *v, size_t nodes,
                      bool open, struct err *e)
{
    if (!name)
        return 0;
    struct anchor *a = vec_push(&l->anchors);
    if (!a || !(a->name = strdup((const char *)name)))
        return err_no_memory(e);
    if (!map_put(&l->anchor_of, str_z(a->name), (void *)(uintptr_t)l->anchors.n))
        return err_no_memory(e);
    a->value = v;
    a->nodes = nodes;
    a->open = open;
    return 0;
}

static int on_scalar(struct loader *l, const yaml_event_t *ev, struct err *e)
{
    const yaml_mark_t *at = &ev->start_mark;
    int r = loader_count(l, 1, at, e);
    if (r < 0)
        return r;
    yyjson_mut_val *v;
    if (frame_wants_key(l)) {
        r = key_text(l, ev, &v, e);
        bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        if (r == 0)
            r = anchor_add(l, ev->data.scalar.anchor, v, 1, false, e);
        return r < 0 ? r : frame_begin_member(l, &l->frames[l->depth - 1], v, plain, at, e);
    }
    if (frame_wants_merge(l))
        return yaml_fail(l, at, ERR_FORMAT, "\"<<\" merges something that is not a mapping", e);
    v = scalar_value(l, ev);
    r = loader_place(l, v, 0, e);
    return r < 0 ? r : anchor_add(l, ev->data.scalar.anchor, v, 1, false, e);
}

static int on_start(struct loader *l, bool mapping, const yaml_char_t *anchor,
                    const yaml_mark_t *at, struct err *e)
{
    if (l->depth == YAML_DEPTH)
        return yaml_fail(l, at, ERR_LIMIT, "YAML is nested deeper than the limit of 128", e);
    if (frame_wants_key(l))
        return yaml_fail(l, at, ERR_UNSUPPORTED, "a key that is not a scalar", e);
    int r = loader_count(l, 1, at, e);
    if (r < 0)
        return r;
    yyjson_mut_val *v = mapping ? yyjson_mut_obj(l->doc) : yyjson_mut_arr(l->doc);
    if (!v)
        return err_no_memory(e);
    r = anchor_add(l, anchor, v, 0, true, e);
    if (r < 0)
        return r;
    struct frame *f = &l->frames[l->depth++];
    *f = (struct frame){
        .value = v, .anchor = anchor ? l->anchors.n : 0, .nodes_start = l->nodes - 1, .height = 1};
    map_init(&f->keys);
    return 0;
}

static void frame_done(struct frame *f)
{
    map_done(&f->keys);
    vec_done(&f->merges);
}

static int on_end(struct loader *l, const yaml_mark_t *at, struct err *e)
{
    struct frame *f = &l->frames[l->depth - 1];
    int r = yyjson_mut_is_obj(f->value) ? frame_end_mapping(l, f, e) : 0;
    yyjson_mut_val *v = f->value;
    size_t nodes = l->nodes - f->nodes_start, height = f->height;
    if (f->anchor) {
        struct anchor *a = &l->anchors.p[f->anchor - 1];
        a->nodes = nodes;
        a->height = height;
        a->open = false;
    }
    frame_done(f);
    l->depth--;
    if (r == 0 && frame_wants_merge(l)) {
        r = loader_count_copy(l, nodes, at, e);
        if (r == 0)
            r = frame_add_merge(l, &l->frames[l->depth - 1], v, at, e);
    }
    return r < 0 ? r : loader_place(l, v, height, e);
}

static int on_alias(struct loader *l, const yaml_event_t *ev, struct err *e)
{
    const yaml_mark_t *at = &ev->start_mark;
    uintptr_t index = (uintptr_t)map_get(&l->anchor_of, str_z((const char *)ev->data.alias.anchor));
    if (!index)
        return yaml_fail(l, at, ERR_FORMAT, "an alias to an anchor that does not exist", e);
    const struct anchor *a = &l->anchors.p[index - 1];
    if (a->open)
        return yaml_fail(l, at, ERR_FORMAT, "an alias to the collection it stands in", e);
    if (l->depth + a->height > YAML_DEPTH)
        return yaml_fail(l, at, ERR_LIMIT, "YAML is nested deeper than the limit of 128", e);
    int r = loader_count_copy(l, a->nodes, at, e);
    if (r < 0)
        return r;
    if (frame_wants_key(l)) {
        if (!yyjson_mut_is_str(a->value))
            return yaml_fail(l, at, ERR_UNSUPPORTED, "a key that is not a scalar", e);
        yyjson_mut_val *key = yyjson_mut_val_mut_copy(l->doc, a->value);
        return key ? frame_begin_member(l, &l->frames[l->depth - 1], key, false, at, e)
                   : err_no_memory(e);
    }
    if (frame_wants_merge(l)) {
        r = frame_add_merge(l, &l->frames[l->depth - 1], a->value, at, e);
        return r < 0 ? r : loader_place(l, a->value, a->height, e);
    }
    return loader_place(l, yyjson_mut_val_mut_copy(l->doc, a->value), a->height, e);
}

static int on_event(struct loader *l, const yaml_event_t *ev, size_t *documents, struct err *e)
{
    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++*documents > 1)
            return yaml_fail(l, &ev->start_mark, ERR_FORMAT, "a second document; one was expected",
                             e);
        return 0;
    case YAML_SCALAR_EVENT:
        return on_scalar(l, ev, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(l, false, ev->data.sequence_start.anchor, &ev->start_mark, e);
    case YAML_MAPPING_START_EVENT:
        return on_start(l, true, ev->data.mapping_start.anchor, &ev->start_mark, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(l, &ev->start_mark, e);
    case YAML_ALIAS_EVENT:
        return on_alias(l, ev, e);
    default:
        return 0;
    }
}

static int parser_failed(const struct loader *l, struct err *e)
{
    const yaml_parser_t *p = &l->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return err_no_memory(e);
    if (p->error == YAML_READER_ERROR)
        return err_set(e, ERR_FORMAT, "%s: at byte %zu: %s", l->name, p->problem_offset,
                       p->problem);
    return yaml_fail(l, &p->problem_mark, ERR_FORMAT, p->problem ? p->problem : "not YAML", e);
}

static int loader_run(struct loader *l, struct err *e)
{
    size_t documents = 0;
    for (bool ended = false; !ended;) {
        yaml_event_t ev;
        if (!yaml_parser_parse(&l->parser, &ev))
            return parser_failed(l, e);
        ended = ev.type == YAML_STREAM_END_EVENT;
        int r = on_event(l, &ev, &documents, e);
        yaml_event_delete(&ev);
        if (r < 0)
            return r;
    }
    if (!l->root)
        return err_set(e, ERR_FORMAT, "%s: is empty, not YAML", l->name);
    return 0;
}

int yaml_parse(str text, const char *name, const struct yaml_options *o, yyjson_doc **out,
               struct err *e)
{
    static const struct yaml_options defaults;
    *out = NULL;
    struct loader *l = calloc(1, sizeof *l);
    if (!l || !yaml_parser_initialize(&l->parser)) {
        free(l);
        return err_no_memory(e);
    }
    l->name = name;
    l->options = o ? o : &defaults;
    l->doc = yyjson_mut_doc_new(NULL);
    map_init(&l->anchor_of);
    yaml_parser_set_input_string(&l->parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
    int r = l->doc ? loader_run(l, e) : err_no_memory(e);
    if (r == 0) {
        yyjson_mut_doc_set_root(l->doc, l->root);
        *out = yyjson_mut_doc_imut_copy(l->doc, NULL);
        if (!*out)
            r = err_no_memory(e);
    }
    while (l->depth)
        frame_done(&l->frames[--l->depth]);
    for (size_t i = 0; i < l->anchors.n; i++)
        free(l->anchors.p[i].name);
    vec_done(&l->anchors);
    map_done(&l->anchor_of);
    yyjson_mut_doc_free(l->doc);
    yaml_parser_delete(&l->parser);
    free(l);
    return r;
}
