/* anchore_load.c - `kellet feeds load anchore`: records of the old feed service from files. */
#include "feeds/anchore.h"
#include "feeds/common.h"
#include "feeds/drivers.h"

#include "base/auto.h"

enum { GROUPS_MAX = 2000, SOURCES_ARENA = 1 << 20 };

static bool anchore_wants(str path)
{
    str parent = str_basename(str_dirname(path));
    return str_ends(path, STR(".json")) ||
           (str_ends(path, STR(".jsonl")) && anchore_feed_known(parent));
}

static int group_sink(struct feed_sinks *sinks, const struct feed_input *in, str feed, str group,
                      bool none, struct claim_sink **out, struct err *e)
{
    char text[256];
    if (!anchore_name_ok(group))
        return feed_bad(in, group, "is no name of a group", e);
    struct arena a;
    arena_init(&a, SOURCES_ARENA);
    str source = anchore_source(&a, feed, group);
    snprintf(text, sizeof text, "%.*s", STR_ARG(source));
    arena_done(&a);
    return sinks->get(sinks, str_z(text), none, out, e);
}

static int one_record(const struct feed_input *in, str feed, str group, str json,
                      struct claim_sink *sink, struct err *e)
{
    int r = anchore_record(feed, group, json, sink, e);
    return r < 0 ? err_wrap(e, "%s", feed_name(in)) : 0;
}

static int read_group(const struct feed_input *in, str feed, str group, yyjson_val *records,
                      struct feed_sinks *sinks, struct err *e)
{
    size_t i, n, length;
    yyjson_val *record;
    struct claim_sink *sink;
    if (!yyjson_is_arr(records))
        return feed_bad(in, group, "has no list of records", e);
    int r = group_sink(sinks, in, feed, group, !yyjson_arr_size(records), &sink, e);
    yyjson_arr_foreach(records, i, n, record)
    {
        if (r < 0)
            break;
        char *text autofree = yyjson_val_write(record, 0, &length);
        r = text ? one_record(in, feed, group, (str){text, length}, sink, e) : err_no_memory(e);
    }
    return r;
}

/* {feed: {group: [record]}} */
static int read_document(const struct feed_input *in, struct feed_sinks *sinks, struct err *e)
{
    size_t i, n, k, m, groups = 0;
    yyjson_val *feed, *feed_groups, *group, *records;
    auto_json *doc = NULL;
    int r = feed_read_document(in, false, &doc, e);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (r == 0 && !yyjson_is_obj(root))
        r = feed_bad(in, STR("the document"), "is no object of feeds", e);
    yyjson_obj_foreach(root, i, n, feed, feed_groups)
    {
        str name = json_text(feed);
        if (r == 0 && !anchore_feed_known(name))
            r = feed_bad(in, name, "is none of the feeds vulnerabilities, nvdv2, github, packages",
                         e);
        if (r == 0 && !yyjson_is_obj(feed_groups))
            r = feed_bad(in, name, "is no object of groups", e);
        yyjson_obj_foreach(feed_groups, k, m, group, records)
        {
            if (r == 0 && ++groups > GROUPS_MAX)
                r = err_set(e, ERR_LIMIT, "%s: has more than %d groups", feed_name(in), GROUPS_MAX);
            if (r == 0)
                r = read_group(in, name, json_text(group), records, sinks, e);
        }
    }
    return r;
}

/* FEED/GROUP.jsonl, as the engine keeps them: a record a line. */
static int read_lines(const struct feed_input *in, str path, struct feed_sinks *sinks,
                      struct err *e)
{
    auto_buf text;
    str line, group = str_basename(path), feed = str_basename(str_dirname(path));
    struct claim_sink *sink;
    buf_init(&text, FEED_DOCUMENT_MAX);
    group.n -= strlen(".jsonl");
    int r = feed_read_all(in, &text, e);
    if (r == 0 && !anchore_feed_known(feed))
        r = feed_bad(in, feed, "is no feed: the file must lie in a directory named like one", e);
    str rest = buf_view(&text);
    if (r == 0)
        r = group_sink(sinks, in, feed, group, !str_trim(rest).n, &sink, e);
    while (r == 0 && str_line(&rest, &line))
        if (str_trim(line).n)
            r = one_record(in, feed, group, line, sink, e);
    return r;
}

static int anchore_read(const struct feed_input *in, struct feed_sinks *sinks, struct err *e)
{
    str path = feed_plain_path(in->path);
    return str_ends(path, STR(".jsonl")) ? read_lines(in, path, sinks, e)
                                         : read_document(in, sinks, e);
}

const struct feed_ops feed_anchore = {
    .name = "anchore",
    .summary = "Records of the feed service of older engines",
    .licence = "of their upstreams",
    .wants = anchore_wants,
    .read_many = anchore_read,
};
