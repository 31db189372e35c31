/* formats.h - the report formats, for all.c. */
#ifndef KELLET_REPORT_FORMATS_H
#define KELLET_REPORT_FORMATS_H

#include "report/report.h"

extern const struct report_format report_table, report_json, report_cyclonedx;

#endif
