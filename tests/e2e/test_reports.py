"""The golden reports of the unit tests, checked against the schemas of their formats."""
import json
import os
import pathlib

import pytest

jsonschema = pytest.importorskip("jsonschema")
referencing = pytest.importorskip("referencing")

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "data" / "report"
SHARED = pathlib.Path(os.environ.get("KELLET_SHARED", ROOT.parent / "shared"))


def kellet_validator():
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def cyclonedx_validator():
    path = SHARED / "data" / "schemas" / "bom-1.6.schema.json"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    registry = referencing.Registry()
    for name in ("spdx.schema.json", "jsf-0.82.schema.json"):
        near = path.with_name(name)
        contents = json.loads(near.read_text()) if near.exists() else {}
        contents.setdefault("$schema", "http://json-schema.org/draft-07/schema#")
        if name.startswith("jsf"):  # signatures: none are written
            contents.setdefault("definitions", {"signature": {}})
        resource = referencing.Resource.from_contents(contents)
        registry = registry.with_resource(f"http://cyclonedx.org/schema/{name}", resource)
    return jsonschema.Draft7Validator(json.loads(path.read_text()), registry=registry)


@pytest.mark.parametrize("name", ["full.json", "clean.json", "sbom.json"])
def test_kellet_json(name):
    kellet_validator().validate(json.loads((GOLDEN / name).read_text()))


@pytest.mark.parametrize("name", ["full.cdx.json", "sbom.cdx.json"])
def test_cyclonedx(name):
    document = json.loads((GOLDEN / name).read_text())
    cyclonedx_validator().validate(document)
    refs = [c["bom-ref"] for c in document["components"]]
    assert len(refs) == len(set(refs))
    for vulnerability in document.get("vulnerabilities", []):
        assert all(a["ref"] in refs for a in vulnerability["affects"])


def test_schema_refuses_what_is_wrong():
    document = json.loads((GOLDEN / "full.json").read_text())
    document["findings"][0]["severity"] = "Terrible"
    with pytest.raises(jsonschema.ValidationError):
        kellet_validator().validate(document)
