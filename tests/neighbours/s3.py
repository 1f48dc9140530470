"""Tables in S3, with a server of npm's and the client of Amazon's own makers on the other side."""
import os
import shutil
import subprocess

from _common import CACHE, CHURN, Server, environment, free_port, mlloop, skip, version, workplace

PYTHON = environment("s3", "boto3>=1.40")


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
            ("s3://shop/none.csv", {}, "there is no such object"),
            ("s3://nobucket/a.csv", {}, "no such bucket"),
            ("s3://shop/out/", {}, "names no object"),
            ("s3://shop/in/ünï/churn.csv", {"AWS_ACCESS_KEY_ID": "nobody"}, "does not accept these keys"),
            ("s3://shop/in/ünï/churn.csv", {"AWS_ACCESS_KEY_ID": ""}, "AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not"),
            ("s3://shop/in/ünï/churn.csv", {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{free_port()}"}, "cannot be reached"),
        ]:
            home = {"HOME": str(work)}
            _, said = mlloop("predict", address, cwd=loop, env={**env, **changed, **home}, status=2)
            assert words in said and "S3RVER" not in said and "Signature=" not in said, said
    for file in loop.rglob("*"):
        assert not file.is_file() or b"S3RVER" not in file.read_bytes(), file
    version("s3rver 3.7.1")


if __name__ == "__main__":
    main()
