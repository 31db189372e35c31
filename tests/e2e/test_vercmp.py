"""`kellet vercmp`: answers, streams of pairs, and what it says of bad input."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def vercmp(*arguments, stdin=b""):
    candidates = (os.environ.get("KELLET"), ROOT / "build/kellet", ROOT / "build-debug/kellet")
    binary = next((p for p in candidates if p and Path(p).exists()), None) or pytest.skip("kellet is not built")
    done = subprocess.run([binary, "vercmp", *arguments], input=stdin, capture_output=True)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("scheme, a, b, answer", [
    ("deb", "1.0~rc1", "1.0", "<"),
    ("rpm-evr", "1:1-1", "2-1", ">"),
    ("maven", "1.0.Final", "1", "="),
    ("maven", "-1", "--", ">"),
    ("apk", "-r1", "1.0", "invalid"),
    ("deb", "", "1", "invalid"),
    ("rpmvercmp", "", "", "="),
])
def test_two_versions(scheme, a, b, answer):
    assert vercmp(scheme, a, b) == (0, answer + "\n", "")


def test_pairs_on_standard_input():
    assert vercmp("npm", "-", stdin=b"1.2.3\t1.2.4\nx\t1.0.0\r\n2.0.0\t2.0.0-rc.1") == (0, "<\ninvalid\n>\n", "")
    assert vercmp("npm", "-") == (0, "", "")


def test_many_pairs_cross_blocks():
    text = "".join(f"1.{i}\t1.{i + i % 3 - 1}\n" for i in range(3, 300003)).encode()
    code, out, error = vercmp("deb", "-", stdin=text)
    assert (code, error) == (0, "")
    assert out.replace("\n", "") == ">=<" * 100000


@pytest.mark.parametrize("text, line", [(b"1\t2\n1 2\n", 2), (b"1\t2\n\n", 2), (b"1\t2\t3\n", 1)])
def test_a_line_that_is_no_pair_is_named(text, line):
    code, out, error = vercmp("deb", "-", stdin=text)
    assert code == 2
    assert out == "<\n" * (line - 1)
    assert f"line {line} " in error


def test_a_line_has_a_limit():
    long = b"1" * ((1 << 19) - 1)
    assert vercmp("deb", "-", stdin=long + b"\t" + long)[:2] == (0, "=\n")
    code, out, error = vercmp("deb", "-", stdin=b"1\t2\n" + b"1" * (1 << 21))
    assert (code, out) == (5, "<\n")
    assert "line 2 is longer than" in error


@pytest.mark.parametrize("arguments", [(), ("deb",), ("deb", "1"), ("deb", "1", "2", "3"), ("nonesuch", "1", "2"),
                                       ("--nonesuch",)])
def test_usage(arguments):
    code, out, error = vercmp(*arguments)
    assert code == 2 and out == "" and error.startswith("kellet: ")


def test_an_unknown_scheme_is_answered_with_the_known_ones():
    error = vercmp("nonesuch", "1", "2")[2]
    assert "rpm-evr" in error and "golang" in error
