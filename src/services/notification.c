#include "services/notification.h"

#include "services/subscription.h"

#include <sodium.h>

static int add_row(struct db_tx *tx, const struct notification *n, str id, str payload,
                   struct err *e)
{
    int64_t rc = db_exec(tx,
                         "INSERT INTO outbox (account, type, key, notification_id, payload,"
                         " created_at, deadline, next_try)"
                         " VALUES ($1, $2, $3, $4, $5, now_us(), now_us() + $6, now_us())",
                         DB(DBS(n->account), DBS(n->type), DBS(n->key), DBS(id), DBS(payload),
                            DBI(NOTIFICATION_DAYS * 86400LL * 1000000)),
                         e);
    return rc < 0 ? (int)rc : db_notify(tx, NOTIFICATION_CHANNEL, STR(""), e);
}

int notification_put(struct db_tx *tx, const struct notification *n, struct err *e)
{
    bool event = str_eq(n->type, STR("event_log"));
    int rc = event ? 1 : subscription_active(tx, n->account, n->key, n->type, e);
    if (rc <= 0)
        return rc;
    unsigned char random[16];
    char hex[33];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(hex, sizeof hex, random, sizeof random);
    str id = n->id.n ? n->id : str_z(hex);
    auto_buf b;
    buf_init(&b, NOTIFICATION_MAX);
    buf_add_str(&b, STR("{\"userId\": "));
    json_put_string(&b, n->account);
    buf_add_str(&b, STR(", \"notificationId\": "));
    json_put_string(&b, id);
    if (!event) {
        buf_add_str(&b, STR(", \"subscription_key\": "));
        json_put_string(&b, n->key);
        buf_add_str(&b, STR(", \"subscription_type\": "));
        json_put_string(&b, n->type);
    }
    if (n->members.n) {
        buf_add_str(&b, STR(", "));
        buf_add_str(&b, n->members);
    }
    buf_add_char(&b, '}');
    rc = buf_check(&b, "a notification", e);
    if (rc == 0)
        rc = add_row(tx, n, id, buf_view(&b), e);
    return rc < 0 ? rc : 1;
}
