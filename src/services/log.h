/* log.h - the engine's log: one line per event on standard error: time, level, service, request id,
 * text.
 *
 * Only services and the command line log; libraries return errors. Lines are JSON when
 * KELLET_LOG_FORMAT=json. Control characters in what comes from outside are escaped. */
#ifndef KELLET_SERVICES_LOG_H
#define KELLET_SERVICES_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_SPEW };

/* "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "SPEW"; unknown words mean INFO. */
void log_open(const char *level);
bool log_wants(enum log_level level);
/* `service` may be NULL; request_id too. */
void log_line(enum log_level level, const char *service, const char *request_id, const char *fmt,
              ...) KE_PRINTF(4, 5);
/* The same at level INFO with numbers that programs read: members of the JSON line, else
 * " name=value" behind the text. */
struct log_number {
    const char *name;
    int64_t value;
};
void log_numbers(const char *service, const char *key, const char *text, const struct log_number *n,
                 size_t count);
#define log_error(service, ...) log_line(LOG_LEVEL_ERROR, service, NULL, __VA_ARGS__)
#define log_warn(service, ...)  log_line(LOG_LEVEL_WARN, service, NULL, __VA_ARGS__)
#define log_info(service, ...)  log_line(LOG_LEVEL_INFO, service, NULL, __VA_ARGS__)
#define log_debug(service, ...) log_line(LOG_LEVEL_DEBUG, service, NULL, __VA_ARGS__)

#endif
