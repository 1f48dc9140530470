//! Tokens and sessions: who may sign in, for how long, and what is stored.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn ann() -> String {
    format!("# the team\nann:labeller:{}\n", hex(&Sha256::digest(b"secret")))
}

/// Sessions without storage, and those of a server that stores them in `dir`.
fn forgetful(people: People) -> Sessions {
    Sessions::new(people, [7; 32], PathBuf::from("/dev/null/sessions.json"))
}

fn keeping(people: People, dir: &Path, secret: u8) -> Sessions {
    Sessions::new(people, [secret; 32], dir.join("runs/sessions.json"))
}

#[test]
fn a_session_outlives_the_server_while_its_token_is_valid() {
    let dir = tempfile::tempdir().unwrap();
    let both = || People::parse(&ann()).unwrap().with_token("all");
    let first = keeping(both(), dir.path(), 1);
    let [ann_in, bob_in, gone] = [("", "secret"), ("bob", "all"), ("eve", "all")]
        .map(|(name, token)| first.sign_in(name, token, at(0)).unwrap());
    first.sign_out(&gone);
    let text = std::fs::read_to_string(dir.path().join("runs/sessions.json")).unwrap();
    for secret in [ann_in.as_str(), &bob_in, "secret", &first.of(&bob_in, at(1)).unwrap().csrf] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(!text.contains(&hex(&Sha256::digest(b"secret"))), "a token could be looked for");
    let next = keeping(both(), dir.path(), 2);
    let bob = next.of(&bob_in, at(1)).unwrap();
    assert_eq!((bob.name.as_str(), bob.right), ("bob", Right::Approve));
    assert!(bob.made(&first.of(&bob_in, at(1)).unwrap().csrf), "a form of before is still of this session");
    assert!(next.of(&gone, at(1)).is_none() && next.of(&bob_in, at(12 * 3600)).is_none());
    // Roles are determined on each request; a removed token opens nothing.
    let promoted = People::parse(&ann().replace("labeller", "approver")).unwrap().with_token("other");
    let later = keeping(promoted, dir.path(), 3);
    assert_eq!(later.of(&ann_in, at(1)).unwrap().right, Right::Approve);
    assert!(later.of(&bob_in, at(1)).is_none());
    let taken = format!("bob:viewer:{}\n", hex(&Sha256::digest(b"mine")));
    let named = keeping(People::parse(&taken).unwrap().with_token("all"), dir.path(), 4);
    assert!(named.of(&bob_in, at(1)).is_none(), "the name is somebody's own by now");
    std::fs::write(dir.path().join("runs/sessions.json"), "[{\"cookie\"").unwrap();
    assert!(keeping(both(), dir.path(), 5).of(&bob_in, at(1)).is_none(), "a damaged file lets nobody in");
}

#[test]
fn a_token_of_the_file_has_a_name_and_a_role() {
    let sessions = forgetful(People::parse(&ann()).unwrap().with_token("all"));
    let cookie = sessions.sign_in("eve", "secret", at(0)).unwrap();
    let session = sessions.of(&cookie, at(1)).unwrap();
    assert_eq!((session.name.as_str(), session.right), ("ann", Right::Label));
    assert_eq!(sessions.sign_in(" \n", "all", at(0)), Err(NotIn::NoName));
    assert_eq!(sessions.sign_in(" Ann ", "all", at(0)), Err(NotIn::NameTaken), "ann has a token of her own");
    let bob = sessions.of(&sessions.sign_in("bob", "all", at(0)).unwrap(), at(1)).unwrap();
    assert_eq!((bob.name.as_str(), bob.right), ("bob", Right::Approve));
    assert!(bob.made(&bob.csrf) && !bob.made(&session.csrf) && !bob.made(""));
}

#[test]
fn a_session_ends_by_time_and_by_leaving() {
    let sessions = forgetful(People::default().with_token("all"));
    let cookie = sessions.sign_in("bob", "all", at(0)).unwrap();
    assert!(sessions.of(&cookie, at(12 * 3600 - 1)).is_some());
    assert!(sessions.of(&cookie, at(12 * 3600)).is_none());
    sessions.sign_out(&cookie);
    assert!(sessions.of(&cookie, at(1)).is_none());
    assert!(sessions.of("", at(1)).is_none());
}

#[test]
fn wrong_tokens_close_the_door_for_a_minute() {
    let sessions = forgetful(People::default().with_token("all"));
    for _ in 0..MAX_TRIES {
        assert_eq!(sessions.sign_in("bob", "al", at(0)), Err(NotIn::WrongToken));
    }
    assert_eq!(sessions.sign_in("bob", "all", at(59)), Err(NotIn::TooMany));
    assert!(sessions.sign_in("bob", "all", at(60)).is_ok());
}

#[test]
fn a_line_that_is_no_key_is_named() {
    let digest = hex(&Sha256::digest(b"secret"));
    for (line, what) in [
        ("ann", "line 1: the role \"\""),
        ("ann:boss:00", "line 1: the role \"boss\""),
        ("ann:viewer:00", "line 1: the SHA-256"),
        (&format!(":viewer:{digest}"), "line 1: a name"),
        (&format!("ann:viewer:{}é", &digest[2..]), "line 1: the SHA-256"),
    ] {
        let said = People::parse(line).unwrap_err();
        assert!(said.starts_with(what), "{said}");
    }
}
