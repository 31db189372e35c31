#include "services/call.h"
#include "services/webhook.h"

enum { DIGEST_MAX = 10000, WORDS_EACH = 10 };

static yyjson_mut_val *payload_of(yyjson_mut_doc *d, const struct notice *n)
{
    auto_json *doc = NULL;
    if (json_parse(n->payload, "a notification", &doc, NULL) < 0)
        return yyjson_mut_obj(d);
    return yyjson_val_mut_copy(d, yyjson_doc_get_root(doc));
}

/* ---- the original's form
 * --------------------------------------------------------------------------- */

static int render_anchore(const struct notice *list, size_t n, yyjson_mut_doc *d,
                          yyjson_mut_val **out, struct err *e)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *data = yyjson_mut_obj(d), *payload;
    if (n == 1) {
        payload = payload_of(d, list);
    } else {
        payload = yyjson_mut_obj(d);
        put_str(d, payload, "userId", list->account);
        put_str(d, payload, "notificationId", list->notification_id);
        put_str(d, payload, "subscription_type", list->type);
        put_int(d, payload, "count", (int64_t)n);
        yyjson_mut_val *all = yyjson_mut_obj_add_arr(d, payload, "digest");
        for (size_t i = 0; i < n && i < DIGEST_MAX; i++)
            yyjson_mut_arr_append(all, payload_of(d, &list[i]));
    }
    put_str(d, data, "notification_user", list->account);
    put_str(d, data, "notification_user_email", list->email);
    put_str(d, data, "notification_type", list->type);
    yyjson_mut_obj_add_val(d, data, "notification_payload", payload);
    put_str(d, o, "queueId", list->type);
    put_str(d, o, "userId", list->account);
    put_str(d, o, "dataId", list->notification_id);
    put_int(d, o, "created_at", list->created_us / 1000000);
    put_int(d, o, "last_updated", list->created_us / 1000000);
    put_str(d, o, "record_state_key", STR("active"));
    put_null(d, o, "record_state_val");
    put_int(d, o, "tries", list->tries);
    put_int(d, o, "max_tries", list->deadline_us / 1000000);
    yyjson_mut_obj_add_val(d, o, "data", data);
    *out = o;
    return o ? 0 : err_no_memory(e);
}

/* ---- words
 * ------------------------------------------------------------------------------------------- */

static void vulnerability_words(yyjson_val *payload, struct buf *b)
{
    yyjson_val *diff = json_get(payload, "diff_vulnerability_result"), *row;
    static const char *const kinds[] = {"added", "removed", "updated"};
    for (size_t k = 0; k < 3; k++) {
        yyjson_val *rows = json_get(diff, kinds[k]);
        size_t i, n = yyjson_arr_size(rows);
        if (!n)
            continue;
        buf_addf(b, "%s %zu %s", b->n && b->p[b->n - 1] == ':' ? "" : ",", n,
                 k == 0   ? "new"
                 : k == 1 ? "no longer there"
                          : "changed");
        yyjson_arr_foreach(rows, i, n, row)
        {
            str id = json_str(row, "CVE_ID"), severity = json_str(row, "Severity");
            if (i < 3)
                buf_addf(b, "%s%.*s %.*s", i ? ", " : " (", STR_ARG(id), STR_ARG(severity));
        }
        buf_add_str(b, n > 3 ? STR(", ...)") : STR(")"));
    }
}

static void one_words(const struct notice *n, struct buf *b)
{
    auto_json *doc = NULL;
    json_parse(n->payload, "a notification", &doc, NULL);
    yyjson_val *payload = doc ? yyjson_doc_get_root(doc) : NULL;
    yyjson_val *was = json_get(payload, "last_eval"), *is = json_get(payload, "curr_eval");
    if (str_eq(n->type, STR("event_log"))) {
        yyjson_val *event = json_get(payload, "event");
        str type = json_str(event, "type"), text = json_str(event, "message");
        buf_addf(b, "%.*s: %.*s", STR_ARG(type), STR_ARG(text));
        return;
    }
    buf_add_str(b, n->key);
    buf_add_char(b, ':');
    if (str_eq(n->type, STR("vuln_update"))) {
        vulnerability_words(payload, b);
    } else if (str_eq(n->type, STR("policy_eval"))) {
        str from = json_str(was, "final_action"), to = json_str(is, "final_action");
        buf_addf(b, " its policy says %.*s now, before: %.*s", STR_ARG(to), STR_ARG(from));
    } else if (str_eq(n->type, STR("tag_update"))) {
        str to = json_text(yyjson_arr_get(is, 0));
        buf_addf(b, " the tag has moved to %.*s", STR_ARG(to));
    } else if (str_eq(n->type, STR("analysis_update"))) {
        str to = json_str(is, "analysis_status"), why = json_str(payload, "reason");
        buf_addf(b, why.n ? " %.*s (%.*s)" : " %.*s", STR_ARG(to), STR_ARG(why));
    } else if (str_eq(n->type, STR("repo_update"))) {
        buf_add_str(b, STR(" a new tag"));
    } else {
        buf_addf(b, " %.*s", STR_ARG(n->type));
    }
}

void notice_words(const struct notice *list, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n && i < WORDS_EACH; i++) {
        if (i)
            buf_add_char(out, '\n');
        one_words(&list[i], out);
    }
    if (n > WORDS_EACH)
        buf_addf(out, "\n... and %zu more", n - WORDS_EACH);
}

/* ---- Slack and what takes its form (incoming webhooks: {"text"})
 * ----------------------------------- */

static int render_slack(const struct notice *list, size_t n, yyjson_mut_doc *d,
                        yyjson_mut_val **out, struct err *e)
{
    auto_buf words, safe;
    buf_init(&words, 1 << 20);
    buf_init(&safe, 4 << 20);
    notice_words(list, n, &words);
    /* &, < and > are its control characters */
    for (size_t i = 0; i < words.n; i++) {
        char c = words.p[i];
        if (c == '&' || c == '<' || c == '>')
            buf_add_str(&safe, c == '&' ? STR("&amp;") : c == '<' ? STR("&lt;") : STR("&gt;"));
        else
            buf_add_char(&safe, c);
    }
    yyjson_mut_val *o = *out = yyjson_mut_obj(d);
    put_str(d, o, "text", buf_view(&safe));
    return buf_check(&safe, "a message", e);
}

/* ---- CloudEvents 1.0, structured mode
 * ---------------------------------------------------------------- */

static int render_cloudevents(const struct notice *list, size_t n, yyjson_mut_doc *d,
                              yyjson_mut_val **out, struct err *e)
{
    yyjson_mut_val *o = *out = yyjson_mut_obj(d), *all;
    struct arena a;
    arena_init(&a, 1 << 16);
    put_str(d, o, "specversion", STR("1.0"));
    put_str(d, o, "type", arena_printf(&a, "kellet.%.*s", STR_ARG(list->type)));
    put_str(d, o, "source", arena_printf(&a, "/kellet/accounts/%.*s", STR_ARG(list->account)));
    put_str(d, o, "id",
            arena_printf(&a, "%.*s-%lld", STR_ARG(list->notification_id), (long long)list->id));
    put_str(d, o, "time", time_text(&a, list->created_us));
    if (n == 1)
        put_str(d, o, "subject", list->key);
    put_str(d, o, "datacontenttype", STR("application/json"));
    if (n == 1) {
        yyjson_mut_obj_add_val(d, o, "data", payload_of(d, list));
    } else {
        all = yyjson_mut_obj_add_arr(d, yyjson_mut_obj_add_obj(d, o, "data"), "digest");
        for (size_t i = 0; i < n && i < DIGEST_MAX; i++)
            yyjson_mut_arr_append(all, payload_of(d, &list[i]));
    }
    arena_done(&a);
    return o ? 0 : err_no_memory(e);
}

static const struct webhook_format formats[] = {
    {"anchore", "application/json", render_anchore},
    {"slack", "application/json", render_slack},
    {"cloudevents", "application/cloudevents+json", render_cloudevents},
    {"sns", "application/x-www-form-urlencoded", render_anchore},
};

const struct webhook_format *webhook_format_named(str name)
{
    if (!name.n)
        return &formats[0];
    for (size_t i = 0; i < KE_ARRAY_LEN(formats); i++)
        if (str_eq(str_z(formats[i].name), name))
            return &formats[i];
    return NULL;
}
