"""schemathesis reads the served description of the API and asks for every operation, with good and with bad data: no answer is a
5xx, nothing hangs, nothing ends.

KELLET_SCHEMATHESIS_SECONDS makes it as long as that, for each store, with other data in each run; CI makes a short run that is the
same each time.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import engines

SECONDS = int(os.environ.get("KELLET_SCHEMATHESIS_SECONDS", 0))
STORES = ["sqlite", "postgres"] if SECONDS else ["sqlite"]
AMOUNT = (["--phases", "coverage,fuzzing", "--max-time", str(SECONDS), "-n", "200"] if SECONDS else
          ["--phases", "coverage", "--seed", "4"])


@pytest.fixture(params=STORES)
def secluded(request, kellet_binary, clean_environment, tmp_path):
    """An engine that reaches no registry and no feed: what is made up must not be asked for in the world."""
    database = request.getfixturevalue("postgres").database("openapi") if request.param == "postgres" else None
    nowhere = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTPS_PROXY")}
    one = engines.Engine(kellet_binary, tmp_path / "engine", database, environment={**clean_environment, **nowhere},
                         more=engines.MORE, extra="feeds: {url: 'http://127.0.0.1:9/v1/feeds'}")
    yield one
    one.stop()


@pytest.mark.timeout(SECONDS * 3 + 600)
def test_no_operation_answers_5xx(secluded, tmp_path):
    program = Path(sys.executable).parent / "st"
    if not program.exists():
        pytest.skip("schemathesis is not installed: script/setup test")
    form = b"grant_type=password&username=admin&password=" + engines.PASSWORD.encode() + b"&client_id=anonymous"
    answer = secluded.client("POST", "/v1/oauth/token", form, {"Content-Type": "application/x-www-form-urlencoded"})
    token = answer.json["access_token"]  # good for the whole run, whatever becomes of the password
    done = subprocess.run([program, "run", f"http://127.0.0.1:{secluded.port('apiext')}/v1/swagger.json",
                           "-H", f"Authorization: Bearer {token}", "-c", "not_a_server_error", "--no-shrink",
                           "--continue-on-failure", "--request-timeout", "60", "--warnings", "off", *AMOUNT],
                          cwd=tmp_path, env={**os.environ, "NO_COLOR": "1", "COLUMNS": "160"}, capture_output=True, text=True,
                          timeout=SECONDS * 3 + 500)
    said = done.stdout + done.stderr
    print(said[-3000:])
    assert secluded.processes[0].poll() is None, secluded.log()[-3000:]
    assert done.returncode == 0, said[-10000:] + "\n".join(x for x in secluded.log().splitlines() if "ERROR" in x)[-5000:]
    chosen = re.search(r"(\d+) selected / (\d+) total", said)
    assert chosen and chosen[1] == chosen[2] and int(chosen[1]) > 100
    assert int(re.search(r"([\d,]+) generated", said)[1].replace(",", "")) > 1000
