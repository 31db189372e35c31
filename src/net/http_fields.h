/* http_fields.h - the values of HTTP header fields that the client acts on.
 *
 * Source: RFC 9110. Bad values are "not given", never errors: the client then does what it would
 * do without the field. */
#ifndef KELLET_NET_HTTP_FIELDS_H
#define KELLET_NET_HTTP_FIELDS_H

#include "base/str.h"

/* "bytes FIRST-LAST/TOTAL", "bytes FIRST-LAST/" "*", "bytes *" "/TOTAL" (RFC 9110 14.4). */
struct http_content_range {
    bool has_range, has_total;
    uint64_t first, last, total;
};
bool http_content_range_parse(str value, struct http_content_range *out);

/* Seconds since 1970 of an IMF-fixdate. */
bool http_date_parse(str value, int64_t *out);

/* Seconds to wait: a number, or an HTTP date seen from `now` (seconds since 1970; a past one gives
 * 0). Dates are IMF-fixdate only (RFC 9110 5.6.7), as senders must write them. */
bool http_retry_after_parse(str value, int64_t now, uint64_t *seconds);

/* A strong entity tag, fit for If-Range. */
bool http_etag_is_strong(str etag);

#endif
