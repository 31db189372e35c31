/* java.h - what the parts of the Java cataloguer share: java.c walks archives, java_manifest.c
 * reads the two text formats in them, java_identity.c decides what an archive is, java_groups.c
 * knows group ids that no archive states. Internal to the Java cataloguer. */
#ifndef KELLET_PACKAGES_JAVA_H
#define KELLET_PACKAGES_JAVA_H

#include "base/vec.h"
#include "packages/cataloguer.h"

/* Attributes of a manifest's main section; the table of their names is in java_manifest.c. */
enum java_attribute {
    JAVA_AUTOMATIC_MODULE_NAME,
    JAVA_BUNDLE_LICENSE,
    JAVA_BUNDLE_NAME,
    JAVA_BUNDLE_SYMBOLIC_NAME,
    JAVA_BUNDLE_VENDOR,
    JAVA_BUNDLE_VERSION,
    JAVA_EXTENSION_NAME,
    JAVA_GROUP_ID,
    JAVA_IMPLEMENTATION_TITLE,
    JAVA_IMPLEMENTATION_VENDOR,
    JAVA_IMPLEMENTATION_VENDOR_ID,
    JAVA_IMPLEMENTATION_VERSION,
    JAVA_PLUGIN_VERSION,
    JAVA_SHORT_NAME,
    JAVA_SPECIFICATION_VERSION,
    JAVA_ATTRIBUTES
};

struct java_manifest {
    str values[JAVA_ATTRIBUTES];
};

/* What a pom.properties says, or only its place (of a pom.xml): the version is then empty. */
struct java_pom {
    str group, artifact, version;
    str member; /* path in the archive */
    bool is_main;
};

struct java_archive {
    str path; /* evidence: "a.war:WEB-INF/lib/b.jar" */
    struct java_manifest manifest;
    VEC(struct java_pom) poms;
};

struct java_identity {
    str group, name, version;
};

/* Reads the main section of a manifest (JAR File Specification, "JAR Manifest"): continuation lines
 * joined. Values are in `a`. */
int java_manifest_parse(str text, struct arena *a, struct java_manifest *out, struct err *e);
/* Reads a pom.properties (java.util.Properties). Views into text; empty where absent or a
 * placeholder that was never filled in. */
void java_pom_parse(str text, struct java_pom *out);

/* Splits "name-version.jar" (without the directories). False when it does not look like that;
 * *name is then all but the extension. */
bool java_file_name_split(str file, str *name, str *version);
/* What the archive itself is. Marks its own pom among archive->poms. name or version may come out
 * empty. Strings may be views into the archive's or static. */
void java_identify(struct java_archive *archive, bool plugin, struct java_identity *out);
/* The group of a well-known artifact whose archives do not state it; empty when not known. */
str java_group_of(str artifact, str version);

#endif
