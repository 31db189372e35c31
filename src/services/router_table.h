/* router_table.h - the router's insides: the table of routes, and the checks of what a request
 * carries. For router*.c only. */
#ifndef KELLET_SERVICES_ROUTER_TABLE_H
#define KELLET_SERVICES_ROUTER_TABLE_H

#include "codec/schema.h"
#include "services/call.h"
#include "services/router.h"

enum { route_segments_max = 48 };

enum param_place { IN_QUERY, IN_PATH, IN_FORM };
enum param_type { TYPE_STRING, TYPE_BOOLEAN, TYPE_INTEGER, TYPE_NUMBER, TYPE_ARRAY, TYPE_FILE };
struct param_spec {
    enum param_place place;
    enum param_type type;
    bool required;
    str name, type_name, fallback; /* fallback.p NULL: no default */
    yyjson_val *schema;            /* enum, pattern, minimum ... */
};

/* What the Swagger document says of an operation. */
struct operation_spec {
    str id, action; /* action.p NULL: any known caller */
    struct param_spec *params;
    size_t n_params;
    yyjson_val *body;   /* its schema; NULL: takes none */
    bool json_only;     /* every type that it consumes is JSON: the body is checked */
    bool authenticated; /* "security" is not empty */
};

enum segment_kind { SEGMENT_TEXT, SEGMENT_PARAM, SEGMENT_REST };
struct segment {
    enum segment_kind kind;
    str text; /* or the parameter's name */
};

struct entry {
    const char *method;
    const char *path; /* the template */
    struct segment *segments;
    size_t n;
    uint64_t rank; /* the lower, the more specific */
    int (*handle)(struct call *c);
    unsigned flags;
    const struct operation_spec *spec; /* NULL: a plain route */
};

struct router {
    struct engine *engine;
    const struct service_ops *ops;
    struct arena arena;
    struct entry *entries;
    size_t n, cap;
    yyjson_doc *document; /* the external API's */
    struct schema_set *schemas;
};

/* Fills r->entries. */
int router_fill(struct router *r, struct err *e);

struct path_parts {
    str parts[route_segments_max]; /* decoded */
    size_t n;
    bool bad; /* a broken escape, too many parts, or another version of the API */
};
void path_split(str path, struct arena *a, struct path_parts *out);
/* The most specific entry for method (HEAD is GET) and path; NULL: none, and *allow names the
 * methods that the path has, separated by ", " ("" when the path is unknown). */
const struct entry *router_match(const struct router *r, str method, const struct path_parts *p,
                                 struct arena *a, str *allow);

/* Puts path and query into c->params. */
int router_collect(struct call *c, const struct entry *t, const struct path_parts *p, str query);
/* Checks body, then parameters. 0: good; 1: answered with what is wrong; negative: error. */
int router_check(const struct router *r, struct call *c, const struct entry *t);

/* One part of a multipart/form-data body by its field's name: a view. False: there is none. */
bool multipart_find(str content_type, str body, str name, str *out);

#endif
