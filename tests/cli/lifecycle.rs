//! Tests what each verb does, and what it refuses, for a container in each status.

use crate::stage::{Actor, Stage};
use std::fs;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

#[test]
fn state_prints_the_members_engines_read_in_runcs_order() {
    let (stage, actor) = (Stage::new("state"), Actor::new());
    let more = format!(r#","annotations":{{"a":"b"}},"init":{}"#, actor.as_json(0));
    stage.record("web", &more);
    let expected = format!(
        "{{\n  \"ociVersion\": \"1.3.0\",\n  \"id\": \"web\",\n  \"pid\": {},\n  \"status\": \"running\",\n  \
         \"bundle\": \"/bundles/web\",\n  \"rootfs\": \"/bundles/web/rootfs\",\n  \
         \"created\": \"2026-11-21T00:00:00.5Z\",\n  \"annotations\": {{\n    \"a\": \"b\"\n  }},\n  \"owner\": \"\"\n}}",
        actor.0.id()
    );
    assert_eq!(stage.davit(&["state", "web"]).fine(), expected);
}

/// The status and pid that `state` reports.
fn status(stage: &Stage, id: &str) -> (String, i64) {
    let value: serde_json::Value = serde_json::from_str(&stage.davit(&["state", id]).fine()).expect("JSON");
    (value["status"].as_str().expect("text").to_owned(), value["pid"].as_i64().expect("a number"))
}

#[test]
fn the_status_is_what_is_seen() {
    let (stage, mut actor) = (Stage::new("status"), Actor::new());
    let pid = i64::from(actor.0.id());
    let directory = stage.container("web", &actor);
    assert_eq!(status(&stage, "web"), ("running".to_owned(), pid));
    fs::write(directory.join("start"), "").expect("a file");
    assert_eq!(status(&stage, "web"), ("created".to_owned(), pid));
    stage.record("new", &format!(r#","creator":{}"#, actor.as_json(0)));
    assert_eq!(status(&stage, "new"), ("creating".to_owned(), 0));
    stage.record("reused", &format!(r#","init":{}"#, actor.as_json(1)));
    assert_eq!(status(&stage, "reused"), ("stopped".to_owned(), 0));
    // A zombie: it has exited, and its parent has not waited for it.
    actor.0.kill().expect("it is ours");
    stage.davit(&["kill", "web", "9"]);
    let stat = format!("/proc/{pid}/stat");
    while !fs::read_to_string(&stat).expect("a zombie has one").contains(") Z ") {
        std::thread::yield_now();
    }
    assert_eq!(status(&stage, "web"), ("stopped".to_owned(), 0));
    assert_eq!(status(&stage, "new"), ("stopped".to_owned(), 0));
}

#[test]
fn list_shows_every_container() {
    let (stage, actor) = (Stage::new("list"), Actor::new());
    stage.container("web", &actor);
    stage.record("db", "");
    let pid = actor.0.id().to_string();
    let table = stage.davit(&["list"]).fine();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    assert_eq!(rows[1], ["db", "0", "stopped", "/bundles/db", "2026-11-21T00:00:00.5Z", "root"]);
    assert_eq!(rows[2], ["web", pid.as_str(), "running", "/bundles/web", "2026-11-21T00:00:00.5Z", "root"]);
    assert_eq!(stage.davit(&["list", "--quiet"]).fine(), "db\nweb\n");
    let json: serde_json::Value = serde_json::from_str(&stage.davit(&["list", "-f", "json"]).fine()).expect("JSON");
    assert_eq!((json[0]["id"].as_str(), json[1]["owner"].as_str()), (Some("db"), Some("root")));
}

#[test]
fn a_missing_root_is_an_error_when_it_was_given() {
    let stage = Stage::new("no-root");
    let told = stage.davit(&["list"]).refused();
    assert_eq!(
        told,
        format!("cannot list containers: read the root directory {}: no such file or directory", stage.root())
    );
    fs::create_dir(stage.root()).expect("a directory");
    assert_eq!(stage.davit(&["list", "--format=json"]).fine(), "null\n");
}

#[test]
fn what_does_not_exist_is_said_in_the_words_engines_match() {
    let stage = Stage::new("gone");
    for (words, told) in [
        (&["state", "x"][..], "cannot get the state of x: container does not exist"),
        (&["kill", "x"], "cannot kill x: container does not exist"),
        (&["kill", "--all", "x", "9"], "cannot kill x: container does not exist"),
        (&["delete", "x"], "cannot delete x: container does not exist"),
        (&["pause", "x"], "cannot pause x: container does not exist"),
        (&["resume", "x"], "cannot resume x: container does not exist"),
        (&["ps", "x"], "cannot list the processes of x: container does not exist"),
    ] {
        assert_eq!(stage.davit(words).refused(), told);
    }
    assert_eq!(stage.davit(&["delete", "--force", "x"]).fine(), "");
}

#[test]
fn a_stopped_container_takes_no_signal_and_can_only_be_deleted() {
    let stage = Stage::new("stopped");
    stage.record("web", "");
    for (words, told) in [
        (&["kill", "web"][..], "cannot kill web: container not running"),
        (&["pause", "web"], "cannot pause web: container not running"),
        (&["resume", "web"], "cannot resume web: container not running"),
    ] {
        assert_eq!(stage.davit(words).refused(), told);
    }
    assert_eq!(stage.davit(&["kill", "--all", "web", "9"]).fine(), "");
    assert_eq!(stage.davit(&["ps", "--format", "json", "web"]).fine(), "[]\n");
    assert_eq!(stage.davit(&["delete", "web"]).fine(), "");
    assert!(!std::path::Path::new(&stage.root()).join("web").exists());
}

#[test]
fn kill_reaches_the_process() {
    for (word, number) in [("", SIGTERM), ("9", SIGKILL), ("SIGUSR1", 10), ("usr2", 12), ("RTMIN+1", 35)] {
        let (stage, mut actor) = (Stage::new(&format!("kill-{number}")), Actor::new());
        stage.container("web", &actor);
        assert_eq!(stage.davit(&["kill", "web", word]).fine(), "");
        assert_eq!(actor.signal(), Some(number), "{word:?}");
    }
}

#[test]
fn a_reused_pid_is_never_hit() {
    let (stage, mut actor) = (Stage::new("reused"), Actor::new());
    stage.record("web", &format!(r#","init":{}"#, actor.as_json(1)));
    assert_eq!(stage.davit(&["kill", "web", "9"]).refused(), "cannot kill web: container not running");
    assert_eq!(stage.davit(&["kill", "-a", "web", "9"]).fine(), "");
    assert_eq!(stage.davit(&["delete", "--force", "web"]).fine(), "");
    assert!(actor.lives());
}

#[test]
fn a_running_container_is_deleted_by_force_only() {
    let (stage, mut actor) = (Stage::new("delete-running"), Actor::new());
    let directory = stage.container("web", &actor);
    let told = stage.davit(&["delete", "web"]).refused();
    assert_eq!(told, "cannot delete container web that is not stopped: running");
    assert!(actor.lives() && directory.exists());
    assert_eq!(stage.davit(&["delete", "-f", "web"]).fine(), "");
    assert_eq!(actor.signal(), Some(SIGKILL));
    assert!(!directory.exists());
}

#[test]
fn a_created_container_is_killed_and_deleted() {
    let (stage, mut actor) = (Stage::new("delete-created"), Actor::new());
    let directory = stage.container("web", &actor);
    fs::write(directory.join("start"), "").expect("a file");
    assert_eq!(stage.davit(&["delete", "web"]).fine(), "");
    assert_eq!(actor.signal(), Some(SIGKILL));
    assert!(!directory.exists());
}

#[test]
fn a_container_being_created_is_ended_by_force_only() {
    let (stage, creator, mut init) = (Stage::new("creating"), Actor::new(), Actor::new());
    stage.record("web", &format!(r#","creator":{},"init":{}"#, creator.as_json(0), init.as_json(0)));
    let told = stage.davit(&["delete", "web"]).refused();
    assert_eq!(told, "cannot delete container web that is not stopped: creating");
    assert_eq!(stage.davit(&["kill", "web", "KILL"]).refused(), "cannot kill web: container not running");
    assert!(init.lives());
    assert_eq!(stage.davit(&["delete", "--force", "web"]).fine(), "");
    assert_eq!(init.signal(), Some(SIGKILL));
}

#[test]
fn of_many_deletes_one_wins() {
    let (stage, actor) = (Stage::new("race"), Actor::new());
    let directory = stage.container("web", &actor);
    fs::write(directory.join("start"), "").expect("a file");
    let racers: Vec<_> = (0..8)
        .map(|_| {
            let mut davit = crate::stage::command(env!("CARGO_BIN_EXE_davit"));
            davit.args(["--root", &stage.root(), "delete", "web"]).stderr(std::process::Stdio::piped());
            davit.spawn().expect("runs")
        })
        .collect();
    let answers: Vec<_> = racers.into_iter().map(|racer| racer.wait_with_output().expect("ends")).collect();
    let losers: Vec<_> = answers.iter().filter(|answer| !answer.status.success()).collect();
    assert_eq!(losers.len(), 7);
    for loser in losers {
        let told = String::from_utf8_lossy(&loser.stderr);
        assert_eq!(told, "error: cannot delete web: container does not exist\n");
    }
}

#[test]
fn a_corrupt_record_is_located_and_only_force_gets_rid_of_it() {
    let stage = Stage::new("corrupt");
    let file = stage.record("web", "").join("state.json");
    fs::write(&file, "{\"version\":1,\n  \"id\": 7}").expect("a file");
    let place =
        format!("cannot read {}: invalid type: integer `7`, expected a string at line 2 column 9", file.display());
    assert_eq!(stage.davit(&["state", "web"]).refused(), format!("cannot get the state of web: {place}"));
    assert_eq!(stage.davit(&["delete", "web"]).refused(), format!("cannot delete web: {place}"));
    let forced = stage.davit(&["delete", "--force", "web"]);
    assert_eq!(forced.code, Some(0));
    assert!(forced.err.starts_with("warning: processes and cgroup of web may be left"), "{}", forced.err);
    assert!(!file.exists());
}

#[test]
fn ps_shows_the_one_process_that_is_known() {
    let (stage, actor) = (Stage::new("ps-one"), Actor::new());
    stage.container("web", &actor);
    let pid = actor.0.id().to_string();
    assert_eq!(stage.davit(&["ps", "-f", "json", "web"]).fine(), format!("[{pid}]\n"));
    if crate::stage::command("ps").output().is_err() {
        #[expect(clippy::disallowed_macros, reason = "a skip says why it is one")]
        {
            eprintln!("skipped: the table of ps, because this machine has no ps(1)");
        }
        return;
    }
    let table = stage.davit(&["ps", "web", "-e", "-o", "pid,args"]).fine();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows, [vec!["PID", "COMMAND"], vec![pid.as_str(), "sleep", "1000"]]);
}
