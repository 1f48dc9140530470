"""A real Label Studio gets a batch, two people answer in it, and the answers become labels; and it asks `serve` as its model."""
import csv
import json
import os
import urllib.error
import urllib.request

from _common import CHURN, MLLOOP, Server, environment, free_port, holds_no, mlloop, version, workplace

PYTHON = environment("label_studio", "label-studio>=1.20,<2")
TOKEN = "0123456789abcdef0123456789abcdef01234567"
MODEL_TOKEN = "hunter2-of-the-model"


class Api:
    """A person's view of the server."""

    def __init__(self, base, token):
        self.base, self.token = base, token

    def __call__(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as err:
            raise AssertionError(f"{method} {path}: {err.code} {err.read()[:500]}") from err


def truth():
    with open(CHURN) as file:
        return {f"N{row['customer']}": row["churn"] for row in csv.DictReader(file)}


def make_loop(at):
    """A version in production, and 300 rows that came since under other ids."""
    (at / "data").mkdir(parents=True)
    with open(CHURN) as file:
        header, *rows = csv.reader(file)
    for name, part in ("reference", rows[:600]), ("current", [["N" + row[0], *row[1:-1], ""] for row in rows[600:900]]):
        with open(at / "data" / f"{name}.csv", "w") as file:
            csv.writer(file).writerows([header, *part])
    mlloop("init", "data/reference.csv", cwd=at)
    mlloop("train", "--algorithm", "decision-tree", cwd=at)


def answer(api, task, said, **more):
    result = [{"from_name": "label", "to_name": "row", "type": "choices", "value": {"choices": [said]}}]
    return api("POST", f"/api/tasks/{task}/annotations/", {"result": result, "lead_time": 7.5, **more})


def main():
    work = workplace()
    home, loop = work / "studio", work / "churn"
    home.mkdir()
    make_loop(loop)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    env = {"LABEL_STUDIO_URL": base, "LABEL_STUDIO_API_KEY": TOKEN}
    send = ["label-export", "-n", "60", "--to", "label-studio", "--annotators", "ann,bob", "--overlap", "0.2", "--json"]
    fetch = ["label-import", "--from", "label-studio", "--json"]

    # Where no server is, nothing is handed out.
    nowhere = f"http://127.0.0.1:{free_port()}"
    _, said = mlloop(*send, "--url", nowhere, cwd=loop, status=2, env=env)
    assert said.startswith("mlloop: ") and nowhere in said and len(said.splitlines()) == 1, said
    assert not (loop / "label_inbox" / "to_label.json").exists()

    command = [PYTHON.parent / "label-studio", "start", "--no-browser", "--port", str(port), "--data-dir", home,
               "--username", "ann@example.org", "--password", "pass-of-ann-1", "--user-token", TOKEN, "--enable-legacy-api-token"]
    quiet = {**os.environ, "HOME": str(home), "LATEST_VERSION_CHECK": "false", "ML_BLOCK_LOCAL_IP": "false", "USE_DEFAULT_BANNED_SUBNETS": "false", "COLLECT_ANALYTICS": "false", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": ""}
    with Server(command, f"{base}/health", work / "studio.log", seconds=900, cwd=home, env=quiet):
        ann = Api(base, TOKEN)
        version(ann("GET", "/api/version")["release"])
        _, said = mlloop(*send, cwd=loop, status=2, env={**env, "LABEL_STUDIO_API_KEY": "wrong" + TOKEN})
        assert "(401)" in said and TOKEN not in said, said

        sent = json.loads(mlloop(*send, cwd=loop, env=env)[0])
        assert (sent["sent"]["n_sent"], sent["n"]) == (60, 60), sent
        project = sent["sent"]["project"]
        tasks = ann("GET", f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true")
        assert len(tasks) == 60 and all(len(task["predictions"]) == 1 or task["total_predictions"] == 1 for task in tasks), tasks[0]
        # The order in which people are given them is that in which they were chosen.
        asked = [row["data"]["row_id"] for row in json.loads((loop / "label_inbox" / "to_label.json").read_text())]
        assert [task["data"]["row_id"] for task in sorted(tasks, key=lambda task: task["id"])] == asked
        # Again, nothing is sent; a task that was deleted there is.
        again = json.loads(mlloop(*send, cwd=loop, status=1, env=env)[0])
        assert (again["sent"]["n_sent"], again["sent"]["n_there"]) == (0, 60), again
        ann("DELETE", f"/api/tasks/{tasks[0]['id']}/")
        again = json.loads(mlloop(*send, cwd=loop, env=env)[0])
        assert (again["sent"]["n_sent"], again["sent"]["n_there"]) == (1, 59), again
        tasks = ann("GET", f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true")
        assert sorted(task["data"]["row_id"] for task in tasks) == sorted(asked)

        # Nobody has answered.
        mlloop(*fetch, cwd=loop, status=1, env=env)
        # Ann answers 50, skips one and leaves a draft; bob, who was invited, answers 12 of the same, one of them otherwise.
        invite = ann("GET", "/api/invite")["invite_url"]
        bob = Api(base, second_person(base, invite))
        right = truth()
        other = {"yes": "no", "no": "yes"}
        for task in tasks[:50]:
            answer(ann, task["id"], right[task["data"]["row_id"]])
        answer(ann, tasks[50]["id"], "yes", was_cancelled=True)
        draft = [{"from_name": "label", "to_name": "row", "type": "choices", "value": {"choices": ["yes"]}}]
        ann("POST", f"/api/tasks/{tasks[51]['id']}/drafts", {"result": draft, "lead_time": 1.0})
        for task in tasks[:12]:
            said = right[task["data"]["row_id"]]
            answer(bob, task["id"], other[said] if task is tasks[0] else said)

        taken = json.loads(mlloop(*fetch, cwd=loop, env=env)[0])
        assert taken["counts"]["added"] == 62 and taken["counts"]["rejected"] == 0, taken["counts"]
        found = taken
        assert found["agreement"]["n_rows"] == 12 and found["n_conflicts"] == 1, found
        with open(loop / "data" / "labels.csv") as file:
            labels = list(csv.DictReader(file))
        by = {}
        for label in labels:
            by.setdefault(label["annotator"], []).append(label)
        assert sorted(len(of) for of in by.values()) == [12, 50], by.keys()
        ours = max(by.values(), key=len)
        assert all(label["label"] == right[label["id"]] and label["source"] == "human" for label in ours)
        assert tasks[50]["data"]["row_id"] not in {label["id"] for label in labels}, "a skip is no answer"
        assert tasks[51]["data"]["row_id"] not in {label["id"] for label in labels}, "a draft is no answer"

        # The same once more is nothing new; what is answered later is.
        mlloop(*fetch, cwd=loop, status=1, env=env)
        answer(ann, tasks[52]["id"], right[tasks[52]["data"]["row_id"]])
        taken = json.loads(mlloop(*fetch, cwd=loop, env=env)[0])
        assert taken["counts"]["added"] == 1, taken["counts"]
        model(ann, loop, ann("GET", f"/api/projects/{project}")["label_config"])
    holds_no(TOKEN, loop)
    holds_no(MODEL_TOKEN, loop)


def model(api, loop, interface):
    """The server connects `serve` as its model, fetches predictions, and hands tasks out by how sure it is."""
    with open(loop / "data" / "current.csv") as file:
        rows = list(csv.DictReader(file))[:40]
    printed, _ = mlloop("predict", "data/current.csv", "--columns", "customer,prediction,score", cwd=loop)
    expected = {row["customer"]: row for row in csv.DictReader(printed.splitlines())}
    project = api("POST", "/api/projects", {"title": "model", "label_config": interface, "sampling": "Uncertainty sampling"})["id"]
    # As people import tasks, and one that does not fit.
    tasks = [{"data": {"row_id": row["customer"], "row": row}} for row in rows]
    api("POST", f"/api/projects/{project}/import?return_task_ids=true", [*tasks, {"data": {"row_id": "x", "row": {"months": "many"}}}])
    port = free_port()
    connect = {"project": project, "url": f"http://127.0.0.1:{port}/label-studio", "title": "mlloop", "auth_method": "BASIC_AUTH",
               "basic_auth_user": "any", "basic_auth_pass": MODEL_TOKEN}
    retrieve = f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}"
    everything = {"selectedItems": {"all": True, "excluded": []}}
    serve = [MLLOOP, "serve", "--port", str(port), "--label-studio"]
    secret = {**os.environ, "MLLOOP_PREDICT_TOKEN": MODEL_TOKEN}
    with Server(serve, f"http://127.0.0.1:{port}/health", loop / "serve.log", cwd=loop, env=secret):
        refused(api, connect | {"basic_auth_pass": "wrong"})
        refused(api, connect | {"url": f"http://127.0.0.1:{free_port()}/label-studio"})
        backend = api("POST", "/api/ml", connect)["id"]
        state = api("GET", f"/api/ml/{backend}")
        assert (state["state"], state["model_version"]) == ("CO", "v0001"), state
        for _ in range(2):
            api("POST", retrieve, everything)
        api("PATCH", f"/api/projects/{project}", {"model_version": "v0001"})
        told = api("GET", f"/api/predictions?project={project}")
        customer = {task["id"]: task["data"]["row_id"] for task in tasks_of(api, project)}
        assert len(told) == 40 and {one["model_version"] for one in told} == {"v0001"}, "once each, none for what does not fit"
        sure = {}
        for one in told:
            row = expected[customer[one["task"]]]
            said, score = one["result"][0]["value"]["choices"], float(row["score"])
            assert said == [row["prediction"]], (one, row)
            sure[one["task"]] = score if row["prediction"] == "yes" else 1 - score
            assert abs(one["score"] - sure[one["task"]]) < 1e-6, (one, row)
        # The least sure first, and the next of them once that one has an answer.
        for _ in range(3):
            task, least = api("GET", f"/api/projects/{project}/next")["id"], min(sure.values())
            assert abs(sure.pop(task) - least) < 1e-6, (task, least)
            answer(api, task, "yes")
    # Without it, the server goes on: no prediction is lost, none is made up.
    api("POST", retrieve, everything)
    assert api("GET", f"/api/ml/{backend}")["state"] == "DI"
    assert len(api("GET", f"/api/predictions?project={project}")) == 40
    assert not list((loop / "predictions").glob("*")), "that somebody looks at a task is no traffic"


def tasks_of(api, project):
    return api("GET", f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true")


def refused(api, body):
    try:
        api("POST", "/api/ml", body)
    except AssertionError as err:
        assert "400" in str(err) and MODEL_TOKEN not in str(err), err
    else:
        raise AssertionError("a model that does not answer was connected")


def second_person(base, invite):
    """Signs up as a browser does, and gives the person's token."""
    import http.cookiejar
    import re
    import urllib.parse

    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    url = urllib.parse.urljoin(base, invite)
    page = opener.open(url, timeout=120).read().decode()
    form = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    body = urllib.parse.urlencode({"csrfmiddlewaretoken": form, "email": "bob@example.org", "password": "pass-of-bob-1"})
    request = urllib.request.Request(url, body.encode(), {"Referer": url})
    opener.open(request, timeout=120).read()
    answer = opener.open(f"{base}/api/current-user/token", timeout=120).read()
    return json.loads(answer)["token"]


if __name__ == "__main__":
    main()
