"""Engines for the end-to-end tests: `kellet serve` with its services in one process or in many, on SQLite or on a
PostgreSQL of the test's own, and a small client of the API."""
import base64
import glob
import http.client
import json
import os
import pwd
import shutil
import signal
import subprocess
import time
import urllib.parse
from pathlib import Path

from registries import free_port, wait_for

SERVICES = ("catalog", "apiext", "simplequeue", "policy_engine", "analyzer", "kubernetes_webhook")
PASSWORD = "foobar"

CONFIG = """\
service_dir: {directory}/service
tmp_dir: {directory}/tmp
log_level: {log_level}
{host_id}
default_admin_password: '${{ANCHORE_ADMIN_PASSWORD}}'
default_admin_email: 'admin@myanchore'
allow_awsecr_iam_auto: true
metrics: {{enabled: true, auth_disabled: {open_metrics}}}
keys: {{secret: 'a secret of the tests, long enough'}}
user_authentication: {{oauth: {{enabled: true, default_token_expiration_seconds: 3600}}, hashed_passwords: true}}
{extra}
credentials:
  database:
    db_connect: '{database}'
    db_connect_args: {{timeout: 30, ssl: false}}
services:
{services}
"""

SERVICE = """\
  {name}:
    enabled: true
    require_auth: {auth}
    endpoint_hostname: 127.0.0.1
    listen: 127.0.0.1
    port: {port}
{more}"""

# No test reaches for the world's vulnerability data.
MORE = {"policy_engine": "    vulnerabilities: {sync: {enabled: false}}\n"}


def postgres_bin():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return Path(found[-1]).parent if found else None


class Postgres:
    """A server of its own, owned by the user postgres when the tests run as root."""

    def __init__(self, directory):
        self.directory, self.port, self.bin = Path(directory), free_port(), postgres_bin()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data = self.directory / "pg"
        if os.getuid() == 0:
            shutil.chown(self.directory, "postgres")
            for parent in self.directory.parents:  # pytest's directories are private to root
                if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                    parent.chmod(parent.stat().st_mode | 0o011)
        self.run("initdb", "-D", self.data, "-U", "kellet", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def run(self, program, *arguments):
        switch = {"user": pwd.getpwnam("postgres").pw_uid, "group": pwd.getpwnam("postgres").pw_gid} if os.getuid() == 0 else {}
        subprocess.run([self.bin / program, *map(str, arguments)], check=True, cwd="/", stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=120, **switch)

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-w", "-l", self.directory / "log", "-o",
                 f"-p {self.port} -k {self.directory} -c listen_addresses=127.0.0.1 -c fsync=off", "start")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def database(self, name):
        self.run("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", "kellet", name)
        return f"postgresql://kellet:kellet@127.0.0.1:{self.port}/{name}"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Client:
    """One user's requests to one API."""

    def __init__(self, port, user="admin", password=PASSWORD, account=None):
        self.port, self.user, self.password, self.account = port, user, password, account

    def __call__(self, method, path, body=None, headers=None, timeout=60):
        head = {"Authorization": "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()}
        if self.account:
            head["x-anchore-account"] = self.account
        if body is not None and not isinstance(body, bytes):
            body, head["Content-Type"] = json.dumps(body).encode(), "application/json"
        head.update(headers or {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, head)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, path, **query):
        return self("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""))

    def wait_analyzed(self, digest, seconds=60, states=("analyzed", "analysis_failed")):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            image = self.get(f"/v1/images/{digest}").json[0]
            if image["analysis_status"] in states:
                return image
            time.sleep(0.05)
        raise AssertionError(f"{digest} is still {image['analysis_status']}")


class Engine:
    """All services in one process, or (split) each in its own; `add` starts one more of a service."""

    def __init__(self, binary, directory, database=None, split=False, environment=None, extra="", more=None,
                 log_level="INFO", services=SERVICES, host_id=None, open_metrics=True):
        self.binary, self.directory = binary, Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.database = database or f"sqlite:{self.directory}/kellet.db"
        self.environment = {**(environment or os.environ), "KELLET_DATA": str(self.directory / "data"),
                            "ANCHORE_ADMIN_PASSWORD": PASSWORD}
        self.environment.pop("ANCHORE_ENGINE_SERVICES", None)
        self.extra, self.more, self.log_level = extra, more or {}, log_level
        self.services, self.host_id, self.open_metrics = services, host_id, open_metrics
        self.processes, self.ports = [], {}
        for service in (services if split else [None]):
            self.add(service)
        self.client = Client(self.port("apiext"))

    def add(self, service=None):
        """Starts a process; None: all services. Returns it."""
        number = len(self.processes)
        names = (service,) if service else self.services
        ports = {name: free_port() for name in names}
        where = self.directory / f"process{number}"
        where.mkdir(parents=True, exist_ok=True)
        sections = "".join(SERVICE.format(name=n, auth="false" if n == "kubernetes_webhook" else "true", port=ports[n],
                                          more=self.more.get(n, MORE.get(n, ""))) for n in names)
        (where / "config.yaml").write_text(CONFIG.format(
            directory=where, log_level=self.log_level, open_metrics=str(self.open_metrics).lower(),
            host_id=f"host_id: {self.host_id}" if self.host_id else "", extra=self.extra, database=self.database,
            services=sections))
        log = open(where / "log", "ab")
        process = subprocess.Popen([self.binary, "serve", "--config", str(where), *([service] if service else ["--all"])],
                                   env=self.environment, stdout=log, stderr=log)
        process.ports, process.where, process.service = ports, where, service
        self.processes.append(process)
        try:
            for port in ports.values():
                wait_for(port, process, 60)
        except RuntimeError as problem:
            raise RuntimeError(f"{problem}\n{(where / 'log').read_text()[-3000:]}") from None
        return process

    def port(self, service):
        return next(p.ports[service] for p in self.processes if p.poll() is None and service in p.ports)

    def log(self):
        return "\n".join((p.where / "log").read_text(errors="replace") for p in self.processes)

    def stop(self, seconds=30):
        """SIGTERM to all; returns the exit statuses."""
        for p in self.processes:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        try:
            return [p.wait(seconds) for p in self.processes]
        finally:
            for p in self.processes:
                if p.poll() is None:
                    p.kill()
                    p.wait()
