/* store_test.h - each table of the store's tests runs twice: on a SQLite file, and on a PostgreSQL
 * server of its own where one is installed. A test finds an empty, upgraded database in `store`. */
#ifndef KELLET_TESTS_STORE_TEST_H
#define KELLET_TESTS_STORE_TEST_H

#include <fcntl.h>
#include <glob.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "unit.h"

#include "store/db.h"
#include "store/schema.h"

extern char **environ;

static struct db *store;
static char store_dir[64];  /* below /tmp; removed at the end */
static char store_url[256]; /* of the database under test */
static char store_bin[128]; /* where PostgreSQL's programs are */
static bool store_on_postgres;

static inline int store_spawn(const char *const *argv)
{
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, argv[0], &quiet, NULL, (char *const *)argv, environ) == 0)
        waitpid(pid, &status, 0);
    posix_spawn_file_actions_destroy(&quiet);
    return status;
}

/* A program of PostgreSQL, as its user when we are root. */
static inline int store_pg(const char *program, const char *const *args)
{
    const char *argv[20] = {"runuser", "-u", "postgres", "--"};
    char path[256];
    size_t n = getuid() == 0 ? 4 : 0;
    snprintf(path, sizeof path, "%s/%s", store_bin, program);
    argv[n++] = path;
    while (*args && n < 19)
        argv[n++] = *args++;
    argv[n] = NULL;
    return store_spawn(argv);
}

/* pg_ctl: "start", "stop" or "restart". */
static inline int store_server(const char *what)
{
    char options[256], log[128], data[128];
    snprintf(options, sizeof options,
             "-c listen_addresses='' -c unix_socket_directories=%s -c fsync=off"
             " -c max_connections=30 -c shared_buffers=16MB",
             store_dir);
    snprintf(log, sizeof log, "%s/log", store_dir);
    snprintf(data, sizeof data, "%s/pg", store_dir);
    const char *args[] = {"-D", data, "-w", "-m", "fast", "-l", log, "-o", options, what, NULL};
    return store_pg("pg_ctl", args);
}

static inline bool store_find_postgres(void)
{
    glob_t g;
    bool found = glob("/usr/lib/postgresql/*/bin", 0, NULL, &g) == 0 && g.gl_pathc;
    if (found)
        snprintf(store_bin, sizeof store_bin, "%s", g.gl_pathv[g.gl_pathc - 1]);
    globfree(&g);
    char data[128];
    snprintf(data, sizeof data, "%s/pg", store_dir);
    const char *init[] = {"-D", data, "-U", "kellet", "-A", "trust", "-E", "UTF8", "-N", NULL};
    return found && store_pg("initdb", init) == 0 && store_server("start") == 0;
}

static inline int store_each(void **state)
{
    struct err e = {0};
    char path[128];
    if (!store_on_postgres)
        for (int i = 0; i < 3; i++) {
            static const char *const ends[] = {"", "-wal", "-shm"};
            snprintf(path, sizeof path, "%s/db%s", store_dir, ends[i]);
            unlink(path);
        }
    struct db_options o = {.url = store_url, .max_connections = 8, .acquire_timeout = 20};
    assert_ok(db_open(&o, &store, &e));
    if (store_on_postgres) {
        struct db_tx *tx;
        assert_ok(db_begin(store, DB_WRITE, &tx, &e));
        assert_ok(db_exec(tx, "DROP SCHEMA public CASCADE", DB0, &e));
        assert_ok(db_exec(tx, "CREATE SCHEMA public", DB0, &e));
        assert_ok(db_commit(tx, &e));
    }
    assert_ok(schema_upgrade(store, NULL, NULL, &e));
    return 0;
}

static inline int store_each_end(void **state)
{
    db_close(store);
    store = NULL;
    return 0;
}

/* Every test of a table by this. */
#define store_test(fn) cmocka_unit_test_setup_teardown(fn, store_each, store_each_end)

#define store_run(name, tests) store_run_(name, tests, sizeof(tests) / sizeof((tests)[0]))
static inline int store_run_(const char *name, const struct CMUnitTest *tests, size_t n)
{
    char group[128];
    snprintf(store_dir, sizeof store_dir, "/tmp/kellet-store-XXXXXX");
    if (!mkdtemp(store_dir) || chmod(store_dir, 0777) < 0)
        return 1;
    snprintf(store_url, sizeof store_url, "sqlite:%s/db", store_dir);
    snprintf(group, sizeof group, "%s on SQLite", name);
    int failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
    store_on_postgres = true;
    snprintf(store_url, sizeof store_url, "postgresql://kellet@/postgres?host=%s", store_dir);
    snprintf(group, sizeof group, "%s on PostgreSQL", name);
    if (store_find_postgres())
        failed += _cmocka_run_group_tests(group, tests, n, NULL, NULL);
    else
        printf("skipped: no PostgreSQL server can be started here\n");
    if (*store_bin)
        store_server("stop");
    const char *rm[] = {"rm", "-rf", store_dir, NULL};
    store_spawn(rm);
    return failed;
}

#endif
