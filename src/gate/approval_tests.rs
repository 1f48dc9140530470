//! Requests, roles and old versions, without a model: who may approve what and when, and what is kept.

use super::*;
use crate::gate::ticket::{self, save};
use crate::gate::{rollback, swap};
use crate::registry::{Registry, Roles};
use std::fs;
use std::path::PathBuf;

const TOML: &str = "[data]\nreference = \"r.csv\"\n[target]\ncolumn = \"y\"\n[columns]\ny = \"number\"\n";

struct Loop {
    dir: tempfile::TempDir,
    work: Workspace,
}

impl Loop {
    /// A loop with this many versions; the first is production, the last of several is the challenger.
    fn of(n: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mlloop.toml"), TOML).unwrap();
        fs::write(dir.path().join("r.csv"), "y\n1\n").unwrap();
        let l = Self { work: Workspace::new(dir.path()), dir };
        for version in 1..=n {
            l.registry().store(|_, dir| fs::write(dir.join("scores.json"), "{}")).unwrap();
            let roles = Roles {
                production: Some(Version(1)),
                challenger: (version > 1).then_some(Version(version)),
                ..Roles::default()
            };
            l.record(EventKind::Trained, json!({ "version": Version(version) }), Some(roles));
        }
        l
    }

    fn registry(&self) -> &Registry {
        self.work.registry()
    }

    fn lock(&self) -> Lock {
        self.work.lock().unwrap()
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn chain(&self) -> Chain {
        self.work.audit_chain().unwrap()
    }

    fn roles(&self) -> (Option<Version>, Option<Version>, Vec<Version>) {
        let roles = self.registry().roles().unwrap();
        (roles.production, roles.challenger, roles.previous)
    }

    fn record(&self, event: EventKind, details: Value, roles: Option<Roles>) {
        self.work.record(&self.lock(), Event { at: at(0), event, by: None, roles, details }).unwrap();
    }

    fn wished(&self, asks: Asks, found: &str, due: bool) -> (Ticket, bool) {
        let version = if asks == Asks::Promotion { Version(2) } else { Version(1) };
        let wish = Wish {
            asks,
            version,
            production: Version(1),
            verdict: json!({ "verdict": found }),
            sentence: "it is better",
            by: Some("Ann"),
            now: at(1),
            due_at: due.then(|| at(2)),
        };
        wished(&self.work, &self.work.config().unwrap(), &self.chain(), wish).unwrap()
    }

    fn asked(&self, asks: Asks, found: &str, due: bool) -> Ticket {
        let (ticket, is_new) = self.wished(asks, found, due);
        assert!(is_new);
        ask(&self.work, &self.lock(), &ticket).unwrap();
        ticket
    }

    /// Why `by` may not approve; empty if nothing prevents it.
    fn refused(&self, ticket: &Ticket, by: &str, now: Timestamp) -> String {
        let said = agreeable(&self.work, &self.work.config().unwrap(), &self.chain(), ticket, by, now);
        said.err().map(|err| err.to_string()).unwrap_or_default()
    }

    fn reject(&self, id: &str) -> Result<Decided, GateError> {
        reject(&self.work, &self.lock(), id, "bob", "too soon", at(3))
    }

    fn prune(&self, keep: u32) -> Vec<Version> {
        prune::prune(&self.work, &self.lock(), keep, at(4)).unwrap()
    }
}

fn at(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
}

fn versions(numbers: &[u32]) -> Vec<Version> {
    numbers.iter().copied().map(Version).collect()
}

#[test]
fn a_request_waits_until_another_of_its_kind_takes_its_place() {
    let l = Loop::of(2);
    assert_eq!(pending(&l.work).unwrap(), []);
    let first = l.asked(Asks::Promotion, "superior", false);
    assert_eq!(first.id, format!("v0002-{}", &first.digest[..8]));
    let chain = l.chain();
    let (line, said) = chain.request(&first.id).unwrap().unwrap();
    assert_eq!((line.by.as_deref(), said.version, said.expires_at), (Some("Ann"), Some(Version(2)), at(1 + 7 * 24)));
    assert_eq!(l.wished(Asks::Promotion, "superior", false), (first.clone(), false), "it waits already");
    let other = l.asked(Asks::Retraining, "drift", false);
    assert!(other.id.starts_with("retrain-"));
    let asks = |id: &str| l.chain().request(id).unwrap().unwrap().1.asks;
    assert_eq!((asks(&first.id), asks(&other.id)), (None, Some(Asks::Retraining)));
    assert_eq!(pending(&l.work).unwrap().len(), 2, "they are of two kinds");
    let second = l.asked(Asks::Promotion, "equivalent", false);
    let mut waiting = vec![second.clone(), other];
    waiting.sort_by_key(|ticket| ticket.id.clone());
    assert_eq!(pending(&l.work).unwrap(), waiting);
    assert_eq!(find(&l.work, &first.id).unwrap().status, Status::Superseded);
    assert!(l.refused(&find(&l.work, &first.id).unwrap(), "bob", at(2)).contains("a later request replaced it"));
    // The name, or a prefix that is unique.
    for name in [&second.id, "v0002", "retrain"] {
        assert!(find(&l.work, name).is_ok(), "{name}");
    }
    for name in ["", "v0003", "../approvals/x", "."] {
        assert!(
            matches!(find(&l.work, name), Err(GateError::NoRequest { pending, .. }) if pending.len() == 2),
            "{name}"
        );
    }
}

#[test]
fn who_did_not_ask_agrees_while_all_is_as_it_was() {
    let l = Loop::of(2);
    let ticket = l.asked(Asks::Promotion, "superior", false);
    let bob = |ticket: &Ticket| l.refused(ticket, "bob", at(2));
    assert_eq!(bob(&ticket), "");
    assert!(l.refused(&ticket, "ANN", at(2)).contains("another person must approve it"));
    assert_eq!(l.refused(&ticket, "bob", at(7 * 24)), "");
    assert!(l.refused(&ticket, "bob", at(1 + 7 * 24)).contains("expired at"));
    for file in ["models/v0001/scores.json", "models/v0002/scores.json", "r.csv", "mlloop.toml"] {
        let before = fs::read_to_string(l.path(file)).unwrap();
        fs::write(l.path(file), format!("{before} \n")).unwrap();
        assert!(bob(&ticket).contains("has changed since"), "{file}");
        fs::write(l.path(file), before).unwrap();
        assert_eq!(bob(&ticket), "", "{file}");
    }
    fs::write(l.path("models/v0002/more.json"), "").unwrap();
    assert!(bob(&ticket).contains("has changed since"), "a file more");
    fs::remove_file(l.path("models/v0002/more.json")).unwrap();
    assert!(
        bob(&Ticket { verdict: json!({ "verdict": "equivalent" }), ..ticket.clone() }).contains("has changed since")
    );
    // A request that is not in the chain is invalid.
    for other in [
        Ticket { expires_at: at(1000), ..ticket.clone() },
        Ticket { requested_by: None, ..ticket.clone() },
        Ticket { due_at: Some(at(1)), ..ticket.clone() },
        Ticket { digest: "d".to_owned(), ..ticket.clone() },
        Ticket { id: "v0002-00000000".to_owned(), ..ticket.clone() },
    ] {
        assert!(bob(&other).contains("differs from what the audit chain records"), "{other:?}");
    }
    let roles = Roles { production: Some(Version(2)), ..Roles::default() };
    l.record(EventKind::Promoted, json!({ "version": "v0002", "from": "v0001" }), Some(roles));
    assert!(bob(&ticket).contains("was made when v0001 was production, and v0002 is now"));
}

#[test]
fn the_digest_of_a_request_is_that_of_the_formula() {
    use crate::digest::sha256;
    let l = Loop::of(2);
    let mut text = String::new();
    for version in ["v0001", "v0002"] {
        let names = ["a", "model.bin", "notes", "scores.json", "x", "y", "z"];
        for name in names.iter().rev().filter(|name| **name != "scores.json") {
            fs::write(l.path(&format!("models/{version}/{name}")), name).unwrap();
        }
        for name in names {
            let bytes = if name == "scores.json" { "{}" } else { name };
            text += &format!("{version}/{name} {}\n", sha256(bytes.as_bytes()));
        }
    }
    let (rows, config) = (sha256(b"y\n1\n"), sha256(TOML.as_bytes()));
    text += &format!("reference {rows}\nconfig {config}\nverdict {{\"verdict\":\"superior\"}}\n");
    assert_eq!(l.wished(Asks::Promotion, "superior", false).0.digest, sha256(text.as_bytes()));
}

#[test]
fn a_rejection_is_said_once_and_completed_where_a_process_died() {
    let l = Loop::of(2);
    let ticket = l.asked(Asks::Promotion, "superior", false);
    let retraining = l.asked(Asks::Retraining, "drift", false);
    let n = l.chain().entries.len();
    let done = l.reject(&ticket.id).unwrap();
    assert_eq!((done.already, done.production, l.roles()), (false, Some(Version(1)), (Some(Version(1)), None, vec![])));
    let kept = find(&l.work, &ticket.id).unwrap();
    assert_eq!(
        (kept.status, kept.reason.as_deref(), kept.decided_by.as_deref()),
        (Status::Rejected, Some("too soon"), Some("bob"))
    );
    assert!(l.reject(&ticket.id).unwrap().already);
    assert!(l.refused(&kept, "bob", at(3)).contains("was rejected by bob"));
    // The line exists, but the file is still the old one.
    save(&l.work, &ticket).unwrap();
    assert!(l.refused(&ticket, "bob", at(3)).contains("differs from what the audit chain records"));
    assert!(l.reject(&ticket.id).unwrap().already);
    assert_eq!(find(&l.work, &ticket.id).unwrap().status, Status::Rejected);
    assert_eq!(l.chain().entries.len(), n + 1);
    let approve = |id: &str| approve(&l.work, &l.lock(), id, "bob", at(3)).unwrap_err().to_string();
    assert!(approve(&ticket.id).contains("was rejected by bob"));
    assert!(approve(&retraining.id).contains("is for a retraining, not for a promotion"));
    assert!(l.reject(&retraining.id).unwrap_err().to_string().contains("is for a retraining"));
}

#[test]
fn an_approval_that_was_carried_out_is_completed_and_not_repeated() {
    let l = Loop::of(2);
    let ticket = l.asked(Asks::Promotion, "superior", false);
    let roles = Roles { production: Some(Version(2)), previous: versions(&[1]), ..Roles::default() };
    l.record(EventKind::Promoted, json!({ "version": "v0002", "from": "v0001", "id": ticket.id }), Some(roles));
    for _ in 0..2 {
        let done = approve(&l.work, &l.lock(), &ticket.id, "bob", at(3)).unwrap();
        assert_eq!((done.already, done.production, done.pruned), (true, Some(Version(2)), vec![]));
        let kept = find(&l.work, &ticket.id).unwrap();
        assert_eq!((kept.status, kept.decided_by.as_deref()), (Status::Approved, Some("bob")));
    }
    assert!(l.reject(&ticket.id).unwrap_err().to_string().contains("was approved by bob"));
}

#[test]
fn an_announcement_holds_for_what_was_announced_and_no_longer() {
    let l = Loop::of(3);
    let ticket = l.asked(Asks::Promotion, "superior", true);
    let config = l.work.config().unwrap();
    let found = |pair: (u32, u32), now: i64| {
        announced(&l.work, &config, &l.chain(), (Version(pair.0), Version(pair.1)), at(now)).unwrap()
    };
    assert_eq!(found((1, 2), 2), Some(ticket.clone()));
    assert_eq!((found((1, 3), 2), found((3, 2), 2), found((1, 2), 1 + 7 * 24)), (None, None, None));
    fs::write(l.path("r.csv"), "y\n2\n").unwrap();
    assert_eq!(found((1, 2), 2), None, "it is no longer what people were told");
    fs::write(l.path("r.csv"), "y\n1\n").unwrap();
    save(&l.work, &Ticket { expires_at: at(1000), ..ticket.clone() }).unwrap();
    assert_eq!(found((1, 2), 2), None, "the chain says something else");
    save(&l.work, &Ticket { due_at: None, ..ticket.clone() }).unwrap();
    assert_eq!(found((1, 2), 2), None, "it waits for a person");
    save(&l.work, &ticket).unwrap();
    l.reject(&ticket.id).unwrap();
    save(&l.work, &ticket).unwrap();
    assert_eq!(found((1, 2), 2), None, "the chain says that it was rejected");
}

#[test]
fn a_file_that_is_no_request_is_an_error_with_its_path() {
    let l = Loop::of(2);
    let ticket = l.asked(Asks::Promotion, "superior", false);
    let path = l.path(&format!("approvals/{}.json", ticket.id));
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, says) in [
        ("{", "[", "not a request for approval"),
        ("\"format\": 1", "\"format\": 2", "format"),
        ("\"asks\": \"promotion\"", "\"asks\": \"retraining\"", "does not match its file name"),
        (&ticket.id[..], "v0002-00000000", "has a file name that does not match its request"),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let said = pending(&l.work).unwrap_err().to_string();
        assert!(said.contains(says) && said.contains(&ticket.id), "{to}: {said}");
    }
    fs::write(&path, &text).unwrap();
    // A half-written file, and files that are not requests.
    fs::write(l.path("approvals/.mlloop-x.json"), "{").unwrap();
    fs::write(l.path("approvals/notes.txt"), "{").unwrap();
    assert_eq!(pending(&l.work).unwrap(), std::slice::from_ref(&ticket));
    save(&l.work, &ticket).unwrap();
    assert!(!l.path("approvals/.mlloop-x.json").exists());
    assert!(ticket.is_of(" ann ") && !ticket.is_of("bob") && !Ticket { requested_by: None, ..ticket }.is_of(""));
    assert_eq!(ticket::find(&l.work, "v0002").unwrap().sentence, "it is better");
}

#[test]
fn production_changes_and_goes_back_where_it_was() {
    let l = Loop::of(3);
    let back = |to: Option<u32>| rollback(&l.work, &l.lock(), to.map(Version), None, None, at(1));
    assert!(back(None).unwrap_err().to_string().contains("v0001 is the first version in production"));
    assert!(back(Some(1)).unwrap().already);
    assert!(back(Some(2)).unwrap_err().to_string().contains("v0002 was never in production"));
    assert!(back(Some(9)).unwrap_err().to_string().contains("there is no version v0009"));
    let promote = |version: u32, from: u32| {
        let because = Because::default();
        let promoted = Promoted { version: Version(version), from: Some(Version(from)), because };
        swap::swap(&l.work, &l.lock(), at(2), Some("ann"), &promoted).unwrap();
    };
    promote(2, 1);
    assert_eq!(l.roles(), (Some(Version(2)), Some(Version(3)), versions(&[1])));
    promote(3, 2);
    assert_eq!(l.roles(), (Some(Version(3)), None, versions(&[1, 2])));
    promote(1, 3);
    assert_eq!(l.roles(), (Some(Version(1)), None, versions(&[2, 3])));
    let last = l.work.last_entry().unwrap().unwrap();
    assert_eq!((last.event, last.by.as_deref(), last.at), (EventKind::Promoted, Some("ann"), at(2)));
    // Afterwards, no earlier version is used unless it is named.
    l.record(EventKind::RolledBack, json!({ "version": "v0001", "from": "v0003" }), None);
    let done = back(None).unwrap();
    assert_eq!((done.already, done.production), (true, Version(1)));
}

#[test]
fn old_versions_go_and_those_in_use_stay() {
    let l = Loop::of(9);
    let roles = Roles {
        production: Some(Version(5)),
        challenger: Some(Version(6)),
        previous: versions(&[1, 2, 4]),
        ..Roles::default()
    };
    l.record(EventKind::Promoted, json!({ "version": "v0005", "from": "v0004" }), Some(roles));
    assert_eq!(l.prune(9), []);
    let n = l.chain().entries.len();
    // 8 and 9 are the latest two; 3 is in an experiment, 7 waits for an approval from 1.
    fs::write(l.path("ab.json"), "{\"arms\": [{\"version\": \"v0003\"}], \"name\": \"v\"}").unwrap();
    let wish = Wish {
        asks: Asks::Promotion,
        version: Version(7),
        production: Version(1),
        verdict: json!({}),
        sentence: "",
        by: None,
        now: at(1),
        due_at: None,
    };
    let (ticket, _) = wished(&l.work, &l.work.config().unwrap(), &l.chain(), wish).unwrap();
    save(&l.work, &ticket).unwrap();
    fs::create_dir(l.path("models/.mlloop-x")).unwrap();
    assert_eq!(l.prune(2), versions(&[2]));
    assert!(!l.path("models/.mlloop-x").exists());
    assert_eq!(l.registry().versions().unwrap(), versions(&[1, 3, 4, 5, 6, 7, 8, 9]));
    assert_eq!(l.roles().2, versions(&[1, 4]));
    let last = l.work.last_entry().unwrap().unwrap();
    assert_eq!((last.event, last.details), (EventKind::Pruned, json!({ "versions": ["v0002"], "keep_versions": 2 })));
    // A process crashed after writing the line: the named versions are removed without another line.
    fs::create_dir(l.path("models/v0002")).unwrap();
    fs::create_dir_all(l.path("runs/kept")).unwrap();
    fs::write(l.path("runs/kept/0.zst"), "").unwrap();
    assert_eq!((l.prune(2), l.chain().entries.len()), (versions(&[2]), n + 1));
    assert!(!l.path("models/v0002").exists() && !l.path("runs/kept/0.zst").exists());
    fs::write(l.path("ab.json"), "{").unwrap();
    let said = prune::prune(&l.work, &l.lock(), 2, at(4)).unwrap_err().to_string();
    assert!(said.contains("ab.json") && said.contains("the versions that it needs are unknown"), "{said}");
}
