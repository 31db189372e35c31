#include "image/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef KELLET_HAVE_SECCOMP
#include <seccomp.h>
#endif

/* Rights by Landlock ABI version (kernel documentation, userspace-api/landlock); spelt out because
 * older kernel headers lack the later ones. */
enum {
    FS_EXECUTE = 1 << 0,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_ABI_1 = (1 << 13) - 1,
    FS_REFER = 1 << 13,     /* 2 */
    FS_TRUNCATE = 1 << 14,  /* 3 */
    FS_IOCTL_DEV = 1 << 15, /* 5 */
    NET_TCP = 3,            /* 4: bind and connect */
};

struct ruleset_attr { /* struct landlock_ruleset_attr of ABI 4 */
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
};

static int confine_landlock(int root_fd, bool *done, struct err *e)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return 0;
    struct ruleset_attr attr = {.handled_access_fs = FS_ABI_1};
    if (abi >= 2)
        attr.handled_access_fs |= FS_REFER;
    if (abi >= 3)
        attr.handled_access_fs |= FS_TRUNCATE;
    if (abi >= 5)
        attr.handled_access_fs |= FS_IOCTL_DEV;
    if (abi >= 4)
        attr.handled_access_net = NET_TCP;
    size_t size = abi >= 4 ? sizeof attr : sizeof attr.handled_access_fs;
    int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (fd < 0)
        return err_errno(e, "Landlock refused its rules");
    int r = 0;
    if (root_fd >= 0) {
        struct landlock_path_beneath_attr beneath = {.allowed_access = FS_READ_FILE | FS_READ_DIR,
                                                     .parent_fd = root_fd};
        if (syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
            r = err_errno(e, "Landlock refused the directory to scan");
    }
    if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        r = err_errno(e, "Landlock refused to confine this process");
    close(fd);
    *done = r == 0;
    return r;
}

#ifdef KELLET_HAVE_SECCOMP

static const int always[] = {
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(lseek),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fadvise64),
    SCMP_SYS(memfd_create),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(poll),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(membarrier),
    SCMP_SYS(getrlimit),
    SCMP_SYS(sysinfo),
    SCMP_SYS(restart_syscall),
};

/* Only below the directory that Landlock leaves readable. */
static const int directory_only[] = {
    SCMP_SYS(openat), SCMP_SYS(openat2),    SCMP_SYS(getdents64), SCMP_SYS(newfstatat),
    SCMP_SYS(statx),  SCMP_SYS(readlinkat), SCMP_SYS(fstatfs),    SCMP_SYS(dup),
};

/* Not F_SETOWN and F_SETSIG, which make the kernel send signals to other processes. */
static const int fcntl_commands[] = {
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,      F_SETFD,      F_GETFL,     F_SETFL,     F_GETLK,
    F_SETLK, F_SETLKW,        F_SETPIPE_SZ, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS,
};

/* Calls that would also reach the user's other processes: on this one only. */
static int confine_self_only(scmp_filter_ctx ctx)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < KE_ARRAY_LEN(fcntl_commands); i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                             SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)fcntl_commands[i]));
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)getpid()));
    if (r == 0) /* reading its own limits */
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
                             SCMP_A0_32(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
    return r;
}

static int confine_seccomp(int root_fd, bool *done, struct err *e)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!ctx)
        return err_no_memory(e);
    int r = confine_self_only(ctx);
    for (size_t i = 0; r == 0 && i < KE_ARRAY_LEN(always); i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, always[i], 0);
    for (size_t i = 0; r == 0 && root_fd >= 0 && i < KE_ARRAY_LEN(directory_only); i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, directory_only[i], 0);
    /* threads, not processes; clone3 hides its flags in memory, so glibc is sent back to clone */
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (r == 0)
        r = seccomp_load(ctx);
    seccomp_release(ctx);
    /* EINVAL, ECANCELED: a kernel without seccomp filters */
    if (r == -EINVAL || r == -ECANCELED)
        return 0;
    if (r < 0) {
        errno = -r;
        return err_errno(e, "seccomp refused its filter");
    }
    *done = true;
    return 0;
}

#endif

int confine(int root_fd, struct confinement *out, struct err *e)
{
    *out = (struct confinement){0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(e, "cannot set no_new_privs");
    int r = confine_landlock(root_fd, &out->landlock, e);
#ifdef KELLET_HAVE_SECCOMP
    if (r == 0)
        r = confine_seccomp(root_fd, &out->seccomp, e);
#endif
    return r;
}
