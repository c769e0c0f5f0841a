//! Claims on an id: one winner, and nothing left of the losers.

use crate::container::create::rollback::Rollback;
use crate::container::state::dir::{Dir, Locked};
use crate::container::state::record::VERSION;
use crate::container::{Container, Id, Process, Record, Root, Status, delete, kill, list};
use crate::report::Log;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

/// A root directory of one test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> (Self, Root) {
        let path = std::env::temp_dir().join(format!("davit-new-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        let root = Root::choose(Some(&path)).expect("a root");
        (Scratch(path), root)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn record(id: &str) -> Record {
    Record { version: VERSION, id: id.to_owned(), creator: Some(Process::this().expect("this")), ..Record::default() }
}

/// A claim of the id that makes nothing.
fn claimed<'a>(root: &Root, id: &Id, log: &'a Log) -> anyhow::Result<Rollback<'a>> {
    Rollback::claim(root, id, log, |locked| locked.write(&record(id.as_str()))).map(|(new, ())| new)
}

/// Whether somebody has the lock.
fn is_locked(directory: &std::path::Path) -> bool {
    let other = std::fs::File::open(directory).expect("is there");
    matches!(other.try_lock(), Err(std::fs::TryLockError::WouldBlock))
}

fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).expect("exists").permissions().mode() & 0o7777
}

#[test]
fn a_claim_is_exclusive_and_dropping_it_leaves_nothing() {
    let (scratch, root) = Scratch::new("exclusive");
    let (id, log) = (Id::new("web").expect("an id"), Log::default());
    let claim = claimed(&root, &id, &log).expect("the first claim");
    let second = claimed(&root, &id, &log).err().expect("the second claim fails");
    assert_eq!(second.to_string(), "container with given ID already exists");
    assert_eq!(Container::find(&root, &id).expect("is there").status, Status::Creating);
    assert_eq!((mode(&scratch.0), mode(claim.path())), (0o700, 0o711));
    assert_eq!(mode(&claim.path().join("state.json")), 0o600);
    drop(claim);
    assert_eq!(std::fs::read_dir(&scratch.0).expect("the root stays").count(), 0);
}

#[test]
fn a_kept_claim_stays_and_delete_removes_it() {
    let (scratch, root) = Scratch::new("kept");
    let (id, log) = (Id::new("web").expect("an id"), Log::default());
    claimed(&root, &id, &log).expect("a claim").keep();
    // Its creator, this process, lives: it is being created.
    let refused = delete(&root, &id, false, &log).expect_err("refuses").to_string();
    assert_eq!(refused, "cannot delete container web that is not stopped: creating");
    assert!(format!("{:#}", kill(&root, &id, 15, false).expect_err("no init")).ends_with("container not running"));
    assert_eq!(list(&root, &log).expect("lists").len(), 1);
    delete(&root, &id, true, &log).expect("force does not refuse");
    assert_eq!(std::fs::read_dir(&scratch.0).expect("the root stays").count(), 0);
    delete(&root, &id, true, &log).expect("force does not mind");
    let gone = format!("{:#}", delete(&root, &id, false, &log).expect_err("gone"));
    assert_eq!(gone, "cannot delete web: container does not exist");
}

#[test]
fn what_was_made_is_undone_newest_first_and_failures_do_not_stop_it() {
    let (_scratch, root) = Scratch::new("undo");
    let (id, log) = (Id::new("web").expect("an id"), Log::default());
    let order = Rc::new(RefCell::new(Vec::new()));
    let mut claim = claimed(&root, &id, &log).expect("a claim");
    for name in ["first", "second", "third"] {
        let order = order.clone();
        claim.on_failure(name, move || {
            order.borrow_mut().push(name);
            if name == "second" { anyhow::bail!("busy") } else { Ok(()) }
        });
    }
    drop(claim);
    assert_eq!(*order.borrow(), ["third", "second", "first"]);
    assert!(Container::find(&root, &id).is_err());
}

#[test]
fn nobody_deletes_what_is_being_undone() {
    let (_scratch, root) = Scratch::new("undo-locked");
    let (id, log) = (Id::new("web").expect("an id"), Log::default());
    let mut claim = claimed(&root, &id, &log).expect("a claim");
    let (directory, refused) = (claim.path().to_owned(), Rc::new(RefCell::new(false)));
    let seen = refused.clone();
    claim.on_failure("look", move || {
        *seen.borrow_mut() = is_locked(&directory);
        Ok(())
    });
    drop(claim);
    assert!(*refused.borrow());
}

#[test]
fn nothing_is_deleted_while_the_planned_cgroup_is_created() {
    let (scratch, root) = Scratch::new("make-locked");
    let (id, log) = (Id::new("web").expect("an id"), Log::default());
    let directory = scratch.0.join("web");
    let (new, locked) = Rollback::claim(&root, &id, &log, |_| Ok(is_locked(&directory))).expect("a claim");
    assert!(locked);
    assert!(!is_locked(new.path()));
    drop(new);
    let fails = |locked: &Locked<'_>| -> anyhow::Result<()> {
        locked.write(&record("web"))?;
        anyhow::bail!("no room")
    };
    assert!(Rollback::claim(&root, &id, &log, fails).is_err());
    assert!(!directory.exists());
}

#[test]
fn a_directory_of_another_container_is_not_claimed() {
    let (_scratch, root) = Scratch::new("anothers");
    let (id, log) = (Id::new("web").expect("an id"), Log::default());
    let other = claimed(&root, &id, &log).expect("a claim");
    let ours = Dir::open(&root, &id).expect("opens").expect("is there");
    let taken = ours.lock_new().expect_err("is not ours").to_string();
    assert_eq!(taken, "container with given ID already exists");
    other.write(&record("web")).expect("writes the record");
    delete(&root, &id, true, &log).expect("force");
    let gone = ours.lock_new().expect_err("is gone").to_string();
    assert_eq!(gone, "the container was deleted while it was being created");
    let _successor = claimed(&root, &id, &log).expect("the id is free");
    assert_eq!(ours.peek().expect("is readable"), None);
}

#[test]
fn what_a_deletion_has_taken_away_is_not_undone_again() {
    let (_scratch, root) = Scratch::new("deleted");
    let (id, log) = (Id::new("web").expect("an id"), Log::default());
    for (deleted, undone) in [(false, vec!["recorded", "unknown to it"]), (true, vec!["unknown to it"])] {
        let order = Rc::new(RefCell::new(Vec::new()));
        let mut claim = claimed(&root, &id, &log).expect("a claim");
        let push = |name| {
            let order = order.clone();
            move || {
                order.borrow_mut().push(name);
                Ok(())
            }
        };
        claim.on_failure("forget", push("unknown to it"));
        claim.unless_deleted("remove", push("recorded"));
        if deleted {
            delete(&root, &id, true, &log).expect("force");
        }
        assert_eq!(claim.undo(), !deleted);
        assert_eq!(*order.borrow(), undone);
    }
}

#[test]
fn a_claim_that_was_deleted_neither_writes_to_nor_removes_its_successor() {
    let (_scratch, root) = Scratch::new("successor");
    let (id, log) = (Id::new("web").expect("an id"), Log::default());
    let old = claimed(&root, &id, &log).expect("a claim");
    delete(&root, &id, true, &log).expect("force");
    let new = claimed(&root, &id, &log).expect("the id is free");
    let error = old.write(&record("web")).expect_err("is over").to_string();
    assert_eq!(error, "the container was deleted while it was being created");
    let error = old.prepare(&record("web"), b"old").expect_err("is over").to_string();
    assert_eq!(error, "the container was deleted while it was being created");
    old.settle().expect_err("is over");
    new.prepare(&record("web"), b"new").expect("prepares");
    drop(old);
    assert_eq!(std::fs::read(new.path().join("config.json")).expect("is there"), b"new");
}

#[test]
fn a_prepared_record_becomes_visible_when_settled() {
    let (_scratch, root) = Scratch::new("settled");
    let (id, log) = (Id::new("web").expect("an id"), Log::default());
    let claim = claimed(&root, &id, &log).expect("a claim");
    let record_of_init = Record { creator: None, init: Some(Process::this().expect("this")), ..record("web") };
    claim.prepare(&record_of_init, b"{}").expect("prepares");
    assert_eq!(Container::find(&root, &id).expect("is there").status, Status::Creating);
    claim.settle().expect("settles");
    assert_eq!(Container::find(&root, &id).expect("is there").status, Status::Running);
    assert_eq!(mode(&claim.path().join("config.json")), 0o600);
    assert_eq!(std::fs::read(claim.path().join("config.json")).expect("is there"), b"{}");
}

#[test]
fn a_directory_without_a_record_can_be_deleted() {
    let (scratch, root) = Scratch::new("empty");
    let (id, log) = (Id::new("web").expect("an id"), Log::default());
    std::fs::create_dir_all(scratch.0.join("web")).expect("a directory");
    assert!(Container::find(&root, &id).is_err());
    assert!(list(&root, &log).expect("lists").is_empty());
    delete(&root, &id, false, &log).expect("deletes");
    assert!(!scratch.0.join("web").exists());
}

#[test]
fn a_broken_record_is_told_with_its_place_and_does_not_hide_the_others() {
    let (scratch, root) = Scratch::new("broken");
    let (id, log) = (Id::new("web").expect("an id"), Log::default());
    std::fs::create_dir_all(scratch.0.join("web")).expect("a directory");
    std::fs::write(scratch.0.join("web/state.json"), "{\"version\":1,\n\"id\":7}").expect("a file");
    claimed(&root, &Id::new("good").expect("an id"), &log).expect("a claim").keep();
    let error = format!("{:#}", Container::find(&root, &id).expect_err("is broken"));
    assert!(
        error.contains("web/state.json: invalid type: integer `7`, expected a string at line 2 column 6"),
        "{error}"
    );
    assert_eq!(list(&root, &log).expect("lists").len(), 1);
}
