//! Rows of one customer, which are no independent rows.

use super::{QUIET, column, fired, normal};
use crate::support::{ERROR, Loop, YES, noise};
use serde_json::Value;

/// Rows of customers, twenty of each: three numbers that are nearly the same in a customer's rows, moved by `shift`, and an outcome
/// that follows one of them.
fn customers(first: u32, n: u32, shift: f64) -> String {
    let mut text = "id,customer,a,b,c,late\n".to_owned();
    for customer in first..first + n {
        let own = |column: u32| normal(customer, 40 + column) + shift;
        for row in customer * 20..customer * 20 + 20 {
            let cell = |column: u32| own(column) + 0.2 * normal(row, column);
            let late = if cell(0) + 0.5 * normal(row, 9) > 0.5 { "yes" } else { "no" };
            text.push_str(&format!("{row},k{customer},{:.4},{:.4},{:.4},{late}\n", cell(0), cell(1), cell(2)));
        }
    }
    text
}

#[test]
fn rows_of_one_customer_count_together_where_the_loop_knows_the_customer() {
    let work = Loop::new().table("ref.csv", customers(0, 150, 0.0));
    work.run("init ref.csv --target late --kind customer=text").answers(YES);
    let split = work.read("mlloop.toml").replace("by = \"id\"", "by = \"column\"\ncolumn = \"customer\"");
    work.write("mlloop.toml", format!("{split}\n{QUIET}"));
    work.run("train").answers(YES);
    let monitor = |first: u32, shift: f64, more: &str| {
        work.write("current.csv", customers(first, 50, shift));
        work.run(&format!("monitor current.csv --formats json --multivariate {more}"))
    };
    let drift = ["drift_share", "psi", "score_drift", "multivariate"];
    for week in 0..6 {
        let report = monitor(1000 + 50 * week, 0.0, "").value();
        assert!(drift.iter().all(|name| !fired(&report, name)), "week {week}: {}", report["verdict"]);
        let names: Vec<&str> =
            report["columns"].as_array().unwrap().iter().filter_map(|c| c["name"].as_str()).collect();
        assert!(!names.contains(&"customer"), "{names:?}");
        // A thousand rows are worth little more than fifty.
        let worth = column(&report, "a")["worth"][1].as_u64().unwrap();
        assert!((20..=90).contains(&worth), "{worth}");
        let notes = report["notes"].to_string();
        assert!(notes.contains("rows of one \\\"customer\\\" are correlated"), "{notes}");
    }
    let moved = monitor(3000, 1.5, "").answers(YES).value();
    assert!(drift.iter().all(|name| fired(&moved, name)), "{}", moved["triggers"]);
    // What counting rows makes of a quiet week, and the note that says so where nobody named the column.
    work.write(
        "mlloop.toml",
        work.read("mlloop.toml").replace("by = \"column\"\ncolumn = \"customer\"", "by = \"id\""),
    );
    let alone = monitor(1000, 0.0, "").value();
    assert!(fired(&alone, "drift_share"), "{}", alone["verdict"]);
    assert!(alone["notes"].to_string().contains("entity = \\\"customer\\\" under [monitor]"), "{}", alone["notes"]);
    let named = monitor(1000, 0.0, "--set monitor.entity=customer").value();
    assert!(!fired(&named, "drift_share"), "{}", named["verdict"]);
    // Without a loop, too.
    let tables = |more: &str| {
        let alone = Loop::new().table("r.csv", customers(0, 150, 0.0)).table("c.csv", customers(1000, 50, 0.0));
        alone.run(&format!("monitor --reference r.csv c.csv {more}")).value()
    };
    assert!(fired(&tables(""), "drift_share") && !fired(&tables("--set monitor.entity=customer"), "drift_share"));
    let wrong = work.run("monitor current.csv --set monitor.entity=customr").answers(ERROR);
    assert!(wrong.stderr.contains("entity") && wrong.stderr.contains("\"customer\""), "{}", wrong.stderr);
}

/// A model that was right of nine rows in ten, in tables in which it is right of three in four.
#[test]
fn what_weekly_tables_say_of_the_loss_adds_up() {
    let labelled = |first: u32, n: u32, wrong: f64| {
        let row = |row: u32| {
            let x = noise(row, 1);
            let y = (x > 0.5) ^ (noise(row, 2) < wrong);
            format!("{row},{x:.6},{:.6},{}\n", noise(row, 3), if y { "yes" } else { "no" })
        };
        "id,x,z,y\n".to_owned() + &(first..first + n).map(row).collect::<String>()
    };
    let work = Loop::new().table("ref.csv", labelled(0, 1500, 0.1));
    work.run("init ref.csv --target y").answers(YES);
    work.run("train").answers(YES);
    let look = |first: u32, n: u32| {
        work.write("current.csv", labelled(first, n, 0.25));
        work.run("monitor current.csv --formats json").value()["alarm"].clone()
    };
    let evidence = |alarm: &Value| alarm["evidence"].as_f64().unwrap();
    let alarms: Vec<Value> = (0..8).map(|week| look(10_000 + 120 * week, 120)).collect();
    assert_eq!(alarms[7]["n"], 960);
    assert!(evidence(&alarms[7]) > 10.0 * evidence(&alarms[0]), "{alarms:?}");
    assert!(alarms.iter().all(|alarm| alarm["needed"] == alarms[0]["needed"]), "{alarms:?}");
    assert_eq!(alarms[7]["fired"], true, "{alarms:?}");
    // The same rows are no news, however the table is cut.
    assert_eq!(look(10_000, 500), alarms[7]);
    assert!(work.path("runs/alarm_v0001.json").exists());
}

/// Twenty rows of a customer are wrong together or right together: a week of 50 customers in which a quarter is wrong is no more than
/// chance where 5 are on average, however many rows they have; and in tables as in the log, nearly all of them are a fall.
#[test]
fn rows_of_one_customer_are_one_piece_of_evidence() {
    let rows = |first: u32, n_customers: u32, share_wrong: f64| {
        let row = |row: u32| {
            let (customer, x) = (first + row / 20, noise(first * 20 + row, 1));
            let wrong = noise(customer, 7) < share_wrong;
            let y = if (x > 0.5) ^ wrong { "yes" } else { "no" };
            format!("{},{x:.6},{:.6},c{customer},{y}\n", first * 20 + row, noise(first * 20 + row, 3))
        };
        "id,x,z,customer,y\n".to_owned() + &(0..n_customers * 20).map(row).collect::<String>()
    };
    let work = Loop::new().table("ref.csv", rows(0, 300, 0.1));
    work.run("init ref.csv --target y --kind customer=text").answers(YES);
    let split = work.read("mlloop.toml").replace("by = \"id\"", "by = \"column\"\ncolumn = \"customer\"");
    work.write("mlloop.toml", split);
    work.run("train --now 2026-11-01T00:00:00Z").answers(YES);
    let look = |table: String| {
        work.write("current.csv", table);
        work.run("monitor current.csv --formats json --now 2026-11-09T00:00:00Z").value()
    };
    let quiet = look(rows(1000, 50, 0.25));
    assert!(!fired(&quiet, "metric_drop") && !fired(&quiet, "recent_accuracy"), "{quiet:#}");
    assert_eq!(quiet["performance"]["n_effective"], 50.0);
    let fell = look(rows(2000, 50, 0.95));
    assert!(fired(&fell, "metric_drop") && fired(&fell, "recent_accuracy"), "{:#}", fell["triggers"]);
    // The same by the log.
    let log = |first: u32, share: f64, day: u32| {
        work.write("week.csv", rows(first, 50, share));
        let at = format!("2026-11-{day:02}T00:00:00Z");
        work.run(&format!("predict week.csv --log --outcomes -o out.csv --now {at}")).answers(YES);
        work.run("monitor --formats json --now 2026-11-30T00:00:00Z").value()
    };
    let quiet = log(3000, 0.25, 3);
    assert_eq!((&quiet["performance"]["n_effective"], &quiet["alarm"]["n"]), (&50.0.into(), &1000.into()), "{quiet:#}");
    assert!(!fired(&quiet, "metric_drop"), "{}", quiet["alarm"]);
    let fell = log(4000, 0.95, 12);
    assert!(fired(&fell, "metric_drop"), "{}", fell["alarm"]);
}
