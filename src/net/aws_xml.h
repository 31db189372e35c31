/* aws_xml.h - the few fields that are read out of AWS's XML answers.
 *
 * S3 and STS answer with flat documents; what is wanted are texts of elements by name, not trees.
 * Entities are the five of XML and numbers up to U+10FFFF. Anything else counts as absent. */
#ifndef KELLET_NET_AWS_XML_H
#define KELLET_NET_AWS_XML_H

#include "base/buf.h"

/* The raw content of the first element of this name (prefixes of namespaces are not looked at), and
 * what follows it in *rest (MAY be NULL). False: there is none, or it does not end. */
bool aws_xml_element(str doc, const char *name, str *content, str *rest);
/* The text of the first element of this name, with entities replaced, into out; "" and false when
 * there is none, it has elements in it, or does not fit. */
bool aws_xml_text(str doc, const char *name, char *out, size_t size);

#endif
