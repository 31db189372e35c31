/* vuln_row.h - the bits and optional fields of a vuln's row, shared by writer and reader. */
#ifndef KELLET_VULNDB_VULN_ROW_H
#define KELLET_VULNDB_VULN_ROW_H

#include "vulndb/builder.h"

/* Third word of the row: status 0-1, severity 2-4, then these. */
enum vuln_bit { VULN_KEV = 1 << 5, VULN_RANSOMWARE = 1 << 6, VULN_IMPLIED = 1 << 7 };

/* At the row's offset in the data section: a varint with a bit for each field that follows - dates
 * (zigzag varints: published, modified, withdrawn, kev added, kev due), strings (varints: CVSS
 * vector, summary, url), aliases (a varint count, then kind byte and string each). */
enum { VULN_DATES = 5, VULN_STRINGS = 3, VULN_HAS_ALIASES = 1 << (VULN_DATES + VULN_STRINGS) };

#endif
