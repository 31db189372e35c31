/* webhook.h - the receivers of notifications as config.yaml's section `webhooks` names them, and
 * one delivery to one of them.
 *
 * Sections: a type of notification (policy_eval, tag_update, vuln_update, analysis_update,
 * repo_update, event_log) or `general`, which gets all. Of the original: url with <userId> and
 * <notification_type>, webhook_user, webhook_pass, ssl_verify (in the section, else for all). Our
 * own: format (anchore, slack, cloudevents, sns) and digest_seconds. SNS: url is the topic's ARN,
 * keys come from where AWS's tools look. */
#ifndef KELLET_SERVICES_WEBHOOK_H
#define KELLET_SERVICES_WEBHOOK_H

#include "services/engine.h"

enum { WEBHOOK_BODY_MAX = 16 << 20 };

/* One notification, for the renderers. */
struct notice {
    int64_t id; /* of the outbox */
    str account, email, type, key;
    str notification_id; /* what the receiver may know it by: "dataId" */
    int64_t created_us, deadline_us, tries;
    str payload;  /* JSON object: the notification's payload */
    str url_type; /* what stands for <notification_type> in the url; empty: type */
};

struct webhook_format; /* a table of renderers: webhook_format.c */
struct webhook {
    const char *name; /* of the section: "general" */
    str url, user, password;
    bool verify;
    const struct webhook_format *format;
    int64_t digest_us; /* > 0: notices are collected this long and sent as one */
};

/* The sections that there may be, `general` last. */
enum { WEBHOOKS = 7 };
extern const char *const webhook_names[WEBHOOKS];
/* The section's receiver; 0: there is none, or it has no url; 1; ERR_USAGE: unknown format. */
int webhook_named(const struct config *c, const char *name, struct webhook *out, struct err *e);
/* Those that a notification of this type goes to: its own section's and `general`. Returns how
 * many. */
size_t webhooks_for(const struct config *c, str type, struct webhook out[2]);

/* Where a notice goes: placeholders filled in, in the arena. */
str webhook_url(struct arena *a, const struct webhook *w, const struct notice *n);
/* The way to one receiver: connections and AWS keys are kept between deliveries. One thread at a
 * time. */
struct webhook_line;
int webhook_open(const struct webhook *w, struct webhook_line **out,
                 struct err *e);            /* w: borrowed */
void webhook_close(struct webhook_line *l); /* NULL is fine */
/* Sends notices (more than one: a digest; all of one account and type). 0: the receiver took them
 * (any 2xx answer). ERR_NET: try later. ERR_USAGE and others: it will not take them as they are.
 * Waits at most 10 seconds. `key` becomes the Idempotency-Key field: the same for the same notices
 * whenever they are sent. */
int webhook_send(struct webhook_line *l, const struct notice *list, size_t n, const char *key,
                 struct err *e);

/* ---- webhook_format.c */
struct webhook_format {
    const char *name, *content_type;
    int (*render)(const struct notice *list, size_t n, yyjson_mut_doc *d, yyjson_mut_val **out,
                  struct err *e);
};
const struct webhook_format *webhook_format_named(str name); /* NULL: none; empty: the original's */
/* One line for people: what the notices say. */
void notice_words(const struct notice *list, size_t n, struct buf *out);

#endif
