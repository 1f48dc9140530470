"""Tables and copies of loops in S3, with the client of Amazon's own makers on the other side and three servers: s3rver from npm,
moto, which knows conditional writes, and hadro, which checks the signature of every request and only reads."""
import hashlib
import json
import os
import shutil
import subprocess
import threading

from _common import CACHE, CHURN, MLLOOP, Server, environment, free_port, mlloop, skip, version, workplace

PYTHON = environment("s3", "boto3>=1.40", "moto[server,s3]>=5.2,<6", "hadro>=0.7,<1")
SECRET = "a-secret-that-nobody-may-see"


def server(work, port):
    """s3rver from npm. It knows who asks; it lets everybody read, so a wrong secret is not tried here."""
    home = CACHE / "s3rver"
    program = home / "node_modules" / ".bin" / "s3rver"
    if not shutil.which("npm"):
        skip("npm is not there")
    if not program.exists():
        home.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["npm", "install", "--silent", "--prefix", home, "s3rver@3.7.1"], capture_output=True, text=True)
        if done.returncode:
            skip(f"npm install s3rver: {done.stderr.strip().splitlines()[-1:]}")
    files = work / "buckets"
    return Server([program, "-d", files, "-a", "127.0.0.1", "-p", str(port), "--configure-bucket", "shop", "-s"], f"http://127.0.0.1:{port}/", work / "s3rver.log")


def main():
    work = workplace()
    port = free_port()
    env = {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER"}
    with server(work, port):
        table = CHURN.read_bytes()
        # As the client of Amazon's own makers writes it.
        put = "import boto3,sys; boto3.client('s3', region_name='us-east-1').upload_file(sys.argv[1], 'shop', sys.argv[2])"
        put_env = {**os.environ, **env}
        for key in ["in/churn table+1.csv", "in/ünï/churn.csv"]:
            subprocess.run([PYTHON, "-c", put, CHURN, key], env=put_env, check=True)
        loop = work / "loop"
        loop.mkdir()
        mlloop("init", "s3://shop/in/churn table+1.csv", cwd=loop, env=env)
        assert (loop / "data" / "churn table+1.csv").read_bytes() == table
        mlloop("train", "--set", "model.n_estimators=20", cwd=loop)
        expected, _ = mlloop("predict", CHURN, "--columns", "customer,score", cwd=loop)
        _, said = mlloop("predict", "s3://shop/in/ünï/churn.csv", "--columns", "customer,score", "-o", "s3://shop/out/scores.csv.gz", cwd=loop, env=env)
        mlloop("predict", "s3://shop/in/ünï/churn.csv", "--columns", "customer,score", "-o", "s3://shop/out/scores.parquet", cwd=loop, env=env)
        get = "import boto3,sys,gzip; print(gzip.decompress(boto3.client('s3', region_name='us-east-1').get_object(Bucket='shop', Key='out/scores.csv.gz')['Body'].read()).decode(), end='')"
        assert subprocess.run([PYTHON, "-c", get], env=put_env, capture_output=True, text=True, check=True).stdout == expected
        profile, _ = mlloop("profile", "s3://shop/out/scores.parquet", "--json", cwd=work, env=env)
        assert '"n_rows": 1200' in profile, profile[:200]
        mlloop("monitor", "s3://shop/in/ünï/churn.csv", cwd=loop, env=env, status=1)
        for address, changed, words in [
            ("s3://shop/none.csv", {}, "the object does not exist"),
            ("s3://nobucket/a.csv", {}, "the bucket does not exist"),
            ("s3://shop/out/", {}, "names no object"),
            ("s3://shop/in/ünï/churn.csv", {"AWS_ACCESS_KEY_ID": "nobody"}, "does not accept these keys"),
            ("s3://shop/in/ünï/churn.csv", {"AWS_ACCESS_KEY_ID": ""}, "AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not"),
            ("s3://shop/in/ünï/churn.csv", {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{free_port()}"}, "cannot be reached"),
        ]:
            home = {"HOME": str(work)}
            _, said = mlloop("predict", address, cwd=loop, env={**env, **changed, **home}, status=2)
            assert words in said and "S3RVER" not in said and "Signature=" not in said, said
        turns(work / "s3rver-loops", env, "shop")
        large(work / "s3rver-large", env, "shop")
    for file in loop.rglob("*"):
        assert not file.is_file() or b"S3RVER" not in file.read_bytes(), file
    port = free_port()
    with Server([PYTHON.parent / "moto_server", "-p", str(port)], f"http://127.0.0.1:{port}/moto-api/", work / "moto.log"):
        env = {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": SECRET}
        made = "import boto3; boto3.client('s3', region_name='us-east-1').create_bucket(Bucket='models')"
        subprocess.run([PYTHON, "-c", made], env={**os.environ, **env}, check=True)
        conditions(env)
        turns(work / "moto-loops", env, "models")
        at_once(work / "race", env, "models")
        large(work / "moto-large", env, "models")
    signed(work)
    show = "from importlib.metadata import version as v; print(f\"moto {v('moto')}, hadro {v('hadro')}, boto3 {v('boto3')}\")"
    shown = subprocess.run([PYTHON, "-c", show], capture_output=True, text=True, check=True).stdout.strip()
    version(f"s3rver 3.7.1, {shown}")


def train(loop, table=False):
    if table:
        loop.mkdir(parents=True)
        shutil.copy(CHURN, loop)
        mlloop("init", "churn.csv", cwd=loop)
    mlloop("train", "--algorithm", "decision-tree", cwd=loop)


def turns(work, env, bucket):
    """Two machines take turns, and then go apart."""
    place, one, two = f"s3://{bucket}/loops/churn", work / "one", work / "two"
    train(one, table=True)
    two.mkdir()
    said = json.loads(mlloop("push", place, "--data", "--json", cwd=one, env=env)[0])
    mlloop("push", place, cwd=one, env=env, status=1)
    mlloop("pull", place, "--data", cwd=two, env=env)
    mlloop("audit", "verify", "--deep", cwd=two)
    for name in ["audit.jsonl", "mlloop.toml", "churn.csv", "models/v0001/model.bin", "models/roles.json"]:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    train(two)
    mlloop("promote", "--override", "x", "--by", "ben", cwd=two)
    again = json.loads(mlloop("push", place, "--json", cwd=two, env=env)[0])
    assert again["new_lines"] == 2 and again["sent"]["files"] < said["sent"]["files"], (said, again)
    _, words = mlloop("push", place, cwd=one, env=env, status=2)
    assert "has 2 changes more than this loop" in words, words
    mlloop("pull", place, cwd=one, env=env)
    assert (one / "models" / "roles.json").read_bytes() == (two / "models" / "roles.json").read_bytes()
    train(one)
    mlloop("rollback", "--by", "ben", cwd=two)
    mlloop("push", place, cwd=one, env=env)
    for verb in ["push", "pull"]:
        _, words = mlloop(verb, place, cwd=two, env=env, status=2)
        assert "diverged after line 3" in words and "Signature=" not in words, words
    secret = env["AWS_SECRET_ACCESS_KEY"].encode()
    for path in work.rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes(), path


def large(work, env, bucket):
    """A file of 150 MB goes to a place in three parts; both clients read the same bytes, and no upload is left open."""
    place, one, two = f"s3://{bucket}/large", work / "one", work / "two"
    train(one, table=True)
    (one / "reports").mkdir(exist_ok=True)
    bytes = os.urandom(1 << 20) * 143
    (one / "reports" / "large.html").write_bytes(bytes)
    mlloop("push", place, cwd=one, env=env)
    two.mkdir()
    mlloop("pull", place, cwd=two, env=env)
    assert (two / "reports" / "large.html").read_bytes() == bytes
    program = """
import boto3, hashlib, sys
s3 = boto3.client('s3', region_name='us-east-1')
object = s3.get_object(Bucket=sys.argv[1], Key='large/objects/' + sys.argv[2])
assert hashlib.sha256(object['Body'].read()).hexdigest() == sys.argv[2]
if sys.argv[1] == 'models':  # s3rver lists no uploads, and gives such an object the tag of any other
    assert object['ETag'].strip('"').endswith('-3'), object['ETag']
    assert not s3.list_multipart_uploads(Bucket=sys.argv[1]).get('Uploads'), 'an upload is left open'
"""
    digest = hashlib.sha256(bytes).hexdigest()
    done = subprocess.run([PYTHON, "-c", program, bucket, digest], env={**os.environ, **env}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def conditions(env):
    """The server keeps to the conditions that `push` relies on, as Amazon's own client sees it."""
    program = """
import boto3, botocore
s3 = boto3.client('s3', region_name='us-east-1')
tag = s3.put_object(Bucket='models', Key='c', Body=b'1')['ETag']
for wrong in [{'IfNoneMatch': '*'}, {'IfMatch': '"other"'}]:
    try:
        s3.put_object(Bucket='models', Key='c', Body=b'2', **wrong)
        raise SystemExit(f'{wrong} was not kept to')
    except botocore.exceptions.ClientError as err:
        assert err.response['ResponseMetadata']['HTTPStatusCode'] == 412, err
s3.put_object(Bucket='models', Key='c', Body=b'2', IfMatch=tag)
"""
    subprocess.run([PYTHON, "-c", program], env={**os.environ, **env}, check=True)


def at_once(work, env, bucket):
    """Of two that push at the same moment one is told; the place has what the other wrote."""
    place, one = f"s3://{bucket}/race", work / "one"
    train(one, table=True)
    mlloop("push", place, cwd=one, env=env)
    two = shutil.copytree(one, work / "two")
    loops = [one, two]
    for n, loop in enumerate(loops):
        mlloop("train", "--algorithm", "decision-tree", "--seed", str(n + 2), cwd=loop)
    done = [None, None]

    def push(n):
        done[n] = subprocess.run([MLLOOP, "push", place], cwd=loops[n], env={**os.environ, **env}, capture_output=True, text=True)

    threads = [threading.Thread(target=push, args=(n,)) for n in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(run.returncode for run in done) == [0, 2], [(run.returncode, run.stderr) for run in done]
    loser = next(run for run in done if run.returncode)
    assert "at the same time" in loser.stderr or "went apart" in loser.stderr, loser.stderr
    winner = loops[0 if done[0].returncode == 0 else 1]
    (work / "new").mkdir()
    mlloop("pull", place, cwd=work / "new", env=env)
    assert (work / "new" / "audit.jsonl").read_bytes() == (winner / "audit.jsonl").read_bytes()


def signed(work):
    """A server that checks signatures, and that fails now and then."""
    buckets, loop = work / "signed", work / "signed-loop"
    (buckets / "models").mkdir(parents=True)
    train(loop, table=True)
    # What a directory holds is what a bucket holds.
    mlloop("push", buckets / "models" / "churn", cwd=loop)
    shutil.copy(CHURN, buckets / "models" / "churn table+ü.csv")
    port = free_port()
    right = {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "AKANN", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-west-2", "HOME": str(work)}
    keys = ["--access-key", "AKANN", "--secret-key", SECRET, "--error-rate", "0.15", "--fault-seed", "1"]
    log = work / "hadro.log"
    with Server([PYTHON.parent / "hadro", buckets, "--port", str(port), *keys], f"http://127.0.0.1:{port}/", log):
        table, _ = mlloop("profile", "s3://models/churn table+ü.csv", "--json", cwd=work, env=right)
        assert '"n_rows": 1200' in table, table[:200]
        other = work / "signed-other"
        other.mkdir()
        mlloop("pull", "s3://models/churn", cwd=other, env=right)
        assert (other / "audit.jsonl").read_bytes() == (loop / "audit.jsonl").read_bytes()
        for wrong, words in [
            ({"AWS_SECRET_ACCESS_KEY": "another-secret"}, "does not accept these keys (SignatureDoesNotMatch)"),
            ({"AWS_ACCESS_KEY_ID": "AKBEN"}, "does not accept these keys (InvalidAccessKeyId)"),
            ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no keys are set"),
        ]:
            new = work / "signed-new"
            new.mkdir(exist_ok=True)
            for command in [("pull", "s3://models/churn"), ("profile", "s3://models/churn table+ü.csv")]:
                _, said = mlloop(*command, cwd=new, env={**right, **wrong}, status=2)
                assert words in said and "secret" not in said.lower().replace("aws_secret_access_key", "") and "Signature=" not in said, said
            assert not any(new.iterdir()), list(new.iterdir())
    assert SECRET not in log.read_text()


if __name__ == "__main__":
    main()
