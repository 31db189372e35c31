/* analyst_layer.c - one layer: walk, catalogue, verify, record. */
#include "base/auto.h"
#include "base/fs.h"
#include "image/layer_record.h"
#include "packages/analyst_internal.h"
#include "packages/facts_codec.h"
#include "packages/file_list.h"
#include "packages/package_files.h"

#include <fcntl.h>
#include <sys/mman.h>

/* A layer's record while it is made; its address is the visitor's context. */
struct layer_making {
    struct analyst *an;
    int fd;
    struct layer_writer *writer;
    struct facts facts;
    struct cat *cat;
    struct listing *listing;             /* NULL: not wanted */
    struct package_files *package_files; /* so too */
    bool links_full;
    struct map aliased; /* path in the facts -> the struct alias that a file was read with */
};

static int temp_from_parent(void *ctx, int *fd, struct err *e)
{
    return analyst_ask(ctx, MSG_TEMP, NULL, -1, fd, NULL, NULL, 0, e);
}

static int making_malware(struct layer_making *m, struct err *e)
{
    int fd;
    int r = analyst_ask(m->an, MSG_MALWARE, NULL, -1, &fd, NULL, NULL, 0, e);
    if (r == 0)
        listing_malware(m->listing, fd, making_odd, m);
    return r;
}

int making_new(struct analyst *an, struct layer_making **out, struct err *e)
{
    struct spool_limits spools = {.temp_fd = temp_from_parent, .ctx = an};
    struct layer_making *m = calloc(1, sizeof *m);
    if (!m)
        return err_no_memory(e);
    m->an = an;
    m->fd = memfd_create("layer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    map_init(&m->aliased);
    facts_init(&m->facts, FACTS_ARENA_MAX);
    int r = m->fd < 0 ? err_errno(e, "cannot keep a layer's facts") : 0;
    if (r == 0)
        r = layer_writer_new(m->fd, &m->writer, e);
    if (r == 0) {
        m->cat = cat_new(&m->facts, &spools, e);
        r = m->cat ? 0 : ERR_NO_MEMORY;
    }
    if (r == 0 && an->options->facts)
        r = listing_new(an->options->facts, &m->listing, e);
    if (r == 0 && an->options->facts)
        r = package_files_new(&m->package_files, e);
    if (r == 0 && m->package_files)
        cat_collect_files(m->cat, m->package_files);
    if (r == 0 && an->options->facts && an->options->facts->malware.n)
        r = making_malware(m, e);
    if (r < 0) {
        making_free(m);
        return r;
    }
    *out = m;
    return 0;
}

void making_free(struct layer_making *m)
{
    if (!m)
        return;
    cat_free(m->cat);
    listing_free(m->listing);
    package_files_free(m->package_files);
    layer_writer_free(m->writer);
    facts_done(&m->facts);
    map_done(&m->aliased);
    if (m->fd >= 0)
        close(m->fd);
    free(m);
}

/* ---- the visitor
 * ------------------------------------------------------------------------------------------ */

int making_file(struct layer_making *m, str path, uint64_t size, uint32_t mode,
                struct stream *content, struct err *e)
{
    struct cat_file file = {.path = path, .size = size, .mode = mode, .content = content};
    const struct alias *alias = map_get(&m->an->aliases, path);
    if (!alias)
        return cat_offer(m->cat, &file, e) < 0 ? e->code : 0;
    file.path = alias->as;
    if (m->package_files && package_files_alias(m->package_files, alias->as, path, e) < 0)
        return e->code;
    int r = cat_offer(m->cat, &file, e);
    if (r == 1 && !map_put(&m->aliased, alias->as, (void *)(uintptr_t)alias))
        return err_no_memory(e);
    return r < 0 ? r : 0;
}

static void making_real_path(const struct layer_making *m, str *path)
{
    const struct alias *alias = map_get(&m->aliased, *path);
    if (alias)
        *path = alias->real;
}

/* Upper layers hide or replace the file where its bytes are. */
static void making_real_paths(struct layer_making *m)
{
    struct facts *f = &m->facts;
    if (m->aliased.n == 0)
        return;
    for (size_t i = 0; i < f->files.n; i++)
        making_real_path(m, &f->files.p[i].path);
    for (size_t i = 0; i < f->releases.n; i++)
        making_real_path(m, &f->releases.p[i].path);
    for (size_t i = 0; i < f->problems.n; i++)
        making_real_path(m, &f->problems.p[i].path);
}

bool making_lists(const struct layer_making *m)
{
    return m->listing != NULL;
}

int making_listed_file(void *ctx, const struct tar_entry *entry, struct stream *content,
                       struct err *e)
{
    struct layer_making *m = ctx;
    if (!m->listing)
        return making_file(m, entry->path, entry->size, entry->mode, content, e);
    struct stream *tapped = listing_file(m->listing, entry, content);
    int r = making_file(m, entry->path, entry->size, entry->mode, tapped, e);
    return r < 0 ? r : listing_file_end(m->listing, e);
}

void making_listed(void *ctx, const struct tar_entry *entry)
{
    struct layer_making *m = ctx;
    if (m->listing)
        listing_entry(m->listing, entry);
}

static int visit_hides(void *ctx, str path, enum layer_hides what, struct err *e)
{
    struct layer_making *m = ctx;
    return layer_writer_hide(m->writer, path, what, e);
}

/* A hard link matters when its own name makes it a package file: the name of its first copy may be
 * none, or may be removed by an upper layer. */
static bool hard_link_matters(const struct tar_entry *entry)
{
    return cataloguer_for(entry->path, 1, 0644) != NULL;
}

static bool symbolic_link_matters(const struct analyst *an, str path)
{
    return link_matters(path) || link_leads_to(path, an->options->aliases, an->options->n_aliases);
}

static int visit_link(void *ctx, const struct tar_entry *entry, struct err *e)
{
    struct layer_making *m = ctx;
    bool hard = entry->type == TAR_HARDLINK;
    if (hard ? !hard_link_matters(entry) : !symbolic_link_matters(m->an, entry->path))
        return 0;
    if (m->facts.links.n >= LINKS_MAX) {
        if (!m->links_full)
            cat_problem(m->cat, entry->path, "limit", "more than %d links to package files",
                        LINKS_MAX);
        m->links_full = true;
        return 0;
    }
    struct kept_link *link = vec_push(&m->facts.links);
    if (!link)
        return err_no_memory(e);
    link->path = arena_dup(&m->facts.arena, entry->path);
    link->target = arena_dup(&m->facts.arena, entry->link);
    link->hard = hard;
    return 0;
}

void making_odd(void *ctx, str path, const char *what, const char *detail)
{
    struct layer_making *m = ctx;
    cat_problem(m->cat, path, what, "%s", detail);
}

/* ---- the record
 * --------------------------------------------------------------------------------------------- */

int making_send(struct layer_making *m, str diff_id, bool keep, struct err *e)
{
    if (m->listing && listing_full(m->listing))
        cat_problem(m->cat, STR(""), "limit", "the layer has more files than are listed");
    int r = cat_finish(m->cat, e);
    if (r < 0)
        return r;
    if (m->package_files && package_files_full(m->package_files))
        cat_problem(m->cat, STR(""), "limit", "the packages have more files than are listed");
    making_real_paths(m);
    /* what failed for a reason of this machine (a full disk, no clamd) may succeed next time */
    for (size_t i = 0; i < m->facts.problems.n; i++)
        keep &= !str_eq(m->facts.problems.p[i].what, STR("unreadable")) &&
                !str_eq(m->facts.problems.p[i].what, STR("malware"));
    auto_buf body;
    buf_init(&body, FACTS_BYTES_MAX + LISTING_BYTES_MAX + PACKAGE_FILES_BYTES_MAX + 64);
    facts_encode(&m->facts, &body);
    if (body.n > FACTS_BYTES_MAX)
        body.failed = true;
    layer_body_finish(&body, body.n, m->listing ? listing_bytes(m->listing) : (str){0},
                      m->package_files ? package_files_bytes(m->package_files) : (str){0});
    r = buf_check(&body, "a layer's facts", e);
    if (r == 0)
        r = layer_writer_finish(m->writer, buf_view(&body), e);
    if (r < 0)
        return r;
    fcntl(m->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    auto_buf question;
    buf_init(&question, MESSAGE_MAX);
    message_put_str(&question, diff_id);
    buf_add_varint(&question, keep);
    return analyst_ask(m->an, MSG_RECORD, &question, m->fd, NULL, NULL, NULL, 0, e);
}

/* ---- one layer
 * ------------------------------------------------------------------------------------------------
 */

static int expect_digest(str want, const struct sha256 *found, const char *name, const char *of,
                         struct err *e)
{
    char text[SHA256_TEXT];
    if (want.n == 0 || str_eq(want, str_z(sha256_format(found, text))))
        return 0;
    return err_set(
        e, ERR_MISMATCH,
        "%s does not match its digest: the %s is %s, promised was %.*s (damaged in transit "
        "or on disk? pull or copy the image again)",
        name, of, text, STR_ARG(want));
}

/* What a failed walk means. Bytes that are exactly the promised ones but no valid layer are a
 * problem of the image, reported in its completeness; anything else ends the scan. */
static int layer_failed(struct layer_making *m, const struct layer_job *job,
                        const struct layer_result *found, const char *name, int r, struct err *e)
{
    if (r != ERR_FORMAT && r != ERR_LIMIT)
        return err_wrap(e, "%s", name);
    if (found->digests_known && job->digest.n) {
        struct err mismatch = {0};
        int d = expect_digest(job->digest, &found->digest, name, "digest", &mismatch);
        if (d < 0) {
            *e = mismatch;
            return d;
        }
    } else {
        return err_wrap(e, "%s", name);
    }
    cat_problem(m->cat, STR(""), r == ERR_LIMIT ? "limit" : "parse", "the layer cannot be read: %s",
                e->text);
    return 0;
}

static int layer_verify(struct layer_making *m, struct layer_job *job,
                        const struct layer_result *found, const char *name, struct err *e)
{
    int r = expect_digest(job->digest, &found->digest, name, "digest", e);
    if (r == 0)
        r = expect_digest(job->diff_id, &found->diff_id, name, "diff_id", e);
    if (r == 0 && found->tar_result < 0)
        cat_problem(m->cat, STR(""), found->tar_result == ERR_LIMIT ? "limit" : "parse",
                    "the layer's archive is broken after %llu entries: %s",
                    (unsigned long long)found->entries, found->tar_error.text);
    job->found_digest = found->digest;
    job->found_diff_id = found->diff_id;
    return r;
}

int analyst_layer(struct analyst *an, struct layer_job *job, struct stream *raw, const char *name,
                  struct err *e)
{
    struct layer_making *m;
    struct layer_result found;
    char text[SHA256_TEXT];
    int r = making_new(an, &m, e);
    if (r < 0)
        return r;
    struct layer_visitor visitor = {.ctx = m,
                                    .file = making_listed_file,
                                    .link = visit_link,
                                    .other = making_listed,
                                    .hides = visit_hides,
                                    .odd = making_odd};
    struct analyst_progress *progress = an->options->progress;
    struct layer_options o = {.second_thread = an->options->threads > 1 && !job->single,
                              .contents = m->listing ? listing_digest(m->listing) : NULL,
                              .progress = progress ? &progress->bytes : NULL};
    r = layer_walk(raw, &o, &visitor, &found, e);
    bool whole = r == 0;
    r = whole ? layer_verify(m, job, &found, name, e) : layer_failed(m, job, &found, name, r, e);
    str diff_id = job->diff_id.n ? job->diff_id : str_z(sha256_format(&job->found_diff_id, text));
    if (r == 0)
        r = making_send(m, diff_id, whole && an->options->n_aliases == 0, e);
    making_free(m);
    if (r == 0 && progress)
        __atomic_fetch_add(&progress->layers_done, 1, __ATOMIC_RELAXED);
    return r;
}
