//! Tests checkpoint and restore with CRIU. Skipped, with the reason, where CRIU is missing or cannot work.

use crate::harness::bundle::{Container, wait_in};
use crate::harness::runtime::{only_davit, runtime_has};
use crate::harness::skip::skip;
use crate::harness::trial::{Test, tests};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

pub(crate) fn tests() -> Vec<Test> {
    tests![
        a_counter_goes_on_where_it_stopped,
        a_container_runs_on_with_leave_running,
        a_refused_checkpoint_leaves_the_container_running,
        an_image_with_a_link_is_refused_and_nothing_is_left,
    ]
}

/// Skips the test unless CRIU works here.
fn need_criu() {
    if !runtime_has("checkpoint") {
        skip("the runtime has no subcommand checkpoint");
    }
    match Command::new("criu").arg("check").output() {
        Err(error) => skip(format!("criu cannot be executed: {error}")),
        Ok(done) if !done.status.success() => {
            skip(format!("criu check: {}", String::from_utf8_lossy(&done.stderr).trim()))
        }
        Ok(_) => (),
    }
}

/// A running container that counts in a file.
fn counter() -> Container {
    let c = Container::sh("i=0; while :; do i=$((i+1)); echo $i >/out/count; sleep 0.05; done").up();
    wait_in(&c.root("out"), "a count", || count(&c) > 2);
    c
}

fn count(c: &Container) -> u64 {
    fs::read_to_string(c.root("out/count")).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn checkpoint(c: &Container, flags: &[&str]) -> crate::harness::call::Output {
    let image = c.dir.join("image").display().to_string();
    let mut words = vec!["checkpoint", "--image-path", &image];
    words.extend(flags);
    words.push(&c.id);
    c.call(&words).run()
}

fn restore(c: &Container) -> crate::harness::call::Output {
    let (image, bundle) = (c.dir.join("image").display().to_string(), c.dir.display().to_string());
    c.call(&["restore", "--detach", "--image-path", &image, "--bundle", &bundle, &c.id]).run()
}

fn a_counter_goes_on_where_it_stopped() {
    need_criu();
    let c = counter();
    for _ in 0..3 {
        checkpoint(&c, &[]).ok();
        let stopped_at = count(&c);
        assert!(c.call(&["state", &c.id]).run().fails().err.contains("does not exist"));
        restore(&c).ok();
        wait_in(&c.root("out"), "a higher count", || count(&c) > stopped_at);
        assert!(count(&c) < stopped_at + 200, "it began again or jumped: {stopped_at} {}", count(&c));
        assert_eq!(c.status(), "running");
    }
    c.stop();
}

fn a_container_runs_on_with_leave_running() {
    need_criu();
    let c = counter();
    let pid = c.pid();
    checkpoint(&c, &["--leave-running"]).ok();
    assert_eq!((c.status().as_str(), c.pid()), ("running", pid));
    let before = count(&c);
    wait_in(&c.root("out"), "a higher count", || count(&c) > before);
    c.stop();
}

fn a_refused_checkpoint_leaves_the_container_running() {
    only_davit("others follow a link to the image directory");
    need_criu();
    let c = counter();
    fs::create_dir(c.dir.join("elsewhere")).unwrap();
    symlink("elsewhere", c.dir.join("image")).unwrap();
    checkpoint(&c, &[]).fails().says("is a symbolic link");
    assert_eq!(c.status(), "running");
    assert_eq!(fs::read_dir(c.dir.join("elsewhere")).unwrap().count(), 0);
    c.stop();
}

fn an_image_with_a_link_is_refused_and_nothing_is_left() {
    only_davit("others follow links in the image directory");
    need_criu();
    let c = counter();
    checkpoint(&c, &[]).ok();
    let pages = c.dir.join("image/pages-1.img");
    fs::remove_file(&pages).unwrap();
    symlink("/etc/passwd", &pages).unwrap();
    restore(&c).fails().says("neither a regular file nor a directory");
    c.nothing_left();
}
