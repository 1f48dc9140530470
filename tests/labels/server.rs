//! `label-export --to` and `label-import --from`: a project of Label Studio is filled and read, and every way in which a
//! server fails is one clear line and no harm.
//!
//! The server here is a stand-in that remembers; `tests/neighbours/label_studio.py` starts the real one.

use super::{DAY, trained, truth};
use crate::mock::{Asked, Mock, Reply};
use crate::support::{ERROR, Loop, NO, YES};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const TOKEN: &str = "s3cret-of-ann";

/// What a server keeps, and how it fails.
#[derive(Default)]
struct Kept {
    projects: Vec<Value>,
    tasks: Vec<Value>,
    /// How the next request to a path that ends so is answered, and whether what it asks for is done all the same.
    fault: Option<(&'static str, Fault, bool)>,
}

#[derive(Clone, Copy)]
enum Fault {
    /// Half of the answer.
    Cut,
    /// Nothing for longer than anybody waits.
    Slow,
    /// An error of the server.
    Breaks,
    /// A page of something else.
    NoJson,
}

type Shared = Arc<Mutex<Kept>>;

fn answer(kept: &mut Kept, asked: &Asked) -> Reply {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let body: Value = serde_json::from_str(&asked.body).unwrap_or(Value::Null);
    let answer = match (asked.method.as_str(), path) {
        ("POST", "/api/token/refresh") => json!({ "access": format!("access-{TOKEN}") }),
        ("GET", "/api/projects/") => json!({ "next": null, "results": kept.projects }),
        ("POST", "/api/projects/") => {
            let mut project = body;
            project["id"] = (kept.projects.len() + 5).into();
            project["parsed_label_config"] = json!({ "label": { "type": "Choices", "labels": ["no", "yes"] } });
            kept.projects.push(project.clone());
            project
        }
        ("GET", "/api/projects/5/") => kept.projects[0].clone(),
        ("POST", "/api/projects/5/import") => {
            for task in body.as_array().unwrap() {
                let mut task = task.clone();
                task["annotations"] = json!([]);
                kept.tasks.push(task);
            }
            json!({ "task_count": body.as_array().unwrap().len() })
        }
        ("GET", "/api/projects/5/export") => {
            let all = query.contains("download_all_tasks=true");
            let done = |task: &&Value| all || task["annotations"] != json!([]);
            json!(kept.tasks.iter().filter(done).collect::<Vec<_>>())
        }
        _ => return Reply::json(404, "{\"detail\": \"Not found.\"}"),
    };
    Reply::json(200, &answer.to_string())
}

fn studio() -> (Mock, Shared) {
    let kept = Shared::default();
    let shared = Arc::clone(&kept);
    let mock = Mock::start(move |asked, _| {
        let said = asked.header("authorization").unwrap_or("");
        if said != format!("Token {TOKEN}")
            && said != format!("Bearer access-{TOKEN}")
            && !asked.path.contains("refresh")
        {
            return Reply::json(401, "{\"detail\": \"Invalid token.\"}");
        }
        let mut kept = shared.lock().unwrap();
        let fault = kept.fault.take_if(|(path, ..)| asked.path.split('?').next().unwrap().ends_with(*path));
        let Some((_, fault, is_done)) = fault else { return answer(&mut kept, asked) };
        let reply = if is_done { answer(&mut kept, asked) } else { Reply::json(200, "[{\"id\": 1, \"data\": {}}]") };
        drop(kept);
        match fault {
            Fault::Cut => reply.cut(3),
            Fault::Slow => {
                std::thread::sleep(std::time::Duration::from_millis(1500));
                reply
            }
            Fault::Breaks => Reply::json(500, "{\"detail\": \"out of order\"}"),
            Fault::NoJson => Reply::new(200, "<html>welcome</html>"),
        }
    });
    (mock, kept)
}

fn loop_of(mock: &Mock) -> Loop {
    let mut work = trained();
    work.set("LABEL_STUDIO_URL", &mock.url("127.0.0.1", ""));
    work.set("LABEL_STUDIO_API_KEY", TOKEN);
    work
}

const SEND: &str = "label-export -n 120 --to label-studio --project churn --timeout 1 --now 2026-11-20T10:00:00Z";
const FETCH: &str = "label-import --from label-studio --project churn --timeout 1 --now 2026-11-21T10:00:00Z";

fn annotate(kept: &Shared, n: usize, by: u32) {
    for task in kept.lock().unwrap().tasks.iter_mut().take(n) {
        let class = truth(task["data"]["row_id"].as_str().unwrap());
        let said =
            json!([{ "from_name": "label", "to_name": "row", "type": "choices", "value": { "choices": [class] } }]);
        let one = json!({ "completed_by": by, "lead_time": 4.2, "created_at": "2026-11-21T09:00:00Z", "result": said });
        task["annotations"].as_array_mut().unwrap().push(one);
    }
}

#[test]
fn rows_go_there_and_answers_come_back() {
    let (mock, kept) = studio();
    let work = loop_of(&mock);
    let sent = work.run(SEND).answers(YES).json("/sent/n_sent", 120).json("/sent/n_there", 0).value();
    assert_eq!(sent["sent"]["address"], mock.url("127.0.0.1", "/projects/5"));
    {
        let kept = kept.lock().unwrap();
        let project = &kept.projects[0];
        assert_eq!((&project["title"], &project["show_collab_predictions"]), (&"churn".into(), &false.into()));
        assert!(project["label_config"].as_str().unwrap().contains("<Choice value=\"yes\"/>"));
        assert_eq!(kept.tasks.len(), 120);
        assert!(kept.tasks.iter().all(|task| task["predictions"][0]["model_version"] == "v0001"));
        let parts = mock.asked().iter().filter(|asked| asked.path.contains("/import")).count();
        assert_eq!(parts, 2, "a hundred at once");
    }
    // Again: everything is there. What somebody deleted there is sent again.
    work.run(SEND).answers(NO).json("/sent/n_sent", 0).json("/sent/n_there", 120);
    kept.lock().unwrap().tasks.truncate(119);
    work.run(SEND).answers(YES).json("/sent/n_sent", 1).json("/sent/n_there", 119);
    work.run(FETCH).answers(NO).json("/counts/read", 0);
    annotate(&kept, 100, 7);
    annotate(&kept, 20, 8);
    // A task that came there twice is one answer.
    let twice = kept.lock().unwrap().tasks[0].clone();
    kept.lock().unwrap().tasks.push(twice);
    work.run(FETCH).answers(YES).json("/counts/added", 120).json("/agreement/n_rows", 20);
    work.run(FETCH).answers(NO).json("/counts/unchanged", 120);
    assert_eq!(work.read("data/labels.csv").matches(",7,").count(), 100);
    // The next batch goes into the same project.
    work.run(&SEND.replace("11-20", "11-22")).answers(YES).json("/sent/n_sent", 120).json("/sent/project", 5);
    // A personal access token is exchanged.
    let mut work = work;
    let personal = format!("a.{TOKEN}.c");
    work.set("LABEL_STUDIO_API_KEY", &personal);
    work.run(FETCH).answers(NO);
    for (path, bytes) in work.files() {
        assert!(!bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()), "{}", path.display());
    }
}

/// Rows are dealt by name here, and the server calls its people by numbers: it knows who answered.
#[test]
fn a_server_says_who_answered_whatever_it_calls_them() {
    let (mock, kept) = studio();
    let work = loop_of(&mock);
    work.run(&format!("{SEND} --annotators ann,bea --overlap 0.2")).answers(YES);
    annotate(&kept, 100, 7);
    annotate(&kept, 20, 8);
    work.run(FETCH).answers(YES).json("/counts/added", 120).json("/agreement/n_rows", 20);
    work.run("audit replay 3").answers(YES).json("/agrees", true);
}

/// The line on stderr: what is wrong, and neither the token nor a second line but the hint.
fn fails(work: &Loop, line: &str, says: &str) {
    let done = work.run(line).answers(ERROR).says(says);
    assert!(!done.stderr.contains(TOKEN) && !done.stdout.contains(TOKEN), "{}", done.stderr);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
}

#[test]
fn a_server_that_fails_is_said_in_a_line() {
    let (mock, kept) = studio();
    let mut work = loop_of(&mock);
    let before = work.files();
    let fault = |path, fault, is_done| kept.lock().unwrap().fault = Some((path, fault, is_done));
    for (kind, says) in [
        (Fault::Cut, "the response is incomplete"),
        (Fault::Slow, "no answer in time"),
        (Fault::Breaks, "it answers 500: out of order"),
        (Fault::NoJson, "it does not answer like Label Studio"),
    ] {
        fault("/api/projects/", kind, false);
        fails(&work, SEND, says);
    }
    // Before anything was handed out: nothing is.
    fails(&work, "label-import --from label-studio --project churn", "there is no project \"churn\"");
    work.set("LABEL_STUDIO_API_KEY", "wrong");
    fails(&work, SEND, "it rejects the token in LABEL_STUDIO_API_KEY (401): Invalid token.");
    work.set("LABEL_STUDIO_API_KEY", "");
    fails(&work, SEND, "set LABEL_STUDIO_API_KEY to your token");
    work.set("LABEL_STUDIO_API_KEY", TOKEN);
    fails(&work, &format!("{SEND} --url http://127.0.0.1:9"), "Label Studio at http://127.0.0.1:9: ");
    fails(&work, &format!("{SEND} --url http://ann:pw@127.0.0.1:9"), "contains a login");
    fails(&work, &format!("{SEND} --url localhost:8080"), "has no http:// or https://");
    let left = |files: &[(std::path::PathBuf, Vec<u8>)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    let files: Vec<_> = work.files().into_iter().filter(|(path, _)| !path.ends_with(".mlloop.lock")).collect();
    let before: Vec<_> = before.into_iter().filter(|(path, _)| !path.ends_with(".mlloop.lock")).collect();
    assert_eq!(left(&files), left(&before), "nothing was handed out");

    // On the way: what arrived stays there, also when the server did not get to say so; the same command sends the rest.
    for (kind, is_done) in [(Fault::Slow, true), (Fault::Cut, true), (Fault::Breaks, false)] {
        let (mock, kept) = studio();
        let work = loop_of(&mock);
        kept.lock().unwrap().fault = Some(("/import", kind, is_done));
        fails(&work, SEND, "not all rows were sent; run the same command to send the rest");
        let n_there = if is_done { 100 } else { 0 };
        work.run(SEND).answers(YES).json("/sent/n_there", n_there).json("/sent/n_sent", 120 - n_there);
        assert_eq!(kept.lock().unwrap().tasks.len(), 120);
        assert_eq!(work.read("audit.jsonl").matches("labels-exported").count(), 1);
        // Answers: half of them are none.
        annotate(&kept, 100, 7);
        let labels = work.path("data/labels.csv");
        kept.lock().unwrap().fault = Some(("/export", Fault::Cut, true));
        fails(&work, FETCH, "the response is incomplete");
        kept.lock().unwrap().fault = Some(("/export", Fault::NoJson, true));
        fails(&work, FETCH, "it does not answer like Label Studio");
        assert!(!labels.exists());
        work.run(FETCH).answers(YES).json("/counts/added", 100);
    }
}

#[test]
fn a_project_that_asks_something_else_gets_no_rows() {
    let (mock, kept) = studio();
    let work = loop_of(&mock);
    let project =
        |id: u32, labels: Value| json!({ "id": id, "title": "churn", "parsed_label_config": { "label": labels } });
    kept.lock().unwrap().projects = vec![project(5, json!({ "type": "Choices", "labels": ["cat", "dog"] }))];
    fails(&work, SEND, "project 5 asks a different question (label has cat, dog)");
    kept.lock().unwrap().projects = vec![project(5, json!({ "type": "Number" }))];
    fails(&work, SEND, "project 5 asks a different question (label has a number)");
    kept.lock().unwrap().projects.push(project(6, Value::Null));
    fails(&work, SEND, "several projects are called \"churn\": name one by --project 5 or 6");
    assert!(kept.lock().unwrap().tasks.is_empty());
    // A sheet that is out is not sent; rows that were changed since are not either.
    let work = loop_of(&mock);
    work.run(&format!("label-export -n 60 {DAY}")).answers(YES);
    kept.lock().unwrap().projects.clear();
    fails(&work, SEND, "is open with 60 rows");
    work.run(&format!("{SEND} --force")).answers(YES);
    kept.lock().unwrap().tasks.clear();
    let text = work.read("label_inbox/to_label.json");
    work.write("label_inbox/to_label.json", text.replacen("N0", "M0", 1));
    fails(&work, SEND, "was changed after the batch was created");
    work.run("label-export --to somewhere").answers(ERROR).says("[possible values: label-studio]");
    work.run("label-export --to label-studio --format csv").answers(ERROR).says("cannot be used with");
}
