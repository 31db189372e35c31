/* import_analysis_parts.h - what the files behind import_analysis.h share. */
#ifndef KELLET_SERVICES_IMPORT_ANALYSIS_PARTS_H
#define KELLET_SERVICES_IMPORT_ANALYSIS_PARTS_H

#include "base/map.h"
#include "services/import_analysis.h"

struct import_source {
    struct inventory *inv;
    yyjson_val *report; /* analysis_report */
    size_t odd;         /* entries that could not be read */
};

/* The "base" object of report[analyzer][element]; NULL: there is none. */
yyjson_val *import_base(const struct import_source *s, const char *analyzer, const char *element);

/* A value that may be JSON text: the value itself, or that of the text, whose document is *held
 * (freed by the caller, NULL is fine). NULL for text that is no JSON. */
yyjson_val *import_value(yyjson_val *v, yyjson_doc **held);

str import_keep(struct inventory *inv, str s); /* "" for nothing, and for "N/A" and its like */
str import_relative(str path);                 /* "/a" and "/." of the original -> "a" and "" */

/* inv->packages, sorted. */
int import_packages(struct import_source *s, struct err *e);
/* inv->files with contents and matches; the rules and paths of `settings` (heap: its arena). */
int import_files(struct import_source *s, struct analyzer_settings *settings, struct err *e);

#endif
