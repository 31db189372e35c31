#include "packages/links.h"

#include "base/buf.h"

const str known_paths[] = {
    STR_INIT("var/lib/dpkg/status"),
    STR_INIT("var/lib/dpkg/status.d"),
    STR_INIT("lib/apk/db/installed"),
    STR_INIT("usr/lib/apk/db/installed"),
    STR_INIT("var/lib/rpm/Packages"),
    STR_INIT("var/lib/rpm/Packages.db"),
    STR_INIT("var/lib/rpm/rpmdb.sqlite"),
    STR_INIT("usr/lib/sysimage/rpm/Packages.db"),
    STR_INIT("usr/lib/sysimage/rpm/rpmdb.sqlite"),
    STR_INIT("usr/share/rpm/rpmdb.sqlite"),
    STR_INIT("etc/os-release"),
    STR_INIT("usr/lib/os-release"),
    STR_INIT("etc/alpine-release"),
    STR_INIT("etc/debian_version"),
    STR_INIT("etc/redhat-release"),
    STR_INIT(""),
};

static bool at_or_above(str path, str file)
{
    return str_starts(file, path) && (file.n == path.n || file.p[path.n] == '/');
}

bool link_matters(str path)
{
    for (const str *known = known_paths; known->n; known++)
        if (at_or_above(path, *known))
            return true;
    return false;
}

bool link_leads_to(str path, const struct alias *aliases, size_t n)
{
    for (size_t i = 0; i < n && !aliases[i].hard; i++)
        if (at_or_above(path, aliases[i].real))
            return true;
    return false;
}

void link_path_step(struct buf *at, str part)
{
    if (part.n == 0 || str_eq(part, STR(".")))
        return;
    if (str_eq(part, STR(".."))) {
        at->n = str_dirname(buf_view(at)).n;
        return;
    }
    if (at->n)
        buf_add_char(at, '/');
    buf_add_str(at, part);
}

int link_resolve(const struct link_view *v, str path, struct arena *a, str *out, struct err *e)
{
    auto_buf at, rest;
    buf_init(&at, 1 << 16);
    buf_init(&rest, 1 << 16);
    buf_add_str(&rest, path);
    unsigned hops = 0;
    while (rest.n) {
        str todo = buf_view(&rest), part = str_split(&todo, '/');
        link_path_step(&at, part);
        str target = v->target(v->ctx, buf_view(&at));
        auto_buf next;
        buf_init(&next, 1 << 16);
        if (target.n) {
            if (++hops > LINK_HOPS_MAX)
                return err_set(e, ERR_FORMAT, "symbolic links go in circles at %.*s",
                               STR_ARG(buf_view(&at)));
            if (target.p[0] == '/')
                at.n = 0;
            else
                at.n = str_dirname(buf_view(&at)).n;
            buf_add_str(&next, target);
            buf_add_char(&next, '/');
        }
        buf_add_str(&next, todo);
        buf_clear(&rest);
        buf_add_str(&rest, buf_view(&next));
        if (!buf_ok(&next) || !buf_ok(&rest) || !buf_ok(&at))
            return err_set(e, ERR_FORMAT, "a path through symbolic links grows too long");
    }
    if (hops == 0 || str_eq(buf_view(&at), path))
        return 0;
    *out = arena_dup(a, buf_view(&at));
    return out->p ? 1 : err_no_memory(e);
}
