//! Against real servers on loopback.
#![expect(clippy::disallowed_methods, reason = "tests write what they damage")]

mod servers;

use self::servers::{REFUSING, Smtp, certified, forgetful, hanging, http};
use super::*;
use std::path::Path;
use std::time::{Duration, Instant};

const NOW: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

fn later(minutes: i64) -> jiff::Timestamp {
    NOW.checked_add(jiff::SignedDuration::from_mins(minutes)).unwrap()
}

fn settings(toml: &str) -> NoticeSettings {
    let settings: NoticeSettings = toml::from_str(toml).unwrap();
    settings.check().unwrap();
    settings
}

fn mail(port: u16, tls: &str) -> NoticeSettings {
    settings(&format!(
        "channels = ['email']\ntimeout_seconds = 2.0\n[email]\nhost = '127.0.0.1'\nport = {port}\ntls = '{tls}'\nca = 'ca.pem'\n\
         from = 'mlloop <loop@example.org>'\nto = ['a@example.org', 'b@example.org']"
    ))
}

fn hook(port: u16) -> (NoticeSettings, Secrets) {
    let url = Secret::new(format!("http://127.0.0.1:{port}/hook/secret-part"));
    let settings = settings("channels = ['webhook']\ntimeout_seconds = 1.0");
    (settings, Secrets { webhook: Some(url), ..Secrets::default() })
}

fn promoted() -> Vec<Notice> {
    vec![Notice::new(Kind::Promoted, "v0002", "v0002 is production").with("roc_auc 0.81 → 0.84 <b> & more")]
}

fn outbox(dir: &Path) -> Outbox {
    Outbox::new(dir.join("runs"), "churn")
}

/// Queues the notice and delivers due messages.
fn send(dir: &Path, settings: &NoticeSettings, secrets: &Secrets, now: jiff::Timestamp) -> Delivery {
    outbox(dir).deliver(settings, secrets, dir, now).unwrap()
}

fn queued(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir.join("runs/outbox")) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".json")).collect()
}

#[test]
fn a_webhook_takes_what_slack_takes() {
    let dir = tempfile::tempdir().unwrap();
    let (port, heard) = http(200);
    let (settings, secrets) = hook(port);
    outbox(dir.path()).queue(&settings, &promoted(), NOW).unwrap();
    assert_eq!(queued(dir.path()).len(), 1);
    let delivery = send(dir.path(), &settings, &secrets, NOW);
    assert_eq!(delivery, Delivery { sent: 1, ..Delivery::default() });
    assert!(queued(dir.path()).is_empty());
    let body: serde_json::Value = serde_json::from_str(&heard.lock().unwrap()[0]).unwrap();
    let text = "[mlloop churn] v0002 is production\nroc_auc 0.81 → 0.84 &lt;b&gt; &amp; more";
    assert_eq!(body, serde_json::json!({ "text": text }));
}

#[test]
fn a_signed_event_stands_beside_the_text_and_is_known_when_it_comes_twice() {
    let dir = tempfile::tempdir().unwrap();
    // The first response is lost, the second is incomplete.
    let (port, heard) = forgetful();
    let (settings, mut secrets) = hook(port);
    outbox(dir.path()).queue(&settings, &promoted(), NOW).unwrap();
    for wrong in ["whsec_c2hvcnQ=", "no base64"] {
        secrets.webhook_secret = Some(Secret::new(wrong));
        let trouble = send(dir.path(), &settings, &secrets, NOW).trouble.remove(0);
        assert!(trouble.contains("MLLOOP_WEBHOOK_SECRET") && !trouble.contains(wrong), "{trouble}");
        std::fs::remove_dir_all(dir.path().join("runs/outbox")).unwrap();
        outbox(dir.path()).queue(&settings, &promoted(), NOW).unwrap();
    }
    secrets.webhook_secret = Some(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    assert_eq!(send(dir.path(), &settings, &secrets, later(1)).waiting, 1);
    assert_eq!(send(dir.path(), &settings, &secrets, later(3)).sent, 1);
    let heard = heard.lock().unwrap();
    let header = |n: usize, name: &str| {
        let line = heard[n].lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:"))).unwrap();
        line[name.len() + 1..].trim().to_owned()
    };
    assert_eq!((heard.len(), header(0, "webhook-id")), (2, header(1, "webhook-id")), "the same, known by its id");
    assert_eq!((header(0, "webhook-timestamp"), header(1, "webhook-timestamp")), ("60".to_owned(), "180".to_owned()));
    assert_ne!(header(0, "webhook-signature"), header(1, "webhook-signature"));
    let body: serde_json::Value = serde_json::from_str(heard[1].split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!((&body["type"], &body["timestamp"]), (&"promoted".into(), &"1970-01-01T00:00:00Z".into()));
    assert_eq!((&body["data"]["loop"], &body["data"]["subject"]), (&"churn".into(), &"v0002 is production".into()));
    assert!(body["text"].as_str().unwrap().starts_with("[mlloop churn] v0002 is production\n"));
}

#[test]
fn a_server_that_fails_is_tried_again_later_and_tells_no_secret() {
    let (redirecting, _) = http(302);
    let (failing, _) = http(500);
    for port in [failing, redirecting, REFUSING, hanging()] {
        let dir = tempfile::tempdir().unwrap();
        let (settings, secrets) = hook(port);
        outbox(dir.path()).queue(&settings, &promoted(), NOW).unwrap();
        let begun = Instant::now();
        let delivery = send(dir.path(), &settings, &secrets, NOW);
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!((delivery.sent, delivery.waiting, delivery.trouble.len()), (0, 1, 1), "{delivery:?}");
        let file = std::fs::read_to_string(dir.path().join("runs/outbox").join(&queued(dir.path())[0])).unwrap();
        for text in [&delivery.trouble[0], &file, &format!("{secrets:?}")] {
            assert!(!text.contains("secret-part"), "{text}");
        }
        // Not before two minutes have passed, then after four more.
        assert_eq!(send(dir.path(), &settings, &secrets, later(1)).trouble, Vec::<String>::new());
        assert_eq!(send(dir.path(), &settings, &secrets, later(2)).trouble.len(), 1);
        assert_eq!(send(dir.path(), &settings, &secrets, later(5)).trouble.len(), 0);
        // It works again.
        let (port, heard) = http(200);
        let (_, secrets) = hook(port);
        let delivery = send(dir.path(), &settings, &secrets, later(6));
        assert_eq!((delivery.sent, &delivery.trouble), (1, &Vec::new()));
        assert_eq!(heard.lock().unwrap().len(), 1);
        assert!(queued(dir.path()).is_empty());
    }
}

#[test]
fn an_old_message_is_dropped_and_a_broken_channel_is_called_once_in_a_round() {
    let dir = tempfile::tempdir().unwrap();
    let (port, heard) = http(500);
    let (settings, secrets) = hook(port);
    let mut notices = promoted();
    notices.push(Notice::new(Kind::RolledBack, "v0001", "v0001 is back"));
    outbox(dir.path()).queue(&settings, &notices, NOW).unwrap();
    let delivery = send(dir.path(), &settings, &secrets, NOW);
    assert_eq!((delivery.waiting, heard.lock().unwrap().len()), (2, 1));
    let delivery = send(dir.path(), &settings, &secrets, later(73 * 60));
    assert_eq!((delivery.sent, delivery.waiting), (0, 0));
    assert!(delivery.trouble[0].starts_with("dropped after 73 hours: [mlloop churn]"), "{delivery:?}");
    assert!(queued(dir.path()).is_empty());
    std::fs::write(dir.path().join("runs/outbox/promoted-1.json"), "{").unwrap();
    assert_eq!(send(dir.path(), &settings, &secrets, NOW).trouble.len(), 1);
    assert!(queued(dir.path()).is_empty());
}

#[test]
fn mail_goes_out_in_the_clear_only_without_a_password_or_at_home() {
    let dir = tempfile::tempdir().unwrap();
    let (port, mails) = Smtp::default().start();
    let mut settings = mail(port, "none");
    outbox(dir.path()).queue(&settings, &promoted(), NOW).unwrap();
    assert_eq!(send(dir.path(), &settings, &Secrets::default(), NOW).trouble, Vec::<String>::new());
    let mail = mails.lock().unwrap()[0].clone();
    for line in
        ["Subject: [mlloop churn] v0002 is production\n", "@example.org", "Date: Thu, 01 Jan 1970", "@mlloop>\n"]
    {
        assert!(mail.contains(line), "{mail}");
    }
    if let Some(email) = &mut settings.email {
        email.host = "mail.example.org".to_owned();
    }
    let secrets = login("loop", "hunter2");
    outbox(dir.path()).queue(&settings, &promoted(), NOW).unwrap();
    let delivery = send(dir.path(), &settings, &secrets, NOW);
    assert!(delivery.trouble[0].contains("a password is not sent over an unencrypted connection"), "{delivery:?}");
}

#[test]
fn a_mail_reads_as_text_and_as_a_page_and_carries_the_picture() {
    use base64::Engine;
    let dir = tempfile::tempdir().unwrap();
    let (port, mails) = Smtp::default().start();
    let settings = mail(port, "none");
    let png = [0x89, b'P', b'N', b'G', 0, 1, 2, 255];
    let notice = Notice::new(Kind::DriftOnset, "x", "drift began: a<b").with("- a<b drifted\n- c drifted\nWhy & how.");
    let notice = Notice { picture: Some("reports/p.png".into()), ..notice };
    let send_one = || {
        outbox(dir.path()).queue(&settings, std::slice::from_ref(&notice), NOW).unwrap();
        assert_eq!(send(dir.path(), &settings, &Secrets::default(), NOW).trouble, Vec::<String>::new());
        mails.lock().unwrap().last().unwrap().replace("\r\n", "\n")
    };
    let without = send_one();
    assert!(without.contains("multipart/alternative") && !without.contains("image/png"), "{without}");
    std::fs::create_dir(dir.path().join("reports")).unwrap();
    std::fs::write(dir.path().join("reports/p.png"), png).unwrap();
    let sent = send_one();
    let text = "drift began: a<b\n- a<b drifted\n- c drifted\nWhy & how.\n";
    let page = "<h3>drift began: a&lt;b</h3>\n<ul>\n<li>a&lt;b drifted</li>\n<li>c drifted</li>\n</ul>\n\
                <p>Why &amp; how.</p>\n<p><img src=\"cid:drift_report.png\"";
    assert!(sent.contains(text), "{sent}");
    assert!(sent.replace("=3D", "=").replace("=\n", "").contains(page), "{sent}");
    assert!(sent.contains("Content-ID: <drift_report.png>"), "{sent}");
    assert!(sent.contains(&base64::engine::general_purpose::STANDARD.encode(png)), "{sent}");
}

fn login(user: &str, password: &str) -> Secrets {
    Secrets { smtp_user: Some(user.to_owned()), smtp_password: Some(Secret::new(password)), ..Secrets::default() }
}

#[test]
fn mail_goes_out_by_starttls_and_tls_to_those_who_log_in() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tls) = certified(dir.path()) else { return };
    for (kind, at_once) in [("starttls", false), ("tls", true)] {
        let server = Smtp {
            tls: Some(std::sync::Arc::clone(&tls)),
            at_once,
            login: Some(("loop".to_owned(), "hunter2".to_owned())),
        };
        let (port, mails) = server.start();
        let settings = mail(port, kind);
        outbox(dir.path()).queue(&settings, &promoted(), NOW).unwrap();
        let delivery = send(dir.path(), &settings, &login("loop", "wrong-word"), NOW);
        assert!(delivery.trouble[0].contains("535"), "{delivery:?}");
        let file = std::fs::read_to_string(dir.path().join("runs/outbox").join(&queued(dir.path())[0])).unwrap();
        assert!(!delivery.trouble[0].contains("wrong-word") && !file.contains("wrong-word"), "{delivery:?} {file}");
        let delivery = send(dir.path(), &settings, &login("loop", "hunter2"), later(10));
        assert_eq!((delivery.sent, &delivery.trouble), (1, &Vec::new()), "{kind}");
        assert_eq!(mails.lock().unwrap().len(), 1);
    }
}

#[test]
fn a_server_without_starttls_or_with_a_strange_certificate_gets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tls) = certified(dir.path()) else { return };
    let (plain, heard_plain) = Smtp::default().start();
    let (strange, heard_strange) = Smtp { tls: Some(tls), at_once: true, login: None }.start();
    for (port, kind) in [(plain, "starttls"), (strange, "tls")] {
        let mut settings = mail(port, kind);
        if let (Some(email), "tls") = (&mut settings.email, kind) {
            email.ca = None;
        }
        outbox(dir.path()).queue(&settings, &promoted(), NOW).unwrap();
        assert_eq!(send(dir.path(), &settings, &login("loop", "hunter2"), NOW).trouble.len(), 1, "{kind}");
    }
    assert!(heard_plain.lock().unwrap().is_empty() && heard_strange.lock().unwrap().is_empty());
}

#[test]
fn mail_servers_that_hang_or_refuse_cost_their_time_and_no_more() {
    for port in [hanging(), REFUSING] {
        let dir = tempfile::tempdir().unwrap();
        let settings = mail(port, "none");
        outbox(dir.path()).queue(&settings, &promoted(), NOW).unwrap();
        let begun = Instant::now();
        assert_eq!(send(dir.path(), &settings, &Secrets::default(), NOW).waiting, 1);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn what_began_is_told_once_and_so_is_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    let seen = |key: &str, open| Observation { key: key.to_owned(), open, text: format!("{key} moved") };
    let both = [seen("drift/a", Some(true)), seen("trigger/psi", Some(true)), seen("drift/b", Some(false))];
    let changes = outbox.changes(&both).unwrap();
    let notices = drift_notices(&changes, "Retrain.");
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].text, "drift began: a, psi\n- drift/a moved\n- trigger/psi moved\nRetrain.");
    outbox.remember(&changes, NOW).unwrap();
    assert_eq!(outbox.changes(&both).unwrap(), Changes::default());
    // Too few rows for a verdict: neither an end nor a beginning.
    assert_eq!(outbox.changes(&[seen("drift/a", None)]).unwrap(), Changes::default());
    let ended = outbox.changes(&[seen("drift/a", Some(false))]).unwrap();
    assert_eq!(drift_notices(&ended, "")[0].subject, "drift ended: a");
    outbox.remember(&ended, NOW).unwrap();
    // New rows are a reason to retrain, but not drift.
    let rows = outbox.changes(&[seen("trigger/new_rows", Some(true))]).unwrap();
    assert_eq!(drift_notices(&rows, "")[0].subject, "a reason to retrain: new_rows");
    let mixed = outbox.changes(&[seen("trigger/age", Some(true)), seen("drift/a", Some(true))]).unwrap();
    assert_eq!(drift_notices(&mixed, "")[0].subject, "drift began: a; a reason to retrain: age");
    let gone = Changes { began: Vec::new(), ended: rows.began };
    assert_eq!(drift_notices(&gone, "")[0].subject, "no longer a reason to retrain: new_rows");
    assert_eq!(outbox.changes(&[seen("drift/a", Some(true))]).unwrap().began.len(), 1);
}

#[test]
fn events_can_be_chosen_and_settings_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let some = settings("channels = ['webhook']\nevents = ['failed']");
    outbox(dir.path()).queue(&some, &promoted(), NOW).unwrap();
    assert!(queued(dir.path()).is_empty());
    let wrong = [
        ("channels = ['email']", "[notify.email]"),
        ("timeout_seconds = 0.0", "timeout_seconds"),
        ("[email]\nhost = 'x'\nfrom = 'nobody'\nto = ['a@b.org']", "\"nobody\" is not a mail address"),
        ("[email]\nhost = 'x'\nfrom = 'a@b.org'\nto = []", "to is empty"),
    ];
    for (toml, said) in wrong {
        let what = toml::from_str::<NoticeSettings>(toml).unwrap().check().unwrap_err();
        assert!(what.contains(said), "{what}");
    }
}
