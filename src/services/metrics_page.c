#include "services/metrics.h"

#include "base/auto.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

static void one(struct buf *out, const char *name, const char *type, const char *help, double v)
{
    metrics_head(out, name, type, help);
    metrics_sample(out, name, NULL, (str){0}, v);
}

/* Resident bytes and the start time come from /proc; 0 where that is not there. */
static void proc_numbers(double *resident, double *virtual_size, double *started)
{
    *resident = *virtual_size = *started = 0;
    char text[2048];
    int fd autoclose = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    str rest = {text, n > 0 ? (size_t)n : 0};
    ptrdiff_t name_end = str_rindex(rest, ')');
    if (name_end < 0)
        return;
    rest = str_from(rest, (size_t)name_end + 2);
    uint64_t v[25] = {0};
    for (size_t i = 3; i < KE_ARRAY_LEN(v) && rest.n; i++)
        str_to_u64(str_split(&rest, ' '), &v[i]);
    struct timespec now, up;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    *virtual_size = (double)v[23];
    *resident = (double)v[24] * (double)sysconf(_SC_PAGESIZE);
    *started = (double)(now.tv_sec - up.tv_sec) + (double)v[22] / (double)sysconf(_SC_CLK_TCK);
}

static void add_process(struct buf *out)
{
    double resident, virtual_size, started;
    struct rusage u;
    proc_numbers(&resident, &virtual_size, &started);
    getrusage(RUSAGE_SELF, &u);
    one(out, "process_resident_memory_bytes", "gauge", "Resident memory", resident);
    one(out, "process_virtual_memory_bytes", "gauge", "Virtual memory", virtual_size);
    one(out, "process_start_time_seconds", "gauge", "Start, in seconds since 1970", started);
    one(out, "process_cpu_seconds_total", "counter", "Processor time of user and system",
        (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
            (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
}

static void summary(struct buf *out, const char *name, const char *help, uint64_t n, double seconds)
{
    metrics_head(out, name, "summary", help);
    buf_addf(out, "%s_count %llu\n%s_sum %.9g\n", name, (unsigned long long)n, name, seconds);
}

static void add_database(struct buf *out, struct db *db)
{
    struct db_stats s = db_stats(db);
    summary(out, "anchore_db_read_seconds", "Time of reading transactions", s.reads,
            s.read_seconds);
    summary(out, "anchore_db_write_seconds", "Time of writing transactions", s.writes,
            s.write_seconds);
    summary(out, "anchore_db_readwrite_seconds", "Time of all transactions", s.reads + s.writes,
            s.read_seconds + s.write_seconds);
    one(out, "kellet_db_failures_total", "counter", "Transactions that failed", (double)s.failures);
    one(out, "kellet_db_retries_total", "counter", "Transactions that were run again",
        (double)s.retries);
    one(out, "kellet_db_connections", "gauge", "Open connections", s.open);
    one(out, "kellet_db_connections_busy", "gauge", "Connections in use", s.busy);
}

static void add_scratch(struct buf *out, const char *dir)
{
    struct statvfs v;
    if (dir && statvfs(dir, &v) == 0)
        one(out, "anchore_tmpspace_available_bytes", "gauge", "Room for scratch files",
            (double)v.f_bavail * (double)v.f_frsize);
}

void metrics_page(struct engine *en, const struct service_ops *ops, struct buf *out)
{
    const char *name = service_names[ops->id].key;
    metrics_head(out, "anchore_service_info", "gauge", "What runs here");
    buf_addf(out, "anchore_service_info{servicename=\"%s\",version=\"%s\"} 1\n", name,
             KELLET_VERSION);
    metrics_families(en->metrics, name, out);
    add_process(out);
    if (en->db)
        add_database(out, en->db);
    if (en->config)
        add_scratch(out, en->config->tmp_dir);
    if (ops->metrics)
        ops->metrics(en, out);
}
