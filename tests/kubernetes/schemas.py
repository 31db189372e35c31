#!/usr/bin/env python3
"""schemas.py - JSON schemas of Kubernetes' objects for kubeconform, made from the OpenAPI document of a release.

    schemas.py SWAGGER.json DIR      DIR/deployment-apps-v1.json ..., all of them strict: unknown fields are errors

SWAGGER.json is api/openapi-spec/swagger.json of the Go module k8s.io/kubernetes; nothing is fetched here."""
import json
import pathlib
import sys

SPECIAL = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
}


def strict(schema):
    """The same schema with unknown fields refused; what only Kubernetes understands goes."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    out = {k: schema[k] for k in ("type", "enum", "required") if k in schema}
    if "items" in schema:
        out["items"] = strict(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        out["additionalProperties"] = strict(schema["additionalProperties"])
    if "properties" in schema:
        out["properties"] = {name: strict(p) for name, p in schema["properties"].items()}
        out.setdefault("additionalProperties", False)
    return out


def main():
    swagger, target = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    made = 0
    definitions = {name: SPECIAL.get(name) or strict(d) for name, d in swagger["definitions"].items()}
    (target / "_definitions.json").write_text(json.dumps({"definitions": definitions}))
    for name, definition in swagger["definitions"].items():
        kinds = definition.get("x-kubernetes-group-version-kind", [])
        if len(kinds) != 1:  # options of requests are of every group
            continue
        kind = kinds[0]
        suffix = "-".join(p for p in (kind["group"].split(".")[0], kind["version"]) if p)
        (target / f"{kind['kind']}-{suffix}.json".lower()).write_text(json.dumps(
            {"$ref": f"_definitions.json#/definitions/{name}"}))
        made += 1
    if made < 50:
        sys.exit(f"error: only {made} kinds in {sys.argv[1]}")


main()
