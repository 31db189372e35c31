/* all.c - the list of report formats. To add one: one file, one line here, one test. */
#include "report/formats.h"

const struct report_format *const report_formats[] = {
    &report_table,
    &report_json,
    &report_cyclonedx,
    NULL,
};

const struct report_format *report_format_find(str name)
{
    for (size_t i = 0; report_formats[i]; i++)
        if (str_eq(name, str_z(report_formats[i]->name)))
            return report_formats[i];
    return NULL;
}
