//! Tests what each verb does, and what it refuses, for a container in each status.

use crate::harness::{FakeInit, TestDir};
use std::fs;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

#[test]
fn state_prints_the_members_engines_read_in_runcs_order() {
    let (dir, init) = (TestDir::new("state"), FakeInit::new());
    let more = format!(r#","annotations":{{"a":"b"}},"init":{}"#, init.as_json(0));
    dir.record("web", &more);
    let expected = format!(
        "{{\n  \"ociVersion\": \"1.3.0\",\n  \"id\": \"web\",\n  \"pid\": {},\n  \"status\": \"running\",\n  \
         \"bundle\": \"/bundles/web\",\n  \"rootfs\": \"/bundles/web/rootfs\",\n  \
         \"created\": \"2026-11-21T00:00:00.5Z\",\n  \"annotations\": {{\n    \"a\": \"b\"\n  }},\n  \"owner\": \"\"\n}}",
        init.0.id()
    );
    assert_eq!(dir.davit(&["state", "web"]).ok(), expected);
}

/// The status and pid that `state` reports.
fn status(dir: &TestDir, id: &str) -> (String, i64) {
    let value: serde_json::Value = serde_json::from_str(&dir.davit(&["state", id]).ok()).expect("JSON");
    (value["status"].as_str().expect("text").to_owned(), value["pid"].as_i64().expect("a number"))
}

#[test]
fn the_status_follows_the_processes() {
    let (dir, mut init) = (TestDir::new("status"), FakeInit::new());
    let pid = i64::from(init.0.id());
    let directory = dir.container("web", &init);
    assert_eq!(status(&dir, "web"), ("running".to_owned(), pid));
    fs::write(directory.join("start"), "").expect("a file");
    assert_eq!(status(&dir, "web"), ("created".to_owned(), pid));
    dir.record("new", &format!(r#","creator":{}"#, init.as_json(0)));
    assert_eq!(status(&dir, "new"), ("creating".to_owned(), 0));
    dir.record("reused", &format!(r#","init":{}"#, init.as_json(1)));
    assert_eq!(status(&dir, "reused"), ("stopped".to_owned(), 0));
    // A zombie: it has exited, and its parent has not waited for it.
    init.0.kill().expect("it is ours");
    dir.davit(&["kill", "web", "9"]);
    let stat = format!("/proc/{pid}/stat");
    while !fs::read_to_string(&stat).expect("a zombie has one").contains(") Z ") {
        std::thread::yield_now();
    }
    assert_eq!(status(&dir, "web"), ("stopped".to_owned(), 0));
    assert_eq!(status(&dir, "new"), ("stopped".to_owned(), 0));
}

#[test]
fn list_shows_every_container() {
    let (dir, init) = (TestDir::new("list"), FakeInit::new());
    dir.container("web", &init);
    dir.record("db", "");
    let pid = init.0.id().to_string();
    let table = dir.davit(&["list"]).ok();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    assert_eq!(rows[1], ["db", "0", "stopped", "/bundles/db", "2026-11-21T00:00:00.5Z", "root"]);
    assert_eq!(rows[2], ["web", pid.as_str(), "running", "/bundles/web", "2026-11-21T00:00:00.5Z", "root"]);
    assert_eq!(dir.davit(&["list", "--quiet"]).ok(), "db\nweb\n");
    let json: serde_json::Value = serde_json::from_str(&dir.davit(&["list", "-f", "json"]).ok()).expect("JSON");
    assert_eq!((json[0]["id"].as_str(), json[1]["owner"].as_str()), (Some("db"), Some("root")));
}

#[test]
fn a_missing_root_given_by_flag_is_an_error() {
    let dir = TestDir::new("no-root");
    let error = dir.davit(&["list"]).error();
    assert_eq!(
        error,
        format!("cannot list containers: read the root directory {}: no such file or directory", dir.root())
    );
    fs::create_dir(dir.root()).expect("a directory");
    assert_eq!(dir.davit(&["list", "--format=json"]).ok(), "null\n");
}

#[test]
fn errors_for_missing_containers_have_the_text_that_engines_match() {
    let dir = TestDir::new("gone");
    for (words, expected) in [
        (&["state", "x"][..], "cannot get the state of x: container does not exist"),
        (&["kill", "x"], "cannot kill x: container does not exist"),
        (&["kill", "--all", "x", "9"], "cannot kill x: container does not exist"),
        (&["delete", "x"], "cannot delete x: container does not exist"),
        (&["pause", "x"], "cannot pause x: container does not exist"),
        (&["resume", "x"], "cannot resume x: container does not exist"),
        (&["ps", "x"], "cannot list the processes of x: container does not exist"),
    ] {
        assert_eq!(dir.davit(words).error(), expected);
    }
    assert_eq!(dir.davit(&["delete", "--force", "x"]).ok(), "");
}

#[test]
fn a_stopped_container_can_only_be_deleted() {
    let dir = TestDir::new("stopped");
    dir.record("web", "");
    for (words, expected) in [
        (&["kill", "web"][..], "cannot kill web: container not running"),
        (&["pause", "web"], "cannot pause web: container not running"),
        (&["resume", "web"], "cannot resume web: container not running"),
    ] {
        assert_eq!(dir.davit(words).error(), expected);
    }
    assert_eq!(dir.davit(&["kill", "--all", "web", "9"]).ok(), "");
    assert_eq!(dir.davit(&["ps", "--format", "json", "web"]).ok(), "[]\n");
    assert_eq!(dir.davit(&["delete", "web"]).ok(), "");
    assert!(!std::path::Path::new(&dir.root()).join("web").exists());
}

#[test]
fn kill_reaches_the_process() {
    for (word, number) in [("", SIGTERM), ("9", SIGKILL), ("SIGUSR1", 10), ("usr2", 12), ("RTMIN+1", 35)] {
        let (dir, mut init) = (TestDir::new(&format!("kill-{number}")), FakeInit::new());
        dir.container("web", &init);
        assert_eq!(dir.davit(&["kill", "web", word]).ok(), "");
        assert_eq!(init.signal(), Some(number), "{word:?}");
    }
}

#[test]
fn a_reused_pid_is_never_signalled() {
    let (dir, mut init) = (TestDir::new("reused"), FakeInit::new());
    dir.record("web", &format!(r#","init":{}"#, init.as_json(1)));
    assert_eq!(dir.davit(&["kill", "web", "9"]).error(), "cannot kill web: container not running");
    assert_eq!(dir.davit(&["kill", "-a", "web", "9"]).ok(), "");
    assert_eq!(dir.davit(&["delete", "--force", "web"]).ok(), "");
    assert!(init.lives());
}

#[test]
fn a_running_container_is_deleted_only_by_force() {
    let (dir, mut init) = (TestDir::new("delete-running"), FakeInit::new());
    let directory = dir.container("web", &init);
    let error = dir.davit(&["delete", "web"]).error();
    assert_eq!(error, "cannot delete container web that is not stopped: running");
    assert!(init.lives() && directory.exists());
    assert_eq!(dir.davit(&["delete", "-f", "web"]).ok(), "");
    assert_eq!(init.signal(), Some(SIGKILL));
    assert!(!directory.exists());
}

#[test]
fn a_created_container_is_killed_and_deleted() {
    let (dir, mut init) = (TestDir::new("delete-created"), FakeInit::new());
    let directory = dir.container("web", &init);
    fs::write(directory.join("start"), "").expect("a file");
    assert_eq!(dir.davit(&["delete", "web"]).ok(), "");
    assert_eq!(init.signal(), Some(SIGKILL));
    assert!(!directory.exists());
}

#[test]
fn a_container_being_created_is_deleted_only_by_force() {
    let (dir, creator, mut init) = (TestDir::new("creating"), FakeInit::new(), FakeInit::new());
    dir.record("web", &format!(r#","creator":{},"init":{}"#, creator.as_json(0), init.as_json(0)));
    let error = dir.davit(&["delete", "web"]).error();
    assert_eq!(error, "cannot delete container web that is not stopped: creating");
    assert_eq!(dir.davit(&["kill", "web", "KILL"]).error(), "cannot kill web: container not running");
    assert!(init.lives());
    assert_eq!(dir.davit(&["delete", "--force", "web"]).ok(), "");
    assert_eq!(init.signal(), Some(SIGKILL));
}

#[test]
fn one_of_many_concurrent_deletes_succeeds() {
    let (dir, init) = (TestDir::new("race"), FakeInit::new());
    let directory = dir.container("web", &init);
    fs::write(directory.join("start"), "").expect("a file");
    let racers: Vec<_> = (0..8)
        .map(|_| {
            let mut davit = crate::harness::command(env!("CARGO_BIN_EXE_davit"));
            davit.args(["--root", &dir.root(), "delete", "web"]).stderr(std::process::Stdio::piped());
            davit.spawn().expect("runs")
        })
        .collect();
    let answers: Vec<_> = racers.into_iter().map(|racer| racer.wait_with_output().expect("ends")).collect();
    let losers: Vec<_> = answers.iter().filter(|answer| !answer.status.success()).collect();
    assert_eq!(losers.len(), 7);
    for loser in losers {
        let error = String::from_utf8_lossy(&loser.stderr);
        assert_eq!(error, "error: cannot delete web: container does not exist\n");
    }
}

#[test]
fn a_corrupt_record_is_reported_with_its_path_and_only_force_removes_it() {
    let dir = TestDir::new("corrupt");
    let file = dir.record("web", "").join("state.json");
    fs::write(&file, "{\"version\":1,\n  \"id\": 7}").expect("a file");
    let place =
        format!("cannot read {}: invalid type: integer `7`, expected a string at line 2 column 9", file.display());
    assert_eq!(dir.davit(&["state", "web"]).error(), format!("cannot get the state of web: {place}"));
    assert_eq!(dir.davit(&["delete", "web"]).error(), format!("cannot delete web: {place}"));
    let forced = dir.davit(&["delete", "--force", "web"]);
    assert_eq!(forced.code, Some(0));
    assert!(forced.err.starts_with("warning: processes and cgroup of web may be left"), "{}", forced.err);
    assert!(!file.exists());
}

#[test]
fn ps_without_a_cgroup_shows_the_init_process() {
    let (dir, init) = (TestDir::new("ps-one"), FakeInit::new());
    dir.container("web", &init);
    let pid = init.0.id().to_string();
    assert_eq!(dir.davit(&["ps", "-f", "json", "web"]).ok(), format!("[{pid}]\n"));
    if crate::harness::command("ps").output().is_err() {
        #[expect(clippy::disallowed_macros, reason = "a skip says why it is one")]
        {
            eprintln!("skipped: the table of ps, because this machine has no ps(1)");
        }
        return;
    }
    let table = dir.davit(&["ps", "web", "-e", "-o", "pid,args"]).ok();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows, [vec!["PID", "COMMAND"], vec![pid.as_str(), "sleep", "1000"]]);
}
