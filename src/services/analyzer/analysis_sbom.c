#include "base/auto.h"
#include "base/hash.h"
#include "services/analyzer/analysis.h"
#include "services/analyzer/cpes.h"

#include <zlib.h>

static const struct {
    const char *type, *shown, *language, *cataloguer, *metadata;
} sbom_types[] = {
    {"deb", "deb", "", "dpkgdb-cataloger", "DpkgMetadata"},
    {"apk", "apk", "", "apkdb-cataloger", "ApkMetadata"},
    {"rpm", "rpm", "", "rpmdb-cataloger", "RpmdbMetadata"},
    {"npm", "npm", "javascript", "javascript-package-cataloger", "NpmPackageJsonMetadata"},
    {"python", "python", "python", "python-package-cataloger", "PythonPackageMetadata"},
    {"gem", "gem", "ruby", "ruby-gemspec-cataloger", "GemMetadata"},
    {"java-archive", "java-archive", "java", "java-cataloger", "JavaMetadata"},
    {"jenkins-plugin", "jenkins-plugin", "java", "java-cataloger", "JavaMetadata"},
    {"go-module", "go-module", "go", "go-module-binary-cataloger", "GolangBinMetadata"},
    {"rust-crate", "rust-crate", "rust", "rust-cataloger", "RustCargoPackageMetadata"},
};

static void add_locations(yyjson_mut_doc *d, yyjson_mut_val *o, const struct inventory *inv,
                          const struct inv_package *p, struct arena *a)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(d, o, "locations");
    for (size_t i = 0; i < p->n_evidence; i++) {
        const struct evidence *ev = &p->evidence[i];
        bool absolute = ev->path.n && ev->path.p[0] == '/';
        yyjson_mut_val *at = yyjson_mut_arr_add_obj(d, list);
        if (ev->layer < inv->n_layers)
            put_str(d, at, "layerID", inv->layers[ev->layer].diff_id);
        put_str(d, at, "path", arena_printf(a, "%s%.*s", absolute ? "" : "/", STR_ARG(ev->path)));
    }
}

/* The members that readers of the document use to match: source package, version, architecture. */
static void add_metadata(yyjson_mut_doc *d, yyjson_mut_val *o, const struct inv_package *ip,
                         struct arena *a)
{
    const struct package *p = &ip->p;
    str type = str_z(p->type->name);
    yyjson_mut_val *m = yyjson_mut_obj_add_obj(d, o, "metadata");
    if (!p->type->ecosystem) {
        put_str(d, m, "architecture", p->arch.p ? p->arch : STR(""));
        put_str(d, m, "package", p->name);
        put_str(d, m, "version", p->version);
        if (str_eq(type, STR("apk")))
            put_str(d, m, "originPackage", p->source_name.n ? p->source_name : p->name);
        else if (str_eq(type, STR("deb")))
            put_str(d, m, "source", p->source_name.p ? p->source_name : STR(""));
        else
            put_str(d, m, "sourceRpm", p->source_name.p ? p->source_name : STR(""));
        put_str(d, m, "maintainer", p->vendor.p ? p->vendor : STR(""));
        uint64_t size = 0;
        str_to_u64(p->size, &size);
        put_int(d, m, "installedSize", (int64_t)size);
    } else if (p->group.n) {
        yyjson_mut_val *pom = yyjson_mut_obj_add_obj(d, m, "pomProperties");
        put_str(d, pom, "artifactId", p->name);
        put_str(d, pom, "groupId", p->group);
        put_str(d, pom, "version", p->version);
        put_str(d, m, "virtualPath", arena_printf(a, "/%.*s", STR_ARG(p->path)));
    } else {
        put_str(d, m, "name", p->name);
        put_str(d, m, "version", p->version);
    }
}

static void add_artifact(yyjson_mut_doc *d, yyjson_mut_val *list, const struct inventory *inv,
                         const struct inv_package *ip, struct arena *a)
{
    const struct package *p = &ip->p;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    const str *cpes = NULL;
    size_t n = cpes_of_package(a, p, &cpes), k = 0;
    yyjson_mut_val *names = yyjson_mut_obj_add_arr(d, o, "cpes");
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_add_strncpy(d, names, cpes[i].p, cpes[i].n);
    while (k < KE_ARRAY_LEN(sbom_types) && !str_eq(str_z(sbom_types[k].type), str_z(p->type->name)))
        k++;
    bool found = k < KE_ARRAY_LEN(sbom_types);
    str key = arena_printf(a, "%s\n%.*s\n%.*s\n%.*s", p->type->name, STR_ARG(p->name),
                           STR_ARG(p->version), STR_ARG(p->path));
    put_str(d, o, "foundBy", str_z(found ? sbom_types[k].cataloguer : "hints"));
    put_str(d, o, "id", arena_printf(a, "%016llx", (unsigned long long)hash64(key.p, key.n)));
    put_str(d, o, "language", str_z(found ? sbom_types[k].language : ""));
    yyjson_mut_val *licences = yyjson_mut_obj_add_arr(d, o, "licenses");
    for (str rest = p->licence; rest.n;) {
        str one = str_split(&rest, '\n');
        yyjson_mut_arr_add_strncpy(d, licences, one.p, one.n);
    }
    add_locations(d, o, inv, ip, a);
    add_metadata(d, o, ip, a);
    put_str(d, o, "metadataType", str_z(found ? sbom_types[k].metadata : ""));
    put_str(d, o, "name", p->name);
    put_str(d, o, "purl", ip->purl);
    put_str(d, o, "type", str_z(found ? sbom_types[k].shown : p->type->name));
    put_str(d, o, "version", p->version);
}

static void add_source(yyjson_mut_doc *d, yyjson_mut_val *root, const struct analysis_input *in)
{
    const struct inventory *inv = in->inv;
    yyjson_mut_val *source = yyjson_mut_obj_add_obj(d, root, "source");
    yyjson_mut_val *target = yyjson_mut_obj_add_obj(d, source, "target");
    put_str(d, source, "type", STR("image"));
    put_str(d, target, "imageID", inv->config_digest);
    put_str(d, target, "manifestDigest", in->digest);
    put_str(d, target, "userInput", inv->source);
    yyjson_mut_val *layers = yyjson_mut_obj_add_arr(d, target, "layers");
    for (size_t i = 0; i < inv->n_layers; i++) {
        yyjson_mut_val *l = yyjson_mut_arr_add_obj(d, layers);
        put_str(d, l, "digest", inv->layers[i].diff_id);
        put_str(d, l, "mediaType", inv->layers[i].media_type);
        put_int(d, l, "size", (int64_t)inv->layers[i].size);
    }
}

static int write_sbom(yyjson_mut_doc *d, const struct analysis_input *in, struct buf *out,
                      struct err *e)
{
    const struct inventory *inv = in->inv;
    struct arena a;
    arena_init(&a, 256 << 20);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    yyjson_mut_obj_add_arr(d, root, "artifactRelationships");
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(d, root, "artifacts");
    for (size_t i = 0; i < inv->n_packages; i++)
        if (analysis_lists(in, &inv->packages[i]))
            add_artifact(d, list, inv, &inv->packages[i], &a);
    yyjson_mut_val *o = yyjson_mut_obj_add_obj(d, root, "descriptor");
    put_str(d, o, "name", STR("kellet"));
    put_str(d, o, "version", STR(KELLET_VERSION));
    o = yyjson_mut_obj_add_obj(d, root, "distro");
    put_str(d, o, "idLike", inv->release.id_like.p ? inv->release.id_like : STR(""));
    put_str(d, o, "name", inv->release.id.p ? inv->release.id : STR(""));
    put_str(d, o, "version", inv->release.version_id.p ? inv->release.version_id : STR(""));
    o = yyjson_mut_obj_add_obj(d, root, "schema");
    put_str(d, o, "version", STR("2.0.1"));
    add_source(d, root, in);
    int rc = json_pretty(root, out, e);
    arena_done(&a);
    return rc;
}

int analysis_gzip(str in, struct buf *out, struct err *e)
{
    z_stream z = {0};
    if (in.n > UINT32_MAX ||
        deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_no_memory(e);
    uLong bound = deflateBound(&z, in.n);
    z.next_in = (Bytef *)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = (Bytef *)buf_reserve(out, bound);
    z.avail_out = (uInt)bound;
    bool ok = z.next_out && deflate(&z, Z_FINISH) == Z_STREAM_END;
    out->n += z.total_out;
    deflateEnd(&z);
    return ok ? 0 : err_no_memory(e);
}

int analysis_sbom(struct analysis *s, const struct analysis_input *in, struct err *e)
{
    struct buf *b = analysis_begin(s, "sbom");
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    int rc = b && d ? write_sbom(d, in, b, e) : err_no_memory(e);
    yyjson_mut_doc_free(d);
    return rc;
}
