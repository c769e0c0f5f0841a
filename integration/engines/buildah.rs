//! Buildah: running in a working container, and building from a file.

use super::{
    Check,
    engine::{Engine, IMAGE},
    images,
    place::fresh,
    streams::{BURST, all_came},
};
use crate::call::Output;

pub(crate) const CHECKS: &[Check] = &[
    ("life cycle", "exit codes", exit_codes),
    ("life cycle", "programs that cannot run", cannot_run),
    ("images and layers", "build", build),
    ("images and layers", "a build that fails", build_fails),
    ("images and layers", "commit", commit),
    ("images and layers", "the image is unchanged", unchanged),
    ("logs and attach", "a burst of 10 MB", burst),
    ("logs and attach", "size of the terminal", terminal),
    ("volumes and binds", "bind, writable and not", bind),
    ("networks", "none", none),
    ("networks", "host", host),
    ("security", "--cap-add, --cap-drop", capabilities),
    ("security", "--user", user),
];

/// A working container, removed at the end.
struct Working<'a>(&'a Engine, String);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.call(&["rm", &self.1]);
    }
}

impl Working<'_> {
    fn run(&self, flags: &[&str], program: &[&str]) -> Output {
        self.0.call(&[&["run", "--network", "none"], flags, &[&self.1], program].concat())
    }

    fn sh(&self, flags: &[&str], script: &str) -> Output {
        self.run(flags, &["sh", "-c", script])
    }
}

fn from(e: &Engine) -> Working<'_> {
    let name = fresh("working");
    e.call(&["from", "--name", &name, IMAGE]).ok();
    Working(e, name)
}

fn exit_codes(e: &Engine) {
    let working = from(e);
    for code in [0, 1, 42] {
        working.sh(&[], &format!("exit {code}")).exits(code);
    }
}

fn cannot_run(e: &Engine) {
    let working = from(e);
    working.run(&[], &["nonexistent"]).fails().says("not found");
    working.run(&[], &["/etc/passwd"]).fails().says("ermission denied");
}

fn build(e: &Engine) {
    let (name, dir) = (fresh("localhost/built"), images::context(e, images::BUILD));
    e.call(&["build", "--network", "none", "-t", &name, &dir]).ok();
    let working = Working(e, fresh("working"));
    e.call(&["from", "--name", &working.1, &name]).ok();
    assert_eq!(working.run(&[], &["cat", "/work/made"]).ok().out, images::BUILT);
}

fn build_fails(e: &Engine) {
    let dir = images::context(e, "FROM localhost/bb:latest\nRUN exit 5\n");
    e.call(&["build", "--network", "none", &dir]).fails().says("5");
}

fn commit(e: &Engine) {
    let (working, name) = (from(e), fresh("localhost/committed"));
    working.sh(&[], "echo kept >/kept").ok();
    e.call(&["commit", &working.1, &name]).ok();
    let second = Working(e, fresh("working"));
    e.call(&["from", "--name", &second.1, &name]).ok();
    assert_eq!(second.run(&[], &["cat", "/kept"]).ok().out, "kept\n");
}

fn unchanged(e: &Engine) {
    from(e).sh(&[], "rm -r /var; echo spoiled >/etc/passwd").ok();
    from(e).sh(&[], "test -d /var && grep -q root /etc/passwd").ok();
}

fn burst(e: &Engine) {
    all_came(&from(e).sh(&[], BURST).ok().out);
}

fn terminal(e: &Engine) {
    let said = from(e).sh(&["-t"], "tty; exit 4").exits(4);
    assert!(said.out.contains("/dev/pts/0"), "{said:?}");
}

fn bind(e: &Engine) {
    let (dir, working) = (e.new_dir(), from(e));
    working.sh(&["-v", &format!("{dir}:/data")], "echo written >/data/file").ok();
    assert_eq!(std::fs::read_to_string(format!("{dir}/file")).unwrap(), "written\n");
    working.sh(&["-v", &format!("{dir}:/data:ro")], "echo again >/data/file").fails().says("Read-only file system");
}

fn none(e: &Engine) {
    assert_eq!(from(e).sh(&[], "ls /sys/class/net").ok().out, "lo\n");
}

fn host(e: &Engine) {
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    let working = from(e);
    let said = e.call(&["run", "--network", "host", &working.1, "readlink", "/proc/self/ns/net"]).ok();
    assert_eq!(said.line(), own.to_str().unwrap());
}

fn capabilities(e: &Engine) {
    let mask = |flags: &[&str]| {
        let said = from(e).sh(flags, "grep ^CapEff: /proc/self/status").ok();
        u64::from_str_radix(said.out.split_whitespace().last().unwrap(), 16).unwrap()
    };
    let bit = |flags: &[&str], bit: u32| mask(flags) >> bit & 1;
    let (chown, net_admin) = (0, 12);
    assert_eq!((bit(&[], chown), bit(&[], net_admin)), (1, 0));
    assert_eq!(bit(&["--cap-drop", "CAP_CHOWN"], chown), 0);
    assert_eq!(bit(&["--cap-add", "CAP_NET_ADMIN"], net_admin), 1);
}

fn user(e: &Engine) {
    assert_eq!(from(e).sh(&["--user", "user"], "id -u; id -g").ok().out, "1000\n1000\n");
}
