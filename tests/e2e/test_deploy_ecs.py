"""deploy/ecs and deploy/data: the templates by cfn-lint, their stacks in moto, and what they describe as processes on this
machine - nginx as the load balancer, two tasks of each service with the task definitions' own environment, PostgreSQL
with TLS, the original's client through the balancer, scaling in and out under load."""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import yaml

import cloudformation
import engines
from conftest import ROOT, need
from registries import Image, Quiet, apk_files, free_port, make_certificates, push, serve, wait_for
from test_aws import ACCOUNT, aws  # noqa: F401 (aws is a fixture)

DEPLOY = ROOT / "deploy"
TEMPLATES = sorted(p for p in DEPLOY.glob("*/*.yaml") if "AWSTemplateFormatVersion" in p.read_text())
LISTENERS = {"apiext": 8228, "kubernetes_webhook": 8338, "catalog": 8082, "simplequeue": 8083, "policy_engine": 8087}
PROCESSES = {"anchore-api": 8228, "anchore-kubernetes-webhook": 8338, "anchore-catalog": 8082, "anchore-simplequeue": 8083,
             "anchore-policy-engine": 8087, "anchore-worker": 8084}
EXPORTS = ("Host", "Port", "Name", "User", "PasswordSecret", "KeySecret", "SecurityGroup")


def test_there_are_the_templates_that_the_guide_names():
    assert {str(p.relative_to(DEPLOY)) for p in TEMPLATES} == {
        "ecs/anchore.yaml", "ecs/anchore-fargate.yaml", "ecs/cluster.yaml", "data/rds-postgres.yaml",
        "data/rds-legacy-postgres.yaml"}


def test_cfn_lint_has_nothing_to_say():
    lint = ROOT / ".venv/bin/cfn-lint"
    if not lint.exists():
        pytest.skip("cfn-lint is not installed: script/setup test")
    done = subprocess.run([lint, *TEMPLATES], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# ---- the stacks in moto --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cloud():
    moto = pytest.importorskip("moto")
    boto3 = pytest.importorskip("boto3")
    from moto.core.common_models import CloudFormationModel
    from moto.secretsmanager.models import secretsmanager_backends

    class Secret(CloudFormationModel):  # moto has the service, but not the type in its CloudFormation
        __module__ = "moto.secretsmanager.models"

        def __init__(self, arn):
            self.physical_resource_id = arn

        cloudformation_name_type = staticmethod(lambda: "Name")
        cloudformation_type = staticmethod(lambda: "AWS::SecretsManager::Secret")
        has_cfn_attr = classmethod(lambda cls, attribute: False)

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
            made = secretsmanager_backends[account_id][region_name].create_secret(
                kwargs.get("Name") or resource_name, "x", None, None, [], None, None, [], False)
            return cls(json.loads(made)["ARN"])

    values = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}
    saved = {k: os.environ.get(k) for k in values}
    os.environ.update(values)
    with moto.mock_aws():
        yield boto3
    for k, v in saved.items():
        os.environ.pop(k, None) if v is None else os.environ.__setitem__(k, v)


@pytest.fixture(scope="module")
def stacks(cloud):
    ec2, formation = cloud.client("ec2"), cloud.client("cloudformation")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = ",".join(s["SubnetId"] for s in ec2.describe_subnets()["Subnets"][:2])
    by_hand = ec2.create_security_group(GroupName="by-hand", Description="of an instance made by hand", VpcId=vpc)["GroupId"]
    secret = cloud.client("secretsmanager").create_secret(Name="password", SecretString='{"password": "p"}')["ARN"]
    cloud.client("ecs").create_cluster(clusterName="fleet")

    def make(name, template, **parameters):
        formation.create_stack(StackName=name, TemplateBody=(DEPLOY / template).read_text(), Capabilities=["CAPABILITY_IAM"],
                               Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()])
        assert formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"

    where = dict(Image="kellet:1", AdminPasswordSecret=secret, Cluster="fleet", Vpc=vpc, Subnets=subnets,
                 LoadBalancerSubnets=subnets)
    make("legacy", "data/rds-legacy-postgres.yaml", Host="by-hand.example", PasswordSecret=secret, SecurityGroup=by_hand)
    make("made", "data/rds-postgres.yaml", Vpc=vpc, Subnets=subnets)
    make("kellet", "ecs/anchore.yaml", DatabaseStack="legacy", **where)
    make("fargate", "ecs/anchore-fargate.yaml", DatabaseStack="made", ConfigSecret=secret, **where)
    make("cluster", "ecs/cluster.yaml", Vpc=vpc, Subnets=subnets, ConfigBucket="configuration",
         Ami="/aws/service/ecs/optimized-ami/amazon-linux-2/recommended/image_id")
    exports, token = {}, {}
    while token is not None:
        page = formation.list_exports(**token)
        exports.update({e["Name"]: e["Value"] for e in page["Exports"]})
        token = {"NextToken": page["NextToken"]} if page.get("NextToken") else None
    return exports


def test_both_databases_export_the_same(stacks):
    for stack in ("legacy", "made"):
        assert all(stacks[f"{stack}-{name}"] for name in EXPORTS)
    assert stacks["legacy-Host"] == "by-hand.example" and stacks["legacy-Port"] == stacks["made-Port"] == "5432"


@pytest.mark.parametrize("stack", ["kellet", "fargate"])
def test_a_stack_has_six_services(cloud, stacks, stack):
    ecs = cloud.client("ecs")
    database = {"kellet": "legacy", "fargate": "made"}[stack]
    services = [a for a in ecs.list_services(cluster="fleet", maxResults=100)["serviceArns"]]
    described = [s for i in range(0, len(services), 10)
                 for s in ecs.describe_services(cluster="fleet", services=services[i:i + 10])["services"]]
    own = [s for s in described if f"/{stack}-" in s["taskDefinition"]]
    assert len(own) == 6
    seen = {}
    for service in own:
        task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        container = task["containerDefinitions"][0]
        variables = {v["name"]: v["value"] for v in container["environment"]}
        process = variables["ANCHORE_ENGINE_SERVICES"]
        seen[process] = {k: v for k, v in variables.items() if k != "ANCHORE_ENGINE_SERVICES"}
        assert variables["ANCHORE_DB_HOST"] == stacks[f"{database}-Host"]
        assert container["portMappings"][0]["containerPort"] == PROCESSES[process]
        assert ("healthCheck" in container) == (process == "anchore-worker")  # the balancer asks the others
        secrets = {s["name"] for s in container["secrets"]}
        assert {"ANCHORE_ADMIN_PASSWORD", "ANCHORE_DB_PASSWORD", "ANCHORE_AUTH_SECRET"} <= secrets
        assert ("KELLET_CONFIG_YAML" in secrets) == (stack == "fargate")
        mounted = [m for m in container["mountPoints"] if m["containerPath"] == "/config"]
        assert len(mounted) == (1 if stack == "kellet" else 0) and all(m["readOnly"] for m in mounted)
    assert set(seen) == set(PROCESSES)
    assert all(v == seen["anchore-api"] for v in seen.values())  # the others are the same everywhere


@pytest.mark.parametrize("name", ["anchore.yaml", "anchore-fargate.yaml"])
def test_each_service_but_the_worker_is_behind_the_balancer(name):
    """Of the template: moto's CloudFormation leaves out a service's load balancers, its scaling and alarms."""
    resources = cloudformation.load(DEPLOY / "ecs" / name)["Resources"]
    behind = {}
    for r in resources.values():
        if r["Type"] == "AWS::ECS::Service":
            for balancer in r["Properties"].get("LoadBalancers", []):
                group = resources[balancer["TargetGroupArn"]["Ref"]]["Properties"]
                assert group["Port"] == balancer["ContainerPort"]
                behind[balancer["ContainerName"]] = balancer["ContainerPort"]
    assert behind == {k: v for k, v in PROCESSES.items() if k != "anchore-worker"}
    readers = {"anchore-api", "anchore-policy-engine", "anchore-kubernetes-webhook"}
    for bucket, others in (("", set()), ("documents", readers)):
        stack = cloudformation.Stack(cloudformation.load(DEPLOY / "ecs" / name), {"DocumentsBucket": bucket},
                                     {"TaskRole.Arn": "task", "DocumentsRole.Arn": "documents"}, {})
        roles = {r["Properties"]["ContainerDefinitions"][0]["Name"]: stack.resolve(r["Properties"].get("TaskRoleArn"))
                 for r in resources.values() if r["Type"] == "AWS::ECS::TaskDefinition"}
        assert {k for k, v in roles.items() if v == "task"} == {"anchore-catalog", "anchore-worker"}
        assert {k for k, v in roles.items() if v == "documents"} == others
    types = [r["Type"] for r in resources.values()]
    assert types.count("AWS::ECS::Service") == types.count("AWS::ApplicationAutoScaling::ScalableTarget") == 6
    assert types.count("AWS::ApplicationAutoScaling::ScalingPolicy") == 7  # one by processor each; worker: out and in
    pattern = resources["QueueDepthFilter"]["Properties"]
    assert pattern["FilterPattern"] == '{ $.queue = "images_to_analyze" }'
    assert pattern["MetricTransformations"][0]["MetricValue"] == "$.waiting"


@pytest.mark.parametrize("stack", ["kellet", "fargate"])
def test_five_listeners_with_a_target_group_each(cloud, stacks, stack):
    balancing = cloud.client("elbv2")
    balancer = next(b for b in balancing.describe_load_balancers()["LoadBalancers"]
                    if b["DNSName"] == stacks[f"{stack}-LoadBalancerName"])
    listeners = balancing.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    assert sorted(listener["Port"] for listener in listeners) == sorted(LISTENERS.values())
    for listener in listeners:
        group = balancing.describe_target_groups(TargetGroupArns=[listener["DefaultActions"][0]["TargetGroupArn"]])
        group = group["TargetGroups"][0]
        assert (group["Port"], group["HealthCheckPath"], group["Matcher"]["HttpCode"]) == (listener["Port"], "/health", "200")


def test_the_role_may_read_registries_and_nothing_else(cloud, stacks):
    iam = cloud.client("iam")
    role = stacks["kellet-TaskRoleArn"].rsplit("/", 1)[1]
    actions = set()
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for statement in (yaml.safe_load(document) if isinstance(document, str) else document)["Statement"]:
            allowed = statement["Action"]
            actions |= set(allowed if isinstance(allowed, list) else [allowed])
    assert actions == {"ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage",
                       "ecr:GetDownloadUrlForLayer", "ecr:ListImages"}


# ---- the same as processes -----------------------------------------------------------------------------------------------

NET = "127.0.77"
BALANCER = f"{NET}.1"


class Balancer:
    """nginx with the template's listeners: one port a service, tasks taken out when they do not answer."""

    def __init__(self, where, listeners, tasks):
        self.where, self.listeners, self.process = where, listeners, None
        where.mkdir()
        self.start(tasks)

    def configuration(self, tasks):
        upstreams = servers = ""
        for port in self.listeners:
            members = "".join(f"server {address}:{port} max_fails=1 fail_timeout=2s; " for address in tasks[port])
            upstreams += f"upstream p{port} {{ {members or 'server 127.0.77.254:1;'} }}\n"
            servers += (f"server {{ listen {BALANCER}:{port}; location / {{ proxy_pass http://p{port}; }} }}\n")
        return f"""daemon off; worker_processes 1; pid {self.where}/pid; error_log {self.where}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 0; proxy_read_timeout 240s; proxy_http_version 1.1;
  proxy_next_upstream error timeout; proxy_next_upstream_tries 3;
  client_body_temp_path {self.where}/body; proxy_temp_path {self.where}/proxy; fastcgi_temp_path {self.where}/fastcgi;
  uwsgi_temp_path {self.where}/uwsgi; scgi_temp_path {self.where}/scgi;
  {upstreams}{servers}}}
"""

    def start(self, tasks):
        (self.where / "nginx.conf").write_text(self.configuration(tasks))
        self.process = subprocess.Popen(["nginx", "-p", str(self.where), "-c", str(self.where / "nginx.conf")],
                                        stderr=subprocess.DEVNULL)

    def tasks_are(self, tasks):
        (self.where / "nginx.conf").write_text(self.configuration(tasks))
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Role:
    """Where a task that has a role gets its keys from, as ECS's agent gives them."""

    def __init__(self):
        outer, self.asked = self, 0

        class Handler(Quiet):
            def do_GET(self):
                outer.asked += 1
                self.answer(200, engines.json.dumps({
                    "AccessKeyId": "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z",
                    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/task"}).encode(), {"Content-Type": "application/json"})

        self.server = serve(Handler)
        self.environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self.server.server_address[1]}/keys"}


class TokenCheck:
    """nginx with TLS in front of a registry: only ECR's token passes. Its host is named as those of ECR are."""

    def __init__(self, where, port):
        make_certificates(where)
        self.port = free_port()
        self.host = f"{ACCOUNT}.dkr.ecr.us-east-1.localhost:{self.port}"
        login = engines.base64.b64encode(f"AWS:{ACCOUNT}-auth-token".encode()).decode()
        (where / "nginx.conf").write_text(f"""daemon off; worker_processes 1; pid {where}/pid; error_log {where}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {where}/body; proxy_temp_path {where}/proxy; fastcgi_temp_path {where}/fastcgi;
  uwsgi_temp_path {where}/uwsgi; scgi_temp_path {where}/scgi;
  server {{
    listen 127.0.0.1:{self.port} ssl; ssl_certificate {where}/server.pem; ssl_certificate_key {where}/server.key;
    add_header WWW-Authenticate 'Basic realm="https://{self.host}/",service="ecr"' always;
    location / {{
      if ($http_authorization != "Basic {login}") {{ return 401; }}
      proxy_pass http://127.0.0.1:{port}; proxy_set_header Host $http_host;
    }}
  }}
}}
""")
        self.process = subprocess.Popen(["nginx", "-p", str(where), "-c", str(where / "nginx.conf")], stderr=subprocess.DEVNULL)
        wait_for(self.port, self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def answers(address, port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((address, port)) == 0


class Fleet:
    """The tasks of the stack: each a process with the environment of its task definition."""

    def __init__(self, binary, where, database, secrets, aws, role):
        self.binary, self.where, self.aws, self.role = binary, where, aws, role
        self.template = cloudformation.load(DEPLOY / "ecs/anchore.yaml")
        host, port, name = database
        self.stack = cloudformation.Stack(
            self.template, {"DatabaseStack": "db", "Image": "kellet", "AdminPasswordSecret": "admin"},
            {"LoadBalancer.DNSName": BALANCER},
            {"db-Host": host, "db-Port": port, "db-Name": name, "db-User": "kellet", "db-PasswordSecret": "password",
             "db-KeySecret": "key", "db-SecurityGroup": "sg"})
        self.secrets, self.tasks, self.numbers = secrets, [], iter(range(10, 250))
        resources = self.template["Resources"].values()
        self.definitions, self.with_role = {}, set()
        for r in resources:
            if r["Type"] == "AWS::ECS::TaskDefinition":
                container = self.stack.resolve(r["Properties"]["ContainerDefinitions"])[0]
                self.definitions[container["Name"]] = container
                role = r["Properties"].get("TaskRoleArn")
                if role and "Fn::If" not in role:  # the others have one with documents in a bucket only
                    self.with_role.add(container["Name"])
        listeners = [r["Properties"]["Port"] for r in resources if r["Type"] == "AWS::ElasticLoadBalancingV2::Listener"]
        self.configuration = where / "config"
        self.configuration.mkdir()
        shutil.copy(DEPLOY / "ecs/config.yaml", self.configuration)
        self.balancer = Balancer(where / "balancer", listeners, self.addresses(listeners))

    def addresses(self, ports=None):
        ports = ports or self.balancer.listeners
        return {p: [t.address for t in self.tasks if PROCESSES[t.name] == p and t.poll() is None] for p in ports}

    def environment(self, name, address, data):
        container = self.definitions[name]
        env = {v["Name"]: str(v["Value"]) for v in container["Environment"]}
        env["ANCHORE_LISTEN_ADDRESS"] = address  # here all tasks are on one machine
        env.update({s["Name"]: self.secrets[s["ValueFrom"].split(":")[0]] for s in container["Secrets"]})
        env.update(AWS_ENDPOINT_URL=self.aws, AWS_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")
        env.update(self.role.environment if name in self.with_role else {})
        return {"PATH": os.environ["PATH"], "KELLET_DATA": str(data), "ANCHORE_CONFIG_DIR": str(self.configuration), **env}

    def add(self, name):
        number = next(self.numbers)
        address, data = f"{NET}.{number}", self.where / f"task{number}"
        data.mkdir()
        with open(data / "log", "wb") as log:
            task = subprocess.Popen([self.binary, "serve"], env=self.environment(name, address, data), stdout=log, stderr=log)
        task.name, task.address, task.data = name, address, data
        self.tasks.append(task)
        end = time.monotonic() + 60
        while not answers(address, PROCESSES[name]):
            assert task.poll() is None and time.monotonic() < end, (data / "log").read_text()[-3000:]
            time.sleep(0.05)
        self.balancer.tasks_are(self.addresses())
        return task

    def remove(self, task):
        """As ECS does: out of the balancer, SIGTERM, and it must end in time by itself."""
        others = {p: [a for a in list_ if a != task.address] for p, list_ in self.addresses().items()}
        self.balancer.tasks_are(others)
        task.send_signal(signal.SIGTERM)
        assert task.wait(self.definitions[task.name]["StopTimeout"]) == 0, (task.data / "log").read_text()[-3000:]

    def log(self):
        return "\n".join(f"--- {t.name} {t.address}\n{(t.data / 'log').read_text(errors='replace')[-1500:]}" for t in self.tasks)

    def stop(self):
        for t in self.tasks:
            if t.poll() is None:
                t.send_signal(signal.SIGTERM)
        codes = [t.wait(60) for t in self.tasks]
        self.balancer.stop()
        return codes


@pytest.fixture(scope="module")
def fleet(kellet_binary, tmp_path_factory, aws, service_ports):  # noqa: F811
    need("nginx", "openssl")
    if not engines.postgres_bin():
        pytest.skip("PostgreSQL's server is not installed")
    where = tmp_path_factory.mktemp("ecs")
    server = engines.Postgres(where / "postgres")
    server.stop()  # the configuration asks for TLS
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=db", "-days", "2", "-keyout",
                    server.data / "server.key", "-out", server.data / "server.crt"], check=True, capture_output=True)
    os.chmod(server.data / "server.key", 0o600)
    for name in ("server.key", "server.crt"):
        if os.getuid() == 0:
            shutil.chown(server.data / name, "postgres", "postgres")
    with open(server.data / "postgresql.conf", "a") as conf:
        conf.write("ssl = on\nmax_connections = 80\n")  # what a small instance allows
    server.start()
    server.database("postgres2")
    fleet = Fleet(kellet_binary, where, ("127.0.0.1", server.port, "postgres2"),
                  {"admin": "a password of 2026", "password": "unused", "key": "k" * 64}, aws, Role())
    fleet.add("anchore-catalog")  # brings the schema
    for _ in range(2):
        for name in PROCESSES:
            if sum(t.name == name for t in fleet.tasks) < 2:
                fleet.add(name)
    yield fleet
    if any(t.poll() is None for t in fleet.tasks):
        fleet.stop()
    server.stop("immediate")


def cli(fleet, *arguments):
    program = ROOT / ".venv-anchorecli/bin/anchore-cli"
    if not program.exists():
        pytest.skip("anchorecli is not installed: script/setup test")
    return subprocess.run([program, "--u", "admin", "--p", "a password of 2026", "--url", f"http://{BALANCER}:8228/v1", *arguments],
                          capture_output=True, text=True, timeout=180)


def test_two_tasks_of_each_service_register_the_balancer(fleet):
    assert len([t for t in fleet.tasks if t.poll() is None]) == 12
    client = engines.Client(8228, password="a password of 2026")
    listed = ask(client, "GET", "/v1/system/services").json
    assert len(listed) == 12 and len({(s["hostid"], s["servicename"]) for s in listed}) == 12
    assert {s["base_url"] for s in listed} == {f"http://{BALANCER}:{p}" for p in PROCESSES.values()}
    assert all(s["status"] for s in listed)
    assert not answers(BALANCER, 8084)  # nobody calls the worker


def ask(client, method, path, body=None):
    connection = engines.http.client.HTTPConnection(BALANCER, client.port, timeout=60)
    head = {"Authorization": "Basic " + engines.base64.b64encode(f"{client.user}:{client.password}".encode()).decode(),
            "Content-Type": "application/json"}
    connection.request(method, path, engines.json.dumps(body) if body is not None else None, head)
    answer = connection.getresponse()
    try:
        return engines.Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def test_the_client_works_through_the_balancer(fleet, registry_open):
    image = Image(apk_files({"musl": "1.2.4-r2", "busybox": "1.36.1-r7"}), {"etc/motd": b"ecs\n"})
    push(registry_open.port, "ecs/first", "1", image)
    name = f"127.0.0.1:{registry_open.port}/ecs/first:1"
    done = cli(fleet, "image", "add", name)
    assert done.returncode == 0, done.stdout + done.stderr + fleet.log()
    assert cli(fleet, "image", "wait", name, "--timeout", "120", "--interval", "1").returncode == 0
    assert "musl" in cli(fleet, "image", "content", name, "os").stdout
    assert cli(fleet, "image", "vuln", name, "all").returncode == 0
    assert cli(fleet, "system", "status").returncode == 0


def test_images_of_ecr_by_the_tasks_role(fleet, registry_open, tmp_path):
    """awsauto: the token is got with the role of catalog and worker, and opens the registry; nothing else does."""
    assert fleet.with_role == {"anchore-catalog", "anchore-worker"}
    image = Image(apk_files({"musl": "1.2.4-r2"}), {"etc/motd": b"from ecr\n"})
    push(registry_open.port, "ecs/private", "1", image)
    ecr = TokenCheck(tmp_path, registry_open.port)
    try:
        name = f"{ecr.host}/ecs/private:1"
        assert cli(fleet, "image", "add", name).returncode != 0
        done = cli(fleet, "registry", "add", ecr.host, "awsauto", "awsauto", "--registry-type", "awsecr", "--insecure", "--skip-validate")
        assert done.returncode == 0, done.stdout + done.stderr
        done = cli(fleet, "image", "add", name)
        assert done.returncode == 0, done.stdout + done.stderr + fleet.log()
        assert cli(fleet, "image", "wait", name, "--timeout", "120", "--interval", "1").returncode == 0, fleet.log()
        assert "musl" in cli(fleet, "image", "content", name, "os").stdout
        assert fleet.role.asked >= 2  # of the catalog and of a worker
    finally:
        ecr.stop()


def test_the_worker_says_that_it_is_well(fleet):
    worker = next(t for t in fleet.tasks if t.name == "anchore-worker" and t.poll() is None)
    command = fleet.definitions["anchore-worker"]["HealthCheck"]["Command"]
    assert command[:2] == ["CMD", "/usr/bin/kellet"]
    url = f"http://{worker.address}:{command[3]}"
    assert subprocess.run([fleet.binary, command[2], url], timeout=20).returncode == 0
    assert subprocess.run([fleet.binary, command[2], f"http://{NET}.250:8084"], capture_output=True, timeout=20).returncode == 1


def test_scaling_under_load_loses_nothing(fleet, registry_open):
    base = apk_files({"musl": "1.2.4-r2", "busybox": "1.36.1-r7"})
    client = engines.Client(8228, password="a password of 2026")
    wanted, random_ = {}, random.Random(7)
    for i in range(16):
        image = Image(base, {"opt/number": f"ecs {i}\n", "opt/filler": os.urandom(100_000)})
        push(registry_open.port, f"ecs/load{i}", "1", image)
        wanted[image.digest] = f"127.0.0.1:{registry_open.port}/ecs/load{i}:1"
    for n, tag in enumerate(wanted.values()):
        added = ask(client, "POST", "/v1/images", {"tag": tag})
        assert added.status == 200, f"{added}\n{fleet.log()}"
        if n % 4 == 3:  # out by one of a service, in by an older one
            name = random_.choice(["anchore-worker", "anchore-catalog", "anchore-simplequeue", "anchore-policy-engine", "anchore-api"])
            fleet.add(name)
            fleet.remove(next(t for t in fleet.tasks if t.name == name and t.poll() is None))
    end = time.monotonic() + 120
    left = dict(wanted)
    while left and time.monotonic() < end:
        for digest in list(left):
            state = ask(client, "GET", f"/v1/images/{digest}").json[0]["analysis_status"]
            assert state != "analysis_failed"
            if state == "analyzed":
                del left[digest]
        time.sleep(0.2)
    assert not left, fleet.log()


def test_connections_fit_a_small_database(fleet):
    """The server allows 80; a psql of ours must still get one while twelve tasks run."""
    database = fleet.stack.imports
    asked = subprocess.run(["psql", "-h", database["db-Host"], "-p", str(database["db-Port"]), "-U", "kellet", "-At", "-c",
                            "select count(*) from pg_stat_activity where datname = 'postgres2'", "postgres2"],
                           capture_output=True, text=True, timeout=30)
    assert asked.returncode == 0, asked.stderr
    assert 12 <= int(asked.stdout) <= 60


def test_all_tasks_end_well(fleet):
    assert fleet.stop() == [0] * len(fleet.tasks)
