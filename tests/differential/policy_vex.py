"""Random OpenVEX documents about an image's findings, and what they make of them: docs/policy.md, "VEX"."""
import dataclasses

STATUSES = ["not_affected", "affected", "fixed", "under_investigation"]


def product(r, k, digest):
    """One that is about the package, or nearly."""
    without = k.purl.split("@")[0]
    return r.choice([{"@id": k.purl}, {"@id": without}, {"@id": without}, {"@id": without + "@99.9"}, {"@id": "cpe:/a:x:y:1"},
                     {"@id": f"pkg:oci/x@{digest}"}, {"@id": f"pkg:oci/x@{digest}", "subcomponents": [{"@id": without}]},
                     {"@id": "pkg:oci/x@sha256:" + "0" * 64}])


def random_document(r, facts):
    statements = []
    for v in r.sample(facts.findings, min(len(facts.findings), r.randint(1, 6))):
        for _ in range(r.randint(1, 2)):
            statements.append({"vulnerability": {"name": r.choice([v.id, *v.aliases])}, "status": r.choice(STATUSES),
                               "products": [product(r, v.package, facts.digest)],
                               "timestamp": f"2024-01-0{r.randint(1, 3)}T00:00:00Z"})
    return {"@context": "https://openvex.dev/ns/v0.2.0", "@id": "x", "author": "x", "version": 1,
            "timestamp": "2024-01-01T00:00:00Z", "statements": statements}


def is_about(entry, k, digest):
    purl = entry["@id"]
    if purl.startswith("pkg:oci/"):
        return purl.endswith(digest) and all(is_about(x, k, digest) for x in entry.get("subcomponents", []))
    return purl == k.purl or purl == k.purl.split("@")[0]


def marked(document, facts):
    """Of several statements the latest counts, of those of one time the last."""
    out = []
    for v in facts.findings:
        said = [(s["timestamp"], n, s["status"]) for n, s in enumerate(document["statements"])
                if s["vulnerability"]["name"] in (v.id, *v.aliases) and any(is_about(p, v.package, facts.digest) for p in s["products"])]
        out.append(dataclasses.replace(v, vex=max(said)[2] if said else ""))
    return out
