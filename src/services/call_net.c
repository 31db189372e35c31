/* What a call has only when it came over the network. */
#include "services/call.h"

str call_header(const struct call *c, const char *name)
{
    return c->rq ? httpd_header_of(c->rq, name) : (str){0};
}

void call_reply_header(struct call *c, const char *name, const char *value)
{
    if (c->rq)
        httpd_add_header(c->rq, name, value);
}

int call_park(struct call *c, uint32_t milliseconds, int (*resume)(struct call *c))
{
    if (!c->rq)
        return resume(c);
    c->resume = resume;
    c->park_ms = milliseconds;
    c->parked = true;
    return 0;
}
