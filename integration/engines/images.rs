//! Tests images: build, commit, and that containers do not change them.

use super::{
    Check,
    engine::{Engine, Kind},
    place::{at, fresh},
};
use crate::harness::call::Call;
use crate::harness::runtime::runtime_name;
use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
};

pub(crate) const CHECKS: &[Check] = &[
    ("images and layers", "build", build),
    ("images and layers", "a build that fails", build_fails),
    ("images and layers", "commit", commit),
    ("images and layers", "the image is unchanged", unchanged),
    ("images and layers", "cp", copy),
];
pub(crate) const DOCKER: &[Check] = &[("images and layers", "build with BuildKit", buildkit)];

/// Tests the user, directory, environment and file system of each step, and their effect on later steps.
pub(crate) const BUILD: &str = "FROM localhost/bb:latest
ENV WHO=builder
WORKDIR /work
COPY given /work/given
RUN echo $WHO >made && cat given >>made && chown -R user /work
USER user
RUN id -un >>made && echo $$ >pid
CMD cat /work/made
";
pub(crate) const BUILT: &str = "builder\ngift\nuser\n";

/// A directory with a Dockerfile and the files that it copies.
pub(crate) fn context(e: &Engine, file: &str) -> String {
    let dir = e.new_dir();
    fs::write(format!("{dir}/Dockerfile"), file).unwrap();
    fs::write(format!("{dir}/given"), "gift\n").unwrap();
    dir
}

fn build_words<'a>(e: &Engine, name: &'a str, dir: &'a str) -> Vec<&'a str> {
    let mut words = vec!["build", "--network", "none", "-t", name];
    if e.kind == Kind::Podman {
        words.push("--isolation=oci");
    }
    words.push(dir);
    words
}

/// The runtime's default root. Builders pass no root, so the runtime that they call creates it.
pub(crate) struct DefaultRoot(String);

impl DefaultRoot {
    pub(crate) fn forget(e: &Engine) -> Self {
        let root = format!("/run/{}", if e.ours { runtime_name() } else { "runc" });
        fs::remove_dir(&root).ok();
        Self(root)
    }

    #[track_caller]
    pub(crate) fn is_back(&self) {
        assert!(fs::exists(&self.0).unwrap(), "{} does not exist: the builder has used another runtime", self.0);
    }
}

fn build(e: &Engine) {
    let (name, dir) = (fresh("localhost/built"), context(e, BUILD));
    let root = DefaultRoot::forget(e);
    e.call(&build_words(e, &name, &dir)).ok();
    // Docker's builder without BuildKit creates ordinary containers, which are not in the default root.
    if e.kind == Kind::Podman {
        root.is_back();
    }
    assert_eq!(e.call(&["run", "--rm", "--network", "none", &name]).ok().out, BUILT);
}

/// Needs `--force-rm`, because by default the container of a failed step remains for inspection.
fn build_fails(e: &Engine) {
    let (name, dir) = (fresh("localhost/unbuilt"), context(e, "FROM localhost/bb:latest\nRUN exit 5\n"));
    let words = build_words(e, &name, &dir);
    let output = e.call(&[&words[..1], &["--force-rm"], &words[1..]].concat()).fails();
    assert!(output.err.contains('5') || output.out.contains('5'), "{output:?}");
}

fn commit(e: &Engine) {
    let (up, name) = (e.up(&[], "echo kept >/kept"), fresh("localhost/committed"));
    assert_eq!(e.wait(&up.name), "0");
    e.call(&["commit", &up.name, &name]).ok();
    assert_eq!(e.call(&["run", "--rm", "--network", "none", &name, "cat", "/kept"]).ok().out, "kept\n");
}

fn unchanged(e: &Engine) {
    e.sh(&[], "echo changed >/etc/passwd; rm -r /var; echo new >/new").ok();
    let output = e.sh(&[], "head -n 1 /etc/passwd; test -d /var && test ! -e /new && echo same").ok();
    assert_eq!(output.out, "root:x:0:0:root:/root:/bin/sh\nsame\n");
}

fn copy(e: &Engine) {
    let up = e.up(&[], "until test -e /tmp/given; do sleep 1; done; cat /tmp/given >/tmp/taken");
    let dir = context(e, BUILD);
    e.call(&["cp", &format!("{dir}/given"), &format!("{}:/tmp/given", up.name)]).ok();
    assert_eq!(e.wait(&up.name), "0");
    e.call(&["cp", &format!("{}:/tmp/taken", up.name), &dir]).ok();
    assert_eq!(fs::read_to_string(format!("{dir}/taken")).unwrap(), "gift\n");
}

/// Uses the daemon's API, because the command line needs a plug-in that distributions package separately.
fn buildkit(e: &Engine) {
    let mounts = "RUN --mount=type=tmpfs,target=/t --mount=type=cache,target=/c,uid=1000 grep -q ' /t tmpfs' /proc/mounts && touch /c/x\nCMD";
    let (name, dir) = (fresh("buildkit"), context(e, &BUILD.replace("CMD", mounts)));
    let tar = at(&fresh("context"));
    Call::new(&e.dir(), &["tar", "-C", &dir, "-cf", &tar, "."]).run().ok();
    let body = fs::read(&tar).unwrap();
    let root = DefaultRoot::forget(e);
    let mut stream = UnixStream::connect(e.file("docker.sock")).unwrap();
    let head = format!(
        "POST /build?version=2&t={name}&networkmode=none HTTP/1.0\r\nContent-Type: application/x-tar\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    let mut output = Vec::new();
    stream.read_to_end(&mut output).unwrap();
    let output = String::from_utf8_lossy(&output).into_owned();
    assert!(output.contains("200 OK") && !output.contains("errorDetail"), "{output}");
    assert_eq!(e.call(&["run", "--rm", "--network", "none", &name]).ok().out, BUILT);
    root.is_back();
}
