/* kev.c - CISA's catalogue of known exploited vulnerabilities (JSON). */
#include "feeds/common.h"
#include "feeds/drivers.h"
#include "feeds/sync.h"

static bool kev_wants(str path)
{
    str name = str_basename(path);
    return str_ends(name, STR(".json")) && str_contains(name, STR("known_exploited")) &&
           !str_contains(name, STR("schema"));
}

static int kev_entry(const struct feed_input *in, yyjson_val *row, struct claim_sink *sink,
                     struct err *e)
{
    struct vuln v = vuln_empty();
    v.id = str_trim(json_str(row, "cveID"));
    v.summary = json_str(row, "vulnerabilityName");
    v.details = json_str(row, "shortDescription");
    v.kev_listed = true;
    v.kev_added = feed_date(json_str(row, "dateAdded"));
    v.kev_due = feed_date(json_str(row, "dueDate"));
    v.kev_ransomware = str_eq_nocase(json_str(row, "knownRansomwareCampaignUse"), STR("known"));
    if (!v.id.n)
        return feed_bad(in, STR("an entry"), "has no cveID", e);
    if (!v.kev_added)
        return feed_bad(in, v.id, "dateAdded is missing or no date", e);
    return sink->vuln(sink, &v, e);
}

static int kev_read(void **state, const struct feed_input *in, struct claim_sink *sink,
                    struct err *e)
{
    struct json_pull *j;
    int r = json_pull_open(in->in, "vulnerabilities", feed_name(in), NULL, &j, e);
    if (r < 0)
        return r;
    uint64_t n = 0, promised;
    str key, text;
    while ((r = json_pull_next(j, &key, &text, e)) == 1) {
        auto_json *doc = NULL;
        r = json_parse(text, feed_name(in), &doc, e);
        if (r == 0)
            r = kev_entry(in, yyjson_doc_get_root(doc), sink, e);
        if (r < 0)
            break;
        sink->record(sink, 1);
        n++;
    }
    if (r == 0 && str_to_u64(json_pull_seen(j, "count"), &promised) && promised != n)
        r = err_set(e, ERR_FORMAT, "%s: promises %llu entries and has %llu", feed_name(in),
                    (unsigned long long)promised, (unsigned long long)n);
    if (r == 0)
        sink->dated(sink, feed_date(json_pull_seen(j, "dateReleased")),
                    json_pull_seen(j, "catalogVersion"));
    json_pull_close(j);
    return r;
}

const struct feed_ops feed_kev = {
    .name = "kev",
    .summary = "CISA's known exploited vulnerabilities",
    .licence = "CC0-1.0",
    .wants = kev_wants,
    .read = kev_read,
    .sync = &feed_sync_kev,
};
