//! `integration load [FILTER]`: tests many containers in parallel, many in sequence, and hosts that lack a resource. It
//! prints times and deliberately checks none of them.
//!
//! Tests run one at a time, because each reads counters of the whole host. `DAVIT_LOAD=full` runs them at full size;
//! the default size takes a fraction of the time.

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

/// The number of parallel workers.
const WORKERS: usize = 8;

/// Runs the suite; `words` are filters and options for the test runner.
pub(crate) fn main(words: Vec<String>) -> ExitCode {
    trial::run(
        words.into_iter(),
        1,
        tests![
            many_containers_run_at_once,
            many_creates_at_once,
            races_for_one_id_have_one_winner,
            many_runs_leave_nothing,
            killed_creates_are_deleted,
            a_full_disk_under_the_state_root,
            a_read_only_state_root,
            a_memory_limit_too_low,
        ],
    )
}

/// Returns `large` for `DAVIT_LOAD=full`, otherwise `small`.
fn size(small: usize, large: usize) -> usize {
    if std::env::var("DAVIT_LOAD").is_ok_and(|word| word == "full") { large } else { small }
}

/// Prints a measurement to standard error, as one line: subject, runtime with version, kernel, text.
fn report(about: &str, text: &str) {
    report_for(&RUNTIME, about, text);
}

fn report_for(runtime: &str, about: &str, text: &str) {
    let output = Call::new(&std::env::temp_dir(), &[runtime, "--version"]).run().ok();
    let version = output.out.lines().next().unwrap_or_default().replace(" version", "");
    let (major, minor) = kernel::version();
    eprintln!("load: {about}, {version}, Linux {major}.{minor}: {text}");
}

/// Does the work on every item, in parallel.
fn share<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}

/// Returns containers for use with the state directory of the first.
fn many(count: usize) -> Vec<Container> {
    (0..count).map(|_| Container::sleeper()).collect()
}

/// Returns a call with the state directory of `of`.
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
    let output = call_in(of, c, &["state", &c.id]).run().ok();
    serde_json::from_str(&output.out).unwrap_or_else(|error| panic!("{output:?}: {error}"))
}

/// Returns the statuses that `list` prints, by id.
fn listed(of: &Container) -> BTreeMap<String, String> {
    let output = call_in(of, of, &["list", "--format", "json"]).run().ok();
    let rows: Value = serde_json::from_str(&output.out).unwrap_or_else(|error| panic!("{output:?}: {error}"));
    let word = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    rows.as_array().into_iter().flatten().map(|row| (word(row, "id"), word(row, "status"))).collect()
}

/// Deletes all containers by force, and checks for leftovers.
fn delete_all(of: &Container, all: &[Container]) {
    share(all, |c| drop(call_in(of, c, &["delete", "--force", &c.id]).run().ok()));
    kernel::reap_all();
    all.iter().for_each(Container::nothing_left);
    assert!(listed(of).is_empty());
}

fn many_containers_run_at_once() {
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
    // Deletes every second container while it reads the state of the others and the list.
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
    report("all alive", &format!("{} alive at once, made in {made:.1?}; one `list` of them {list:.1?}", all.len()));
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
    report("creates at once", "100 creates at the same moment, each a container");
}

/// Starts all calls at the same moment; returns the number of successes and the output of the failures.
fn race(calls: Vec<Call>) -> (usize, Vec<Output>) {
    let line = Barrier::new(calls.len());
    let output: Vec<Output> = thread::scope(|scope| {
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
    let (won, lost): (Vec<_>, Vec<_>) = output.into_iter().partition(|output| output.status.success());
    (won.len(), lost)
}

fn races_for_one_id_have_one_winner() {
    let rounds = size(30, 300);
    let c = Container::sleeper();
    for _ in 0..rounds {
        let (won, lost) = race((0..WORKERS).map(|_| create_in(&c, &c)).collect());
        assert_eq!(won, 1, "creates that won: {lost:?}");
        assert!(lost.iter().all(|output| output.err.contains("exist")), "{lost:?}");
        let (won, lost) = race((0..WORKERS).map(|_| call_in(&c, &c, &["delete", &c.id])).collect());
        assert_eq!(won, 1, "deletes that won: {lost:?}");
        assert!(lost.iter().all(|output| output.err.contains("exist")), "{lost:?}");
        kernel::reap_all();
        c.nothing_left();
    }
    for _ in 0..rounds {
        // The last call decides the result; each create either succeeds or leaves nothing behind.
        let creates = (0..WORKERS / 2).map(|_| create_in(&c, &c));
        let deletes = (0..WORKERS / 2).map(|_| call_in(&c, &c, &["delete", "--force", &c.id]));
        let (_, lost) = race(creates.chain(deletes).collect());
        // A delete also removes what is created meanwhile, and no call removes what belongs to another by then.
        let uncertain = |output: &Output| output.err.contains("still in it") || output.err.contains("cleaning up");
        assert!(!lost.iter().any(uncertain), "{lost:?}");
        if listed(&c).contains_key(&c.id) {
            assert_eq!(state_in(&c, &c)["status"], "created");
        }
        call_in(&c, &c, &["delete", "--force", &c.id]).run().ok();
        kernel::reap_all();
        c.nothing_left();
    }
    report(
        "races",
        &format!(
            "{rounds} races of {WORKERS} for one id, and {rounds} of creates against deletes: one winner each time"
        ),
    );
}

/// Usage of host resources that containers consume.
#[derive(Debug)]
struct HostUsage {
    cgroups: u64,
    dying: u64,
    mounts: usize,
    state: usize,
    run: usize,
    /// Unreclaimable kernel memory, in KiB.
    kernel: u64,
}

impl HostUsage {
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

/// Returns the number after `name` at the beginning of a line, or 0.
fn number_in(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The kernel log, from now on.
struct Log(fs::File);

impl Log {
    fn from_now() -> Self {
        let mut file = fs::File::options().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        Self(file)
    }

    /// Returns the messages of the kernel itself (not of programs) since then, of level warning or more severe.
    fn complaints(mut self) -> Vec<String> {
        let (mut all, mut record) = (Vec::new(), [0; 8192]);
        loop {
            match self.0.read(&mut record) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(&record[..length]).into_owned();
                    let level: u32 = text.split(',').next().and_then(|level| level.parse().ok()).unwrap();
                    // The facility is in the bits above the three bits of the level; it is 0 for the kernel.
                    if level <= 4 {
                        all.push(text);
                    }
                }
                // Overwritten records count as a complaint too.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => all.push("records were lost".into()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return all,
                Err(error) => panic!("/dev/kmsg: {error}"),
            }
        }
    }
}

/// Returns the number of entries below a directory, recursively.
fn entries(of: &Path) -> usize {
    let below = |entry: fs::DirEntry| if entry.file_type().unwrap().is_dir() { entries(&entry.path()) } else { 0 };
    fs::read_dir(of).unwrap().map(|entry| 1 + below(entry.unwrap())).sum()
}

fn many_runs_leave_nothing() {
    // Mounts a private /run, in which no other program creates files.
    apart(|| {
        mount_tmpfs(Path::new("/run"));
        let runs = size(300, 10_000);
        let c = Container::new(&["/bin/true"]);
        // The parent of the container's cgroup stays, and counts its descendants.
        c.run().ok();
        for _ in 0..20 {
            c.run().ok();
        }
        let (before, log, start) = (HostUsage::of(&c), Log::from_now(), Instant::now());
        for _ in 0..runs {
            c.run().ok();
        }
        let took = start.elapsed();
        let mut after = HostUsage::of(&c);
        // The kernel frees removed objects asynchronously.
        let end = Instant::now() + LIMIT;
        while (after.dying > before.dying + 16 || after.kernel > before.kernel + 65_536) && Instant::now() < end {
            thread::yield_now();
            after = HostUsage::of(&c);
        }
        assert_eq!((after.cgroups, after.mounts), (before.cgroups, before.mounts));
        assert_eq!((after.state, after.run), (before.state, before.run));
        assert!(after.dying <= before.dying + 16, "before {before:?}, after {after:?}");
        assert!(after.kernel <= before.kernel + 65_536, "before {before:?}, after {after:?}");
        let complaints = log.complaints();
        assert!(complaints.is_empty(), "the kernel logged warnings: {complaints:#?}");
        report(
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
        // Picks a random moment between 0 and 1.2 times the duration of a create.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = whole.mul_f64((seed >> 40) as f64 / f64::from(1 << 24) * 1.2);
        let running = c.prepare("create", &[]).spawn();
        running.ends_within(moment);
        kill(Pid::from_raw(running.pid()), Signal::SIGKILL).ok();
        made += usize::from(running.finish().status.success());
        let output = c.call(&["delete", "--force", &c.id]).run();
        assert!(output.status.success(), "try {number}, killed after {moment:?}: {output:?}");
        kernel::reap_all();
        c.nothing_left();
    }
    // A create that is not killed still works.
    c.create().ok();
    report(
        "killed creates",
        &format!("{tries} creates killed, of which {made} were done before: nothing is left after delete --force"),
    );
}

/// Tries disk sizes from too small to sufficient: a create succeeds, or reports the failed write and leaves nothing
/// behind.
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
            // Another file uses one page.
            if options.starts_with("size") {
                fs::write(state.join(".full"), [0; 4096]).unwrap();
            }
            let output = c.create();
            if output.status.success() {
                c.start().ok();
                let pid = c.pid();
                c.call(&["delete", "--force", &c.id]).run().ok();
                kernel::wait_exit(pid, LIMIT);
            } else {
                failed += 1;
                assert!(output.err.contains("no space left on device"), "{options}: {output:?}");
            }
            c.nothing_left();
            nix::mount::umount2(&state, nix::mount::MntFlags::MNT_DETACH).unwrap();
        }
        assert!(failed > 0, "no disk was too small");
        report(
            "full disk",
            &format!("of 19 disk sizes {failed} were too small: the failed write was reported, nothing left"),
        );
    });
}

fn a_read_only_state_root() {
    apart(|| {
        let c = Container::sleeper();
        let flags = MsFlags::MS_RDONLY;
        mount(Some("tmpfs"), &c.state_dir(), Some("tmpfs"), flags, None::<&str>).unwrap();
        for verb in ["create", "run"] {
            c.prepare(verb, &[]).run().fails().says("read-only file system");
        }
        assert!(listed(&c).is_empty());
        c.verb("state").fails();
        c.nothing_left();
        report("read-only root", "create and run are refused, list and state work");
    });
}

/// Measures the lowest memory limit, in KiB, with which the runtime can run `true`. Below it, the error names the
/// cause.
fn a_memory_limit_too_low() {
    need_controller("memory");
    let tried = |runtime: &str, limit: u64| -> Output {
        let c = Container::new(&["/bin/true"]).edit(|c| {
            c["linux"]["resources"]["memory"] = json!({"limit": limit * 1024, "swap": limit * 1024});
        });
        c.write();
        let (state, bundle) = (c.state_dir(), c.dir.clone());
        let words = [runtime, "--root", state.to_str().unwrap(), "run", "--bundle", bundle.to_str().unwrap(), &c.id];
        let output = Call::new(&c.dir, &words).run();
        // Another runtime may leave the container behind, so delete it in any case.
        Call::new(&c.dir, &[runtime, "--root", state.to_str().unwrap(), "delete", "--force", &c.id]).run();
        kernel::reap_all();
        fs::remove_dir(c.cgroup()).ok();
        output
    };
    // Near the limit results vary: the kernel charges memory in batches, and a CPU may have a charged reserve.
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
    report("memory limit", &format!("{own} KiB are enough for true"));
    for other in ["/usr/bin/crun", "/usr/sbin/runc"].iter().filter(|other| Path::new(other).exists()) {
        if Path::new(other) != Path::new(RUNTIME.as_str()) {
            report_for(other, "memory limit", &format!("{} KiB are enough for true", lowest(other)));
        }
    }
    only_davit("other runtimes have other error texts for too little memory");
    for limit in (0..own).step_by(usize::try_from(own / 16).unwrap().max(4)) {
        let output = tried(&RUNTIME, limit.max(4));
        // The kernel may kill the program itself after its exec.
        let reported = output.err.contains("memory") || output.code() == 137;
        assert!(output.status.success() || reported, "with {limit} KiB: {output:?}");
    }
}
