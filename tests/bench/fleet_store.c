#include "fleet_store.h"

#include "base/auto.h"
#include "services/policy_engine/reindex_internal.h"
#include "store/schema.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MERGE = 65536 };

void must(int64_t r, const struct err *e)
{
    if (r >= 0)
        return;
    fprintf(stderr, "bench: %s\n", e->text);
    exit(1);
}

double wall_seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* The kernel counts afresh from a 5 that is written to clear_refs. */
double peak_mib(bool from_here)
{
    char line[200];
    double kib = 0;
    FILE *f =
        fopen(from_here ? "/proc/self/clear_refs" : "/proc/self/status", from_here ? "w" : "r");
    if (!f)
        return 0;
    if (from_here)
        fputs("5", f);
    while (!from_here && fgets(line, sizeof line, f))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtod(line + 6, NULL);
    fclose(f);
    return kib / 1024;
}

void progress(const char *what, uint64_t at, uint64_t all)
{
    static double last;
    if (wall_seconds() - last < (isatty(2) ? 0.5 : 30) && at < all)
        return;
    last = wall_seconds();
    fprintf(stderr, isatty(2) ? "\r%s: %llu of %llu%s" : "%s: %llu of %llu%s\n", what,
            (unsigned long long)at, (unsigned long long)all, isatty(2) && at == all ? "\n" : "");
}

uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* ---- the store */

void fleet_open(struct fleet_store *s, const char *dir)
{
    struct err e = {0};
    snprintf(s->url, sizeof s->url, "sqlite:%s/fleet.db", dir);
    if (getenv("FLEET_DB"))
        snprintf(s->url, sizeof s->url, "%s", getenv("FLEET_DB"));
    const struct db_options options = {.url = s->url, .statement_timeout = 3600};
    const struct documents_options d = {0};
    must(db_open(&options, &s->db, &e), &e);
    must(schema_upgrade(s->db, NULL, NULL, &e), &e);
    must(documents_open(s->db, &d, &s->documents, &e), &e);
}

void fleet_close(struct fleet_store *s)
{
    documents_close(s->documents);
    db_close(s->db);
}

static int read_size(struct db_tx *tx, void *ctx, struct err *e)
{
    return db_query_int(tx, "SELECT pg_database_size(current_database())", DB0, ctx, e);
}

double fleet_gb(struct fleet_store *s)
{
    static const char *const ends[] = {"", "-wal"};
    struct err e = {0};
    struct stat st;
    int64_t n = 0;
    if (!str_starts(str_z(s->url), STR("sqlite:"))) {
        must(db_run(s->db, DB_READ, read_size, &n, &e), &e);
        return (double)n / 1e9;
    }
    for (size_t i = 0; i < KE_ARRAY_LEN(ends); i++) {
        char path[4300];
        snprintf(path, sizeof path, "%s%s", s->url + strlen("sqlite:"), ends[i]);
        n += stat(path, &st) == 0 ? st.st_size : 0;
    }
    return (double)n / 1e9;
}

/* ---- packages and images */

int fleet_package(struct db_tx *tx, const struct inventory *inv, const struct inv_package *p,
                  int64_t *id, struct err *e)
{
    struct package_identity identity;
    uint64_t names[IDENTITY_NAMES_MAX];
    auto_buf bytes;
    struct posting_package package = {.names = names};
    buf_init(&bytes, 10000);
    int r = package_identity_write(inv, p, NULL, &bytes, e);
    if (r >= 0)
        r = package_identity_read(buf_view(&bytes), &identity, e);
    if (r >= 0)
        r = package_identity_names(&identity, names, &package.n_names, e);
    package.identity = buf_view(&bytes);
    return r < 0 ? r : posting_package_ids(tx, &package, 1, id, NULL, e);
}

struct fleet_name fleet_name(uint64_t image)
{
    struct fleet_name n;
    uint64_t d = image, a = draw(&d), b = draw(&d), c = draw(&d);
    snprintf(n.digest, sizeof n.digest, "sha256:%016llx%016llx%016llx%016llx",
             (unsigned long long)a, (unsigned long long)b, (unsigned long long)c,
             (unsigned long long)image);
    snprintf(n.account, sizeof n.account, "account-%llu",
             (unsigned long long)(image % FLEET_ACCOUNTS));
    return n;
}

uint64_t fleet_number(str digest)
{
    char text[17] = {0};
    if (digest.n == 71)
        memcpy(text, digest.p + 55, 16);
    return strtoull(text, NULL, 16);
}

static int read_fresh(struct db_tx *tx, void *ctx, struct err *e)
{
    auto_rows *r = NULL;
    posting_set_done(ctx);
    int rc = db_query(tx,
                      "SELECT f.image FROM posting_fresh f LEFT JOIN finding_summary s ON"
                      " s.image = f.image WHERE s.image IS NULL",
                      DB0, &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1)
        if (!posting_set_add(ctx, db_int(r, 0)))
            return err_no_memory(e);
    return rc;
}

void fleet_sum_up(const struct fleet_store *s, const struct reindex_options *o)
{
    struct err e = {0};
    struct posting_set fresh;
    posting_set_init(&fresh);
    must(db_run(s->db, DB_READ, read_fresh, &fresh, &e), &e);
    must(reindex_summaries(o, &fresh, 0, &e), &e);
    posting_set_done(&fresh);
    while (posting_merge(s->db, MERGE, true, &e) > 0)
        ;
}
