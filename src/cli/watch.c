/* watch.c - `kellet watch`: still secure? For people without a server. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"
#include "cli/coverage.h"
#include "cli/policy.h"
#include "cli/progress.h"
#include "packages/zygote.h"
#include "watch/round.h"
#include "watch/tell.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

enum {
    INTERVAL = 600,
    INTERVAL_MIN = 5,
    SYNC_INTERVAL = 6 * 3600,
    POSTS_MAX = 8,
    SYNCS_MAX = 16,
    LEAVE_AFTER = 3,     /* seconds after a signal: what waits for a network is not waited for */
    DATA_LOOK_MS = 2000, /* how often newer data are looked for */
};

static struct {
    struct source_args source;
    struct coverage_args coverage;
    struct option_list files, posts, syncs;
    const char *output, *policy, *min_severity, *post_format, *name;
    unsigned interval, sync_interval;
    bool once, no_sync;
} args;

static const struct option_spec specs[] = {
    {"file", 'f', OPT_LIST, "FILE",
     "a file with one image or pattern a line; \"-\": standard input", &args.files, "@file"},
    {"once", 0, OPT_FLAG, NULL, "look once and end: for cron and CI", &args.once, NULL},
    {"interval", 0, OPT_NUMBER, "SECONDS", "how often registries are asked (default 600)",
     &args.interval, NULL},
    {"output", 'o', OPT_TEXT, "FORMAT", "text, or json: one object a line", &args.output,
     "text json"},
    {"min-severity", 0, OPT_TEXT, "SEVERITY", "leave out findings that are less bad",
     &args.min_severity, "unknown negligible low medium high critical"},
    {"policy", 'p', OPT_TEXT, "FILE", "judge by this bundle too; tell when the verdict changes",
     &args.policy, "@file"},
    {"post", 0, OPT_LIST, "URL", "post changes there too; may be repeated", &args.posts, NULL},
    {"post-format", 0, OPT_TEXT, "FORMAT", "anchore (default), slack or cloudevents",
     &args.post_format, "anchore slack cloudevents"},
    {"no-sync", 0, OPT_FLAG, NULL, "do not fetch vulnerability data; others do", &args.no_sync,
     NULL},
    {"sync", 0, OPT_LIST, "FEED", "fetch only these data (default: those of `kellet feeds sync`)",
     &args.syncs, "alpine debian epss kev nvd osv wolfi"},
    {"sync-interval", 0, OPT_NUMBER, "SECONDS", "how often data are fetched (default 21600)",
     &args.sync_interval, NULL},
    {"name", 0, OPT_TEXT, "NAME", "of what is remembered (default: default)", &args.name, NULL},
    COVERAGE_OPTIONS(args.coverage),
    SOURCE_OPTIONS(args.source),
    {0},
};

static const struct option_spec *watch_options(void)
{
    return specs;
}

/* What runs. */
struct run {
    struct wants wants;
    struct watch_options options;
    struct watch *w;
    char data[PATH_MAX];
    struct buf password, policy;
    struct tell_style style;
    struct post *posts[POSTS_MAX];
    size_t n_posts;
    struct progress progress;
    char phase[128];
    bool worse, broken; /* broken: standard output or the state cannot be written */
    int64_t asked_ms;   /* when a signal came; 0: none did */
    pid_t sync;
    int sync_status;
};

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
    signalled = number;
}

/* ---- what people see ---------------------------------------------------------------------------
 */

/* Of several threads: one write. */
static void note(void *ctx, const char *text)
{
    struct run *r = ctx;
    auto_buf line;
    buf_init(&line, 16384);
    buf_addf(&line, "%skellet: ", r->progress.shown ? "\r\x1b[K" : "");
    text_clean(str_z(text), &line);
    buf_add_char(&line, '\n');
    if (!args.source.quiet)
        fs_write_all(STDERR_FILENO, line.p, line.n, NULL);
}

static void post_note(void *ctx, const char *text)
{
    struct run *r = ctx;
    watch_note(r->w, "%s", text);
}

struct telling {
    struct run *run;
    struct arena a;
    struct told told;
    struct change change;
};
static const char out_name[] = "standard output";

static int read_next(struct db_tx *tx, void *ctx, struct err *e)
{
    struct telling *t = ctx;
    int rc = told_get(tx, STR(out_name), &t->told, e);
    return rc < 0 ? rc : change_after(tx, &t->a, t->told.upto, &t->change, e);
}

static int write_told(struct db_tx *tx, void *ctx, struct err *e)
{
    struct telling *t = ctx;
    t->told.upto = t->change.id;
    return told_put(tx, STR(out_name), &t->told, NULL, e);
}

/* 1: one change was told; 0: there is none. */
static int tell_one(struct telling *t, struct err *e)
{
    struct run *r = t->run;
    struct db *db = watch_state_db(r->w->state);
    bool worse;
    auto_buf text;
    buf_init(&text, 256 << 20);
    int rc = db_run(db, DB_WRITE, read_next, t, e);
    if (rc <= 0)
        return rc;
    rc = tell_change(&t->change, &r->style, &text, &worse, e);
    if (rc < 0)
        return rc;
    r->worse |= worse;
    if (text.n) {
        progress_clear(&r->progress);
        rc = fs_write_all(STDOUT_FILENO, text.p, text.n, e);
    }
    if (rc >= 0)
        rc = db_run(db, DB_WRITE, write_told, t, e);
    return rc < 0 ? rc : 1;
}

static void tell(struct run *r)
{
    struct err e = {0};
    int rc = r->broken ? 0 : 1;
    while (rc > 0) {
        struct telling t = {.run = r};
        arena_init(&t.a, 256 << 20);
        rc = tell_one(&t, &e);
        arena_done(&t.a);
        for (size_t i = 0; rc > 0 && i < r->n_posts; i++)
            post_wake(r->posts[i]);
    }
    if (rc < 0) {
        r->broken = true;
        fail(EXIT_CANNOT, &e);
        atomic_store(&r->w->stop, true);
    }
}

/* ---- while a round goes on ---------------------------------------------------------------------
 */

/* A signal ends the round; what hangs in the network is left there: the state is whole at any
 * moment. */
static void check_signal(struct run *r)
{
    if (!signalled)
        return;
    atomic_store(&r->w->stop, true);
    if (!r->asked_ms)
        r->asked_ms = clock_ms();
    if (clock_ms() - r->asked_ms < LEAVE_AFTER * 1000)
        return;
    progress_clear(&r->progress);
    if (r->sync > 0)
        kill(r->sync, SIGTERM);
    _exit(args.once ? EXIT_CANNOT : EXIT_CLEAN);
}

static void tick(void *ctx, const struct watch_round *round)
{
    struct run *r = ctx;
    check_signal(r);
    tell(r);
    if (!r->progress.active)
        return;
    snprintf(r->phase, sizeof r->phase, "%u of %zu images looked at, %u read, %u judged again",
             atomic_load(&r->w->looked), round->planned, atomic_load(&r->w->scanned),
             atomic_load(&r->w->again));
    r->progress.phase = r->phase;
    progress_show(&r->progress, r->phase, 0, 0, 0, 0);
}

/* ---- data --------------------------------------------------------------------------------------
 */

extern char **environ;

/* A process of its own: its memory goes with it, and one that breaks down breaks nothing here. */
static int sync_start(struct run *r)
{
    const char *argv[8 + SYNCS_MAX] = {"kellet", "feeds", "sync", "--quiet", "--data", r->data};
    size_t n = 6;
    for (size_t i = 0; i < args.syncs.n && i < SYNCS_MAX; i++)
        argv[n++] = args.syncs.items[i];
    int rc = posix_spawn(&r->sync, "/proc/self/exe", NULL, NULL, (char *const *)(uintptr_t)argv,
                         environ);
    if (rc == 0)
        return 0;
    r->sync = 0;
    return failf(EXIT_CANNOT, "cannot start `kellet feeds sync`: %s", strerror(rc));
}

/* True: it has ended. */
static bool sync_ended(struct run *r, bool wait)
{
    int status = 0;
    if (r->sync <= 0)
        return true;
    pid_t got = waitpid(r->sync, &status, wait ? 0 : WNOHANG);
    if (got != r->sync && !(got < 0 && errno == ECHILD))
        return false;
    r->sync = 0;
    r->sync_status = status;
    if (status && !signalled)
        watch_note(r->w, "not all vulnerability data could be fetched: the last good ones count");
    return true;
}

static void pause_ms(int64_t ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL); /* ends when a signal comes */
}

static void sync_now(struct run *r)
{
    if (args.no_sync || sync_start(r))
        return;
    while (!sync_ended(r, false)) {
        check_signal(r);
        if (signalled)
            kill(r->sync, SIGTERM);
        pause_ms(50);
    }
}

/* ---- rounds ------------------------------------------------------------------------------------
 */

static int data_refresh(struct run *r)
{
    struct err e = {0};
    int rc = watch_data(r->w, &e);
    if (rc < 0)
        fail(EXIT_CANNOT, &e);
    return rc;
}

static int judge_again(struct run *r)
{
    struct err e = {0};
    struct watch_round round = {.tick = tick, .ctx = r};
    int rc = watch_again(r->w, &r->wants, &round, &e);
    progress_clear(&r->progress);
    tell(r);
    return rc < 0 ? fail(EXIT_CANNOT, &e) : 0;
}

static int look(struct run *r)
{
    struct err e = {0};
    struct watch_round round = {.tick = tick, .ctx = r};
    int rc = watch_look(r->w, &r->wants, &round, &e);
    progress_clear(&r->progress);
    tell(r);
    if (rc < 0)
        return fail(EXIT_CANNOT, &e);
    unsigned failed = atomic_load(&r->w->failed);
    if (failed)
        watch_note(r->w, "%u of %u could not be checked", failed, atomic_load(&r->w->looked));
    return 0;
}

static bool data_too_old(struct run *r)
{
    uint64_t days;
    size_t n;
    bool old = false;
    const struct vulndb_source *list = vulndb_sources(r->w->db, &n);
    if (!args.coverage.max_age || !str_to_u64(str_z(args.coverage.max_age), &days))
        return false;
    for (size_t i = 0; i < n; i++) {
        int64_t date = list[i].upstream_date ? list[i].upstream_date : list[i].loaded;
        int64_t age = ((int64_t)time(NULL) - date) / 86400;
        if (age <= 0 || (uint64_t)age <= days)
            continue;
        failf(0, "the data of %.*s are %lld days old (--max-data-age %llu)", STR_ARG(list[i].name),
              (long long)age, (unsigned long long)days);
        old = true;
    }
    return old;
}

static int no_data(void)
{
    return failf(EXIT_STALE, "there are no vulnerability data yet: `kellet feeds sync` gets them");
}

/* Are the messages out? */
static size_t posts_end(struct run *r, bool drain)
{
    size_t left = 0;
    for (size_t i = 0; i < r->n_posts; i++)
        left += post_stop(r->posts[i], drain);
    r->n_posts = 0;
    return left;
}

static int once_code(struct run *r, size_t left)
{
    bool old = data_too_old(r);
    if (left)
        failf(0, "%zu changes could not be posted: the next run posts them", left);
    if (r->broken)
        return EXIT_CANNOT;
    if (signalled)
        return failf(EXIT_CANNOT, "interrupted: the next run goes on");
    if (r->worse)
        return EXIT_FAILED;
    if (left)
        return EXIT_CANNOT;
    if (args.coverage.allow_incomplete)
        return EXIT_CLEAN;
    if (old)
        return EXIT_STALE;
    return atomic_load(&r->w->failed) || atomic_load(&r->w->gaps) ? EXIT_INCOMPLETE : EXIT_CLEAN;
}

static int run_once(struct run *r)
{
    sync_now(r);
    if (data_refresh(r) < 0)
        return EXIT_CANNOT;
    if (!r->w->db)
        return no_data();
    int code = signalled ? 0 : judge_again(r);
    if (!code && !signalled)
        code = look(r);
    size_t left = posts_end(r, !signalled);
    return code ? code : once_code(r, left);
}

static int run_on(struct run *r)
{
    int64_t next_look = 0, next_sync = 0;
    int code = 0;
    while (!code && !signalled && !r->broken) {
        int64_t now = clock_ms();
        if (!args.no_sync && sync_ended(r, false) && now >= next_sync) {
            sync_start(r);
            next_sync = now + (int64_t)args.sync_interval * 1000;
        }
        int fresh = data_refresh(r);
        if (fresh < 0)
            return EXIT_CANNOT;
        if (fresh == 1)
            code = judge_again(r);
        if (!code && r->w->db && clock_ms() >= next_look) {
            next_look = clock_ms() + (int64_t)args.interval * 1000;
            code = judge_again(r); /* verdicts whose time is over */
            code = code ? code : look(r);
        } else if (!r->w->db && args.no_sync && next_look == 0) {
            no_data();
            next_look = 1;
        }
        for (int64_t end = clock_ms() + DATA_LOOK_MS; !signalled && !code && clock_ms() < end;)
            pause_ms(end - clock_ms() > 0 ? end - clock_ms() : 1);
    }
    posts_end(r, false);
    if (r->sync > 0) {
        kill(r->sync, SIGTERM);
        sync_ended(r, true);
    }
    return r->broken ? EXIT_CANNOT : code;
}

/* ---- start -------------------------------------------------------------------------------------
 */

static int read_wants(struct run *r, int n, char **names)
{
    struct err e = {0};
    int rc = 0;
    for (int i = 0; rc >= 0 && i < n; i++)
        rc = wants_add(&r->wants, str_z(names[i]), &e);
    for (size_t i = 0; rc >= 0 && i < args.files.n; i++) {
        const char *path = args.files.items[i];
        auto_buf text;
        buf_init(&text, WANTS_FILE_MAX);
        rc = strcmp(path, "-") == 0 ? fs_read_fd(STDIN_FILENO, "standard input", &text, &e)
                                    : fs_read(path, &text, &e);
        if (rc >= 0)
            rc = wants_add_lines(&r->wants, buf_view(&text), path, &e);
    }
    if (rc < 0)
        return fail(EXIT_USAGE, &e);
    if (!r->wants.list.n)
        return failf(EXIT_USAGE, "watch what? Give images (alpine:3.18), patterns (host/app:*) or "
                                 "a file of them (--file)");
    const char *first = r->wants.list.p[0].ref.registry;
    for (size_t i = 1; i < r->wants.list.n && (args.source.username || args.source.token); i++)
        if (strcmp(r->wants.list.p[i].ref.registry, first) != 0)
            return failf(EXIT_USAGE, "--username and --token are for one registry, and there are "
                                     "images of several: log in with `docker login`");
    return 0;
}

static int read_style(struct run *r)
{
    r->style = (struct tell_style){
        .json = args.output && strcmp(args.output, "json") == 0,
        .color = wants_color(STDOUT_FILENO),
    };
    if (args.output && !r->style.json && strcmp(args.output, "text") != 0)
        return failf(EXIT_USAGE, "-o takes text or json, not \"%s\"", args.output);
    for (int s = SEV_UNKNOWN; args.min_severity && s <= SEV_CRITICAL; s++)
        if (str_eq_nocase(str_z(args.min_severity), str_z(severity_name((enum severity)s)))) {
            r->style.min = (enum severity)s;
            return 0;
        }
    if (args.min_severity)
        return failf(EXIT_USAGE,
                     "--min-severity takes unknown, negligible, low, medium, high or critical, not "
                     "\"%s\"",
                     args.min_severity);
    return 0;
}

static int check_numbers(void)
{
    if (!args.interval)
        args.interval = INTERVAL;
    if (!args.sync_interval)
        args.sync_interval = SYNC_INTERVAL;
    if (args.interval < INTERVAL_MIN)
        return failf(EXIT_USAGE, "--interval: at least %d seconds", INTERVAL_MIN);
    if (args.posts.n > POSTS_MAX)
        return failf(EXIT_USAGE, "--post: at most %d receivers", POSTS_MAX);
    if (args.syncs.n > SYNCS_MAX || (args.no_sync && args.syncs.n))
        return failf(EXIT_USAGE, "--sync: at most %d feeds, and not together with --no-sync",
                     SYNCS_MAX);
    return coverage_check(&args.coverage);
}

static int read_options(struct run *r, int argc, char **argv)
{
    struct err e = {0};
    int left = options_parse(&command_watch, specs, argc, argv);
    if (left < 0)
        return left == -2 ? -1 : EXIT_USAGE;
    int code = read_wants(r, left, argv + 1);
    if (!code)
        code = read_style(r);
    if (!code)
        code = check_numbers();
    if (!code && data_dir(args.source.data, r->data, sizeof r->data, &e) < 0)
        code = fail(EXIT_USAGE, &e);
    if (!code && args.policy)
        code = policy_file_json(args.policy, &r->policy);
    r->options = (struct watch_options){
        .data_dir = r->data,
        .platform = args.source.platform,
        .threads = args.source.threads,
        .no_cache = args.source.no_cache,
        .policy = args.policy ? buf_z(&r->policy) : NULL,
        .note = note,
        .ctx = r,
    };
    if (!code)
        code = source_cache_max(&r->options.cache_max);
    if (!code)
        code = source_registry(&args.source, &r->password, &r->options.registry);
    r->options.registry.http =
        (struct http_options){.connect_timeout = 10, .idle_timeout = 30, .retries = 2};
    return code;
}

static int posts_start(struct run *r)
{
    struct err e = {0};
    for (size_t i = 0; i < args.posts.n; i++) {
        const struct post_options o = {
            .url = args.posts.items[i],
            .format = args.post_format,
            .min = r->style.min,
            .once = args.once,
            .note = post_note,
            .ctx = r,
        };
        int rc = post_start(r->w->state, &o, &r->posts[i], &e);
        if (rc < 0)
            return fail(rc == ERR_USAGE ? EXIT_USAGE : EXIT_CANNOT, &e);
        r->n_posts++;
    }
    return 0;
}

static void catch_signals(void)
{
    struct sigaction a = {.sa_handler = on_signal}; /* calls end with EINTR */
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* With the state open: everything that was told before this run is behind us. */
static int watch_begun(struct run *r)
{
    struct err e = {0};
    struct telling t = {.run = r};
    arena_init(&t.a, 256 << 20);
    int rc = db_run(watch_state_db(r->w->state), DB_WRITE, read_next, &t, &e);
    arena_done(&t.a);
    if (rc < 0)
        return fail(EXIT_CANNOT, &e);
    int code = posts_start(r);
    if (code) {
        posts_end(r, false);
        return code;
    }
    tell(r); /* what a run that was killed did not tell any more */
    return args.once ? run_once(r) : run_on(r);
}

static int watch_all(struct run *r)
{
    struct err e = {0};
    struct zygote *z = NULL;
    if (zygote_start(&z, &e) < 0)
        return fail(EXIT_CANNOT, &e);
    r->options.zygote = z;
    catch_signals();
    progress_init(&r->progress, !args.source.quiet && !args.source.no_progress);
    int rc = watch_new(&r->options, args.name ? args.name : "default", &r->w, &e);
    int code = rc < 0 ? fail(rc == ERR_USAGE || rc == ERR_FORMAT ? EXIT_USAGE : EXIT_CANNOT, &e)
                      : watch_begun(r);
    watch_free(r->w);
    zygote_stop(z);
    return code;
}

static int watch_run(int argc, char **argv)
{
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        return failf(EXIT_CANNOT, "out of memory");
    wants_init(&r->wants);
    buf_init(&r->policy, BUNDLE_BYTES_MAX);
    int code = read_options(r, argc, argv);
    if (code == 0)
        code = watch_all(r);
    else if (code < 0)
        code = EXIT_CLEAN;
    wants_done(&r->wants);
    buf_done(&r->policy);
    buf_done(&r->password);
    free(r);
    return code;
}

const struct command command_watch = {
    .name = "watch",
    .arguments = "[IMAGE|PATTERN...]",
    .summary = "Look again and again at images, and tell what has changed",
    .details =
        "IMAGE is a reference (alpine:3.18, host:5000/app@sha256:...). A PATTERN watches more, "
        "also\n"
        "what comes later:\n"
        "\n"
        "  host:5000/app:*             all tags of a repository\n"
        "  docker.io/library/debian:12*  the tags that match\n"
        "  host:5000/team/*            all repositories below, with all their tags\n"
        "  host:5000/*:release-*       those tags of all repositories of a registry\n"
        "\n"
        "A file has one a line; \"#\" begins a comment. Put patterns into quotes on a command "
        "line.\n"
        "\n"
        "The first look only remembers. After it only changes are told: new vulnerabilities and\n"
        "those that are gone, other severities and fixes, tags that point to another image, new\n"
        "tags, images that are gone or cannot be checked, another verdict of --policy. An image "
        "is\n"
        "pulled when its digest is new; newer vulnerability data are looked up for the packages\n"
        "that are remembered. Everything is kept in DATA/watch/NAME.db; nothing is told twice and\n"
        "nothing is lost when the process is killed.\n"
        "\n"
        "Without --once it goes on: registries are asked every --interval seconds, data fetched\n"
        "every --sync-interval, and newer data (whoever fetched them) looked up within seconds.\n"
        "\n"
        "Exit codes with --once: 0 nothing got worse; 1 something did: a new vulnerability, a "
        "higher\n"
        "severity, a worse verdict; 2 wrong usage; 3 nothing did, but something could not be\n"
        "checked or seen; 4 likewise, but there are no vulnerability data, or they are older than\n"
        "--max-data-age; 5 it could not be done, or not all could be posted.\n",
    .options = watch_options,
    .run = watch_run,
};
