/* unread.c - package databases of systems that no cataloguer reads yet: seen, and told.
 *
 * Last in all.c: whoever learns to read one of these comes before it. */
#include "packages/cataloguer.h"

static const struct unread {
    str start, end; /* of the path */
    const char *ecosystem;
} databases[] = {
    {STR_INIT("var/db/pkg/"), STR_INIT("/CONTENTS"), "portage"},
    {STR_INIT("nix/var/nix/db/"), STR_INIT("db.sqlite"), "nix"},
    {STR_INIT("var/guix/db/"), STR_INIT("db.sqlite"), "guix"},
    {STR_INIT("var/db/xbps/"), STR_INIT(".plist"), "xbps"},
    {STR_INIT("var/lib/pkgtools/packages/"), STR_INIT(""), "slackware"},
    {STR_INIT("var/log/packages/"), STR_INIT(""), "slackware"},
    {STR_INIT("usr/share/clear/bundles/"), STR_INIT(""), "swupd"},
    {STR_INIT("snap/"), STR_INIT("/meta/snap.yaml"), "snap"},
    {STR_INIT("var/lib/snapd/snaps/"), STR_INIT(".snap"), "snap"},
    {STR_INIT("var/lib/flatpak/app/"), STR_INIT("/metadata"), "flatpak"},
    {STR_INIT("home/linuxbrew/.linuxbrew/Cellar/"), STR_INIT("/INSTALL_RECEIPT.json"), "homebrew"},
    {STR_INIT("opt/homebrew/Cellar/"), STR_INIT("/INSTALL_RECEIPT.json"), "homebrew"},
    {STR_INIT("usr/share/bottlerocket/"), STR_INIT("application-inventory.json"), "bottlerocket"},
    {STR_INIT("opt/bitnami/"), STR_INIT(".spdx"), "bitnami"},
};

static const struct unread *unread_find(str path)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(databases); i++)
        if (path.n && path.p[0] == databases[i].start.p[0] &&
            str_starts(path, databases[i].start) && str_ends(path, databases[i].end))
            return &databases[i];
    return NULL;
}

static bool unread_wants(str path, uint64_t size, uint32_t mode)
{
    return unread_find(path) != NULL;
}

static int unread_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    cat_unsupported(c, unread_find(f->path)->ecosystem);
    return 0;
}

const struct cataloguer cataloguer_unread = {
    .name = "unread",
    .distro = true,
    .wants = unread_wants,
    .parse = unread_parse,
};
