"""bench digest - one glibc CVE in every image of every owner, while every service is killed and the receiver fails.

    script/bench digest [--images N]        default 10000 images of 200 owners, windows of 10 seconds

tests/e2e/test_digest.py with those numbers: each image of each owner must reach the receiver once, by its idempotency
keys, and each owner as one message. KELLET_DIGEST_DATABASE=sqlite or postgres (default) chooses the database.
"""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main(images):
    env = {"KELLET_DIGEST_IMAGES": str(images), "KELLET_DIGEST_OWNERS": "200", "KELLET_DIGEST_CHAOS": "60",
           "KELLET_DIGEST_SECONDS": "10", "KELLET": str(ROOT / "build/kellet"), **os.environ}
    which = env.get("KELLET_DIGEST_DATABASE", "postgres")
    pytest = ROOT / ".venv/bin/pytest"
    return subprocess.run([pytest, "-q", "-s", "-k", which, "tests/e2e/test_digest.py"], cwd=ROOT, env=env).returncode


sys.exit(main(int(sys.argv[1])))
