#include "services/call.h"
#include "services/simplequeue/leases.h"
#include "services/simplequeue/simplequeue.h"

static const int64_t ttl_max = (int64_t)366 * 86400;

static yyjson_mut_val *lease_value(struct call *c, yyjson_mut_doc *d,
                                   const struct simplequeue_lease *l)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "id", l->id);
    put_str(d, o, "held_by", l->held_by);
    put_str(d, o, "expires_at", l->expires_at ? time_text_us(&c->arena, l->expires_at) : (str){0});
    put_int(d, o, "epoch", l->epoch);
    return o;
}

static int send_lease(struct call *c, const struct simplequeue_lease *l)
{
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, lease_value(c, d, l));
}

static int send_null(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, yyjson_mut_null(d));
}

static bool is_name(str s)
{
    return s.n > 0 && s.n <= 255;
}

int simplequeue_list_leases(struct call *c)
{
    struct simplequeue_lease *list;
    size_t n;
    int rc = simplequeue_lease_list(c->engine->db, &c->arena, &list, &n, c->err);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *out = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(out, lease_value(c, d, &list[i]));
    return call_send(c, 200, d, out);
}

int simplequeue_create_lease(struct call *c)
{
    struct simplequeue_lease l;
    str id = call_param(c, "lease_id");
    if (!is_name(id))
        return call_error(c, 400, "lease_id must have 1 to 255 characters");
    int rc = simplequeue_lease_make(c->engine->db, &c->arena, id, &l, c->err);
    return rc < 0 ? rc : send_lease(c, &l);
}

int simplequeue_describe_lease(struct call *c)
{
    struct simplequeue_lease l;
    int rc = simplequeue_lease_get(c->engine->db, &c->arena, call_param(c, "lease_id"), &l, c->err);
    return rc < 0 ? rc : send_lease(c, &l);
}

/* What acquire, refresh and release share. */
struct wish {
    str id, client;
    int64_t ttl, epoch;
};

static bool read_wish(struct call *c, bool ttl, bool epoch, struct wish *w, int *rc)
{
    *w = (struct wish){call_param(c, "lease_id"), call_param(c, "client_id"),
                       call_int(c, "ttl", -1), call_int(c, "epoch", -1)};
    w->ttl = w->ttl > ttl_max ? ttl_max : w->ttl;
    if (is_name(w->client) && (!ttl || w->ttl > 0) && (!epoch || w->epoch >= 0))
        return true;
    *rc = call_error(c, 400, "needed: client_id%s%s", ttl ? ", ttl (seconds)" : "",
                     epoch ? ", epoch" : "");
    return false;
}

int simplequeue_acquire_lease(struct call *c)
{
    struct wish w;
    struct simplequeue_lease l;
    int rc;
    if (!read_wish(c, true, false, &w, &rc))
        return rc;
    rc = simplequeue_lease_acquire(c->engine->db, &c->arena, w.id, w.client, w.ttl, &l, c->err);
    if (rc < 0)
        return rc;
    return rc ? send_lease(c, &l) : send_null(c);
}

int simplequeue_refresh_lease(struct call *c)
{
    struct wish w;
    struct simplequeue_lease l;
    int rc;
    if (!read_wish(c, true, true, &w, &rc))
        return rc;
    rc = simplequeue_lease_refresh(c->engine->db, &c->arena, w.id, w.client, w.ttl, w.epoch, &l,
                                   c->err);
    if (rc < 0)
        return rc;
    return rc ? send_lease(c, &l) : call_error(c, 409, "the lease is not held by this client");
}

int simplequeue_release_lease(struct call *c)
{
    struct wish w;
    struct simplequeue_lease l;
    int rc;
    if (!read_wish(c, false, true, &w, &rc))
        return rc;
    rc = simplequeue_lease_release(c->engine->db, &c->arena, w.id, w.client, w.epoch, &l, c->err);
    if (rc < 0)
        return rc;
    return rc ? send_lease(c, &l) : send_null(c);
}
