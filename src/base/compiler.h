/* compiler.h - the one place where compiler extensions are named (gcc and clang both have them). */
#ifndef KELLET_BASE_COMPILER_H
#define KELLET_BASE_COMPILER_H

#define KE_PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
#define KE_MUST_CHECK                   __attribute__((warn_unused_result))
#define KE_UNUSED                       __attribute__((unused))
#define KE_NORETURN                     __attribute__((noreturn))
#define KE_LIKELY(x)                    __builtin_expect(!!(x), 1)
#define KE_UNLIKELY(x)                  __builtin_expect(!!(x), 0)
#define KE_CLEANUP(fn)                  __attribute__((cleanup(fn)))
#define KE_FALLTHROUGH                  __attribute__((fallthrough))

#define KE_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Overflow-checked arithmetic: true when the result does not fit, as the builtins say. */
#define ke_add_overflow(a, b, out) __builtin_add_overflow((a), (b), (out))
#define ke_mul_overflow(a, b, out) __builtin_mul_overflow((a), (b), (out))

/* TAKE(p): the value of p, p becoming NULL - ownership moves to whoever receives it. */
#define TAKE(p)                                                                                    \
    ({                                                                                             \
        __typeof__(p) ke_take_ = (p);                                                              \
        (p) = NULL;                                                                                \
        ke_take_;                                                                                  \
    })

#endif
