//! `integration load [FILTER]`: many containers at once, many one after the other, and hosts with too little of something.
//!
//! One test at a time, since each looks at what the whole host has. `DAVIT_LOAD=full` makes them as large as they are meant to
//! be; without it they take a fraction of the time. Each prints what it measured, and judges no times.

use crate::harness::bundle::Container;
use crate::harness::call::{Call, LIMIT, Output};
use crate::harness::cgroups::need_controller;
use crate::harness::runtime::RUNTIME;
use crate::harness::runtime::only_davit;
use crate::harness::trial::tests;
use crate::harness::unshared::{apart, mount_tmpfs};
use crate::harness::{kernel, trial};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::ExitCode,
    sync::Barrier,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

/// How many work at the same time.
const HANDS: usize = 8;

/// `words` are the test runner's: filters and options.
pub(crate) fn main(words: Vec<String>) -> ExitCode {
    trial::run(
        words.into_iter(),
        1,
        tests![
            many_are_alive_at_once,
            many_creates_at_once,
            one_id_raced_for,
            many_runs_leave_nothing,
            killed_creates_are_deleted,
            a_full_disk_under_the_state_root,
            a_read_only_state_root,
            a_memory_limit_too_low,
        ],
    )
}

/// `large` where time does not matter.
fn size(small: usize, large: usize) -> usize {
    if std::env::var("DAVIT_LOAD").is_ok_and(|word| word == "full") { large } else { small }
}

/// What is measured goes to standard error, one line each: what it is about, the runtime with its version, the kernel, the text.
fn tell(about: &str, text: &str) {
    tell_of(&RUNTIME, about, text);
}

fn tell_of(runtime: &str, about: &str, text: &str) {
    let said = Call::new(&std::env::temp_dir(), &[runtime, "--version"]).run().ok();
    let version = said.out.lines().next().unwrap_or_default().replace(" version", "");
    let (major, minor) = kernel::version();
    eprintln!("load: {about}, {version}, Linux {major}.{minor}: {text}");
}

/// Does the work on every item, several at the same time.
fn share<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..HANDS {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}

/// Containers that share the state directory of the first.
fn many(count: usize) -> Vec<Container> {
    (0..count).map(|_| Container::sleeper()).collect()
}

/// A call with the state directory of `of`.
fn call_in(of: &Container, c: &Container, words: &[&str]) -> Call {
    let state = of.state_dir();
    let mut all = vec![RUNTIME.as_str(), "--root", state.to_str().unwrap()];
    all.extend(words);
    Call::new(&c.dir, &all)
}

fn create_in(of: &Container, c: &Container) -> Call {
    c.write();
    call_in(of, c, &["create", "--bundle", c.dir.to_str().unwrap(), &c.id])
}

fn state_in(of: &Container, c: &Container) -> Value {
    let said = call_in(of, c, &["state", &c.id]).run().ok();
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{said:?}: {error}"))
}

/// The statuses that `list` tells, by id.
fn listed(of: &Container) -> BTreeMap<String, String> {
    let said = call_in(of, of, &["list", "--format", "json"]).run().ok();
    let rows: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{said:?}: {error}"));
    let word = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    rows.as_array().into_iter().flatten().map(|row| (word(row, "id"), word(row, "status"))).collect()
}

/// Deletes them all by force, and sees that nothing is left of any.
fn delete_all(of: &Container, all: &[Container]) {
    share(all, |c| drop(call_in(of, c, &["delete", "--force", &c.id]).run().ok()));
    kernel::reap_all();
    all.iter().for_each(Container::nothing_left);
    assert!(listed(of).is_empty());
}

fn many_are_alive_at_once() {
    let all = many(size(100, 500));
    let of = &all[0];
    let start = Instant::now();
    share(&all, |c| {
        create_in(of, c).run().ok();
        call_in(of, c, &["start", &c.id]).run().ok();
    });
    let made = start.elapsed();
    let now = listed(of);
    assert_eq!(now.len(), all.len());
    assert!(now.values().all(|status| status == "running"), "{now:?}");
    let start = Instant::now();
    listed(of);
    let list = start.elapsed();
    // Every second goes while the others are asked for, and the list is read in between.
    let (going, staying): (Vec<_>, Vec<_>) = all.iter().enumerate().partition(|(number, _)| number % 2 == 0);
    thread::scope(|scope| {
        scope.spawn(|| share(&going, |(_, c)| drop(call_in(of, c, &["delete", "--force", &c.id]).run().ok())));
        scope.spawn(|| share(&staying, |(_, c)| assert_eq!(state_in(of, c)["status"], "running")));
        for _ in 0..10 {
            let now = listed(of);
            assert!(staying.iter().all(|(_, c)| now.get(&c.id).is_some_and(|status| status == "running")));
        }
    });
    assert_eq!(listed(of).len(), staying.len());
    delete_all(of, &all);
    tell("all alive", &format!("{} alive at once, made in {made:.1?}; one `list` of them {list:.1?}", all.len()));
}

fn many_creates_at_once() {
    let all = many(100);
    let of = &all[0];
    let running: Vec<_> = all.iter().map(|c| create_in(of, c).spawn()).collect();
    running.into_iter().for_each(|one| drop(one.finish_within(LIMIT * 4).ok()));
    let now = listed(of);
    assert_eq!(now.len(), all.len());
    assert!(now.values().all(|status| status == "created"), "{now:?}");
    delete_all(of, &all);
    tell("creates at once", "100 creates at the same moment, each a container");
}

/// Everybody does the same at the same moment; how many succeeded, and what the others said.
fn race(calls: Vec<Call>) -> (usize, Vec<Output>) {
    let line = Barrier::new(calls.len());
    let said: Vec<Output> = thread::scope(|scope| {
        let line = &line;
        let start = |call: Call| {
            scope.spawn(move || {
                line.wait();
                call.run()
            })
        };
        let racers: Vec<_> = calls.into_iter().map(start).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = said.into_iter().partition(|said| said.status.success());
    (won.len(), lost)
}

fn one_id_raced_for() {
    let rounds = size(30, 300);
    let c = Container::sleeper();
    for _ in 0..rounds {
        let (won, lost) = race((0..HANDS).map(|_| create_in(&c, &c)).collect());
        assert_eq!(won, 1, "creates that won: {lost:?}");
        assert!(lost.iter().all(|said| said.err.contains("exist")), "{lost:?}");
        let (won, lost) = race((0..HANDS).map(|_| call_in(&c, &c, &["delete", &c.id])).collect());
        assert_eq!(won, 1, "deletes that won: {lost:?}");
        assert!(lost.iter().all(|said| said.err.contains("exist")), "{lost:?}");
        kernel::reap_all();
        c.nothing_left();
    }
    for _ in 0..rounds {
        // Whoever comes last decides what there is; each creation either stands or has left nothing.
        let creates = (0..HANDS / 2).map(|_| create_in(&c, &c));
        let deletes = (0..HANDS / 2).map(|_| call_in(&c, &c, &["delete", "--force", &c.id]));
        let (_, lost) = race(creates.chain(deletes).collect());
        // What is made while it is being deleted goes with the rest, and nobody takes away what is another's by then.
        let uncertain = |said: &Output| said.err.contains("still in it") || said.err.contains("cleaning up");
        assert!(!lost.iter().any(uncertain), "{lost:?}");
        if listed(&c).contains_key(&c.id) {
            assert_eq!(state_in(&c, &c)["status"], "created");
        }
        call_in(&c, &c, &["delete", "--force", &c.id]).run().ok();
        kernel::reap_all();
        c.nothing_left();
    }
    tell(
        "races",
        &format!("{rounds} races of {HANDS} for one id, and {rounds} of creates against deletes: one winner each time"),
    );
}

/// What a host has of that which containers use up.
#[derive(Debug)]
struct Household {
    cgroups: u64,
    dying: u64,
    mounts: usize,
    state: usize,
    run: usize,
    /// Memory of the kernel's that nobody can take back, in KiB.
    kernel: u64,
}

impl Household {
    fn of(c: &Container) -> Self {
        let parent = c.cgroup().parent().unwrap().to_owned();
        let stat = fs::read_to_string(parent.join("cgroup.stat")).unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap();
        let kernel = ["SUnreclaim:", "KernelStack:", "PageTables:", "Percpu:"];
        Self {
            cgroups: number_in(&stat, "nr_descendants"),
            dying: number_in(&stat, "nr_dying_descendants"),
            mounts: fs::read_to_string("/proc/thread-self/mountinfo").unwrap().lines().count(),
            state: entries(&c.state_dir()),
            run: entries(Path::new("/run")),
            kernel: kernel.iter().map(|name| number_in(&memory, name)).sum(),
        }
    }
}

/// The number that follows `name` at the beginning of a line.
fn number_in(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The kernel's log, from now on.
struct Log(fs::File);

impl Log {
    fn from_now() -> Self {
        let mut file = fs::File::options().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        Self(file)
    }

    /// What the kernel itself, not a program, has said since at the level of a warning or above.
    fn complaints(mut self) -> Vec<String> {
        let (mut all, mut record) = (Vec::new(), [0; 8192]);
        loop {
            match self.0.read(&mut record) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(&record[..length]).into_owned();
                    let level: u32 = text.split(',').next().and_then(|level| level.parse().ok()).unwrap();
                    // Above the three bits of the level is who said it, which is 0 for the kernel.
                    if level <= 4 {
                        all.push(text);
                    }
                }
                // A log so full that it was overwritten is a complaint too.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => all.push("records were lost".into()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return all,
                Err(error) => panic!("/dev/kmsg: {error}"),
            }
        }
    }
}

/// Everything below a directory.
fn entries(of: &Path) -> usize {
    let below = |entry: fs::DirEntry| if entry.file_type().unwrap().is_dir() { entries(&entry.path()) } else { 0 };
    fs::read_dir(of).unwrap().map(|entry| 1 + below(entry.unwrap())).sum()
}

fn many_runs_leave_nothing() {
    // A /run in which nobody else makes anything.
    apart(|| {
        mount_tmpfs(Path::new("/run"));
        let runs = size(300, 10_000);
        let c = Container::new(&["/bin/true"]);
        // The parent of the container's cgroup stays, and counts what is below it.
        c.run().ok();
        for _ in 0..20 {
            c.run().ok();
        }
        let (before, log, start) = (Household::of(&c), Log::from_now(), Instant::now());
        for _ in 0..runs {
            c.run().ok();
        }
        let took = start.elapsed();
        let mut after = Household::of(&c);
        // The kernel frees what it has removed when it has the time.
        let end = Instant::now() + LIMIT;
        while (after.dying > before.dying + 16 || after.kernel > before.kernel + 65_536) && Instant::now() < end {
            thread::yield_now();
            after = Household::of(&c);
        }
        assert_eq!((after.cgroups, after.mounts), (before.cgroups, before.mounts));
        assert_eq!((after.state, after.run), (before.state, before.run));
        assert!(after.dying <= before.dying + 16, "{before:?} became {after:?}");
        assert!(after.kernel <= before.kernel + 65_536, "{before:?} became {after:?}");
        let complaints = log.complaints();
        assert!(complaints.is_empty(), "the kernel has complained: {complaints:#?}");
        tell(
            "in a row",
            &format!(
                "{runs} runs in {took:.0?}: cgroups {} and {}, dying {} and {}, mounts {} and {}, entries of /run {} and {}, \
             kernel memory {} and {} KiB, no warning in the kernel's log",
                before.cgroups,
                after.cgroups,
                before.dying,
                after.dying,
                before.mounts,
                after.mounts,
                before.run,
                after.run,
                before.kernel,
                after.kernel,
            ),
        );
    });
}

fn killed_creates_are_deleted() {
    let tries = size(100, 500);
    let c = Container::sleeper();
    let start = Instant::now();
    c.create().ok();
    let whole = start.elapsed();
    call_in(&c, &c, &["delete", "--force", &c.id]).run().ok();
    kernel::reap_all();
    let (mut made, mut seed) = (0, 1_u64);
    for number in 0..tries {
        // Any moment from before the beginning to after the end.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = whole.mul_f64((seed >> 40) as f64 / f64::from(1 << 24) * 1.2);
        let running = c.prepare("create", &[]).spawn();
        running.ends_within(moment);
        kill(Pid::from_raw(running.pid()), Signal::SIGKILL).ok();
        made += usize::from(running.finish().status.success());
        let said = c.call(&["delete", "--force", &c.id]).run();
        assert!(said.status.success(), "try {number}, killed after {moment:?}: {said:?}");
        kernel::reap_all();
        c.nothing_left();
    }
    // Not killed, it works as ever.
    c.create().ok();
    tell(
        "killed creates",
        &format!("{tries} creates killed, of which {made} were done before: nothing is left after delete --force"),
    );
}

/// Every size of disk from none to enough: a create works or says what it could not write, and leaves nothing.
fn a_full_disk_under_the_state_root() {
    apart(|| {
        let c = Container::sleeper();
        mount_tmpfs(&c.state_dir());
        let options = (0..12).map(|pages| format!("size={}k", 4 * (pages + 1)));
        let options = options.chain((1..8).map(|inodes| format!("nr_inodes={}", inodes + 1)));
        let mut failed = 0;
        for options in options {
            let (state, tmpfs) = (c.state_dir(), Some("tmpfs"));
            mount(tmpfs, &state, tmpfs, MsFlags::MS_NOSUID, Some(options.as_str())).unwrap();
            // The last page is somebody else's.
            if options.starts_with("size") {
                fs::write(state.join(".full"), [0; 4096]).unwrap();
            }
            let said = c.create();
            if said.status.success() {
                c.start().ok();
                let pid = c.pid();
                c.call(&["delete", "--force", &c.id]).run().ok();
                kernel::wait_exit(pid, LIMIT);
            } else {
                failed += 1;
                assert!(said.err.contains("no space left on device"), "{options}: {said:?}");
            }
            c.nothing_left();
            nix::mount::umount2(&state, nix::mount::MntFlags::MNT_DETACH).unwrap();
        }
        assert!(failed > 0, "no disk was too small");
        tell(
            "full disk",
            &format!(
                "of 19 sizes of a disk {failed} were too small: told with what could not be written, nothing left"
            ),
        );
    });
}

fn a_read_only_state_root() {
    apart(|| {
        let c = Container::sleeper();
        let flags = MsFlags::MS_RDONLY;
        mount(Some("tmpfs"), &c.state_dir(), Some("tmpfs"), flags, None::<&str>).unwrap();
        for verb in ["create", "run"] {
            c.prepare(verb, &[]).run().fails().says("Read-only file system");
        }
        assert!(listed(&c).is_empty());
        c.verb("state").fails();
        c.nothing_left();
        tell("read-only root", "create and run are refused, list and state work");
    });
}

/// The lowest memory limit with which `true` runs, in KiB, of this runtime; above it everything works, below it the error says why.
fn a_memory_limit_too_low() {
    need_controller("memory");
    let tried = |runtime: &str, limit: u64| -> Output {
        let c = Container::new(&["/bin/true"]).edit(|c| {
            c["linux"]["resources"]["memory"] = json!({"limit": limit * 1024, "swap": limit * 1024});
        });
        c.write();
        let (state, bundle) = (c.state_dir(), c.dir.clone());
        let words = [runtime, "--root", state.to_str().unwrap(), "run", "--bundle", bundle.to_str().unwrap(), &c.id];
        let said = Call::new(&c.dir, &words).run();
        // Another runtime may leave what it likes.
        Call::new(&c.dir, &[runtime, "--root", state.to_str().unwrap(), "delete", "--force", &c.id]).run();
        kernel::reap_all();
        fs::remove_dir(c.cgroup()).ok();
        said
    };
    // Below the lowest of them all nothing is certain: the kernel charges in batches, and a CPU may have some in stock.
    let lowest = |runtime: &str| -> u64 {
        let (mut works, mut fails) = (64 * 1024, 0);
        assert!(tried(runtime, works).status.success(), "{runtime} with 64 MiB");
        while works - fails > 64 {
            let middle = u64::midpoint(works, fails) / 4 * 4;
            if (0..5).all(|_| tried(runtime, middle).status.success()) {
                works = middle;
            } else {
                fails = middle;
            }
        }
        works
    };
    let own = lowest(&RUNTIME);
    tell("memory limit", &format!("{own} KiB are enough for true"));
    for other in ["/usr/bin/crun", "/usr/sbin/runc"].iter().filter(|other| Path::new(other).exists()) {
        if Path::new(other) != Path::new(RUNTIME.as_str()) {
            tell_of(other, "memory limit", &format!("{} KiB are enough for true", lowest(other)));
        }
    }
    only_davit("the others' words for too little memory are their own");
    for limit in (0..own).step_by(usize::try_from(own / 16).unwrap().max(4)) {
        let said = tried(&RUNTIME, limit.max(4));
        // The program itself may be what is killed, once it is executed.
        let told = said.err.contains("memory") || said.code() == 137;
        assert!(said.status.success() || told, "with {limit} KiB: {said:?}");
    }
}
