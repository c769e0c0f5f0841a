//! The stopwatch of `hack/bench`: runs the same operations with several runtimes, turn and turn about, and tells the medians.
//!
//! It knows runtimes only as programs with the usual command line, and takes from each its own `spec`. The floor (floor.c) is a
//! contestant in `run` alone. It must have cgroup v2 at /sys/fs/cgroup and be root; `hack/bench` sees to both.

mod growth;
mod spawn;
mod table;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde_json::{Value, json};

use spawn::Spawner;
use table::Row;

const USAGE: &str =
    "usage: speed --floor FILE --busybox FILE --work DIR [-n PAIRS] [--report] [--growth] NAME=RUNTIME...";

/// What is timed, in the table's order. `create + start + delete` is the sum of three commands; the wait for the program's end,
/// between the second and the third, is not in it.
const OPERATIONS: [&str; 9] =
    ["run", "create + start + delete", "create", "start", "delete", "exec", "state", "list", "kill"];
/// How often a quantity that hardly varies is looked at.
const LOOKS: usize = 5;

struct Options {
    floor: String,
    busybox: PathBuf,
    work: PathBuf,
    pairs: usize,
    markdown: bool,
    growth: bool,
    runtimes: Vec<(String, String)>,
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let (mut floor, mut busybox, mut work, mut pairs) = (None, None, None, 100);
    let (mut markdown, mut growth) = (false, false);
    let mut runtimes = Vec::new();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} wants a value\n{USAGE}"));
        match word.as_str() {
            "--floor" => floor = Some(value()?),
            "--busybox" => busybox = Some(PathBuf::from(value()?)),
            "--work" => work = Some(PathBuf::from(value()?)),
            "-n" => pairs = value()?.parse().context("-n wants a number")?,
            "--report" => markdown = true,
            "--growth" => growth = true,
            // `cargo bench` adds this to what it starts.
            "--bench" => (),
            _ => match word.split_once('=') {
                Some((name, path)) => runtimes.push((name.to_owned(), path.to_owned())),
                None => bail!("{word}: not understood\n{USAGE}"),
            },
        }
    }
    let (Some(floor), Some(busybox), Some(work)) = (floor, busybox, work) else { bail!(USAGE) };
    if runtimes.is_empty() || pairs == 0 {
        bail!(USAGE);
    }
    Ok(Options { floor, busybox, work, pairs, markdown, growth, runtimes })
}

/// A runtime with its own state directory, a bundle that runs /bin/true, and a container that waits for ever.
struct Runtime<'a> {
    spawner: &'a Spawner,
    path: &'a str,
    root: String,
    bundle: String,
    waiting_bundle: String,
    pid_file: String,
    /// A container name of its own, so that the runtimes' default cgroups never meet.
    id: String,
    waiting: String,
    /// Whether it has `exec` at all, which the specification does not ask for.
    executes: bool,
}

impl<'a> Runtime<'a> {
    fn new(spawner: &'a Spawner, options: &Options, name: &str, path: &'a str) -> Result<Self> {
        let home = options.work.join(name);
        let text = |path: PathBuf| path.into_os_string().into_string().ok().context("a path that is not UTF-8");
        let mut this = Self {
            spawner,
            path,
            root: text(home.join("state"))?,
            bundle: text(home.join("true"))?,
            waiting_bundle: text(home.join("wait"))?,
            pid_file: text(home.join("pid"))?,
            id: format!("speed-{name}"),
            waiting: format!("speed-{name}-waiting"),
            executes: false,
        };
        fs::create_dir_all(&this.root)?;
        this.write_bundle(options, &this.bundle, &json!(["/bin/true"]))?;
        this.write_bundle(options, &this.waiting_bundle, &json!(["/bin/sleep", "1000000"]))?;
        this.command(&["create", "--bundle", &this.waiting_bundle, &this.waiting])?;
        this.command(&["start", &this.waiting])?;
        match this.exec() {
            Ok(_) => this.executes = true,
            Err(error) => writeln!(std::io::stderr(), "speed: {name} has no time for exec: {error:#}")?,
        }
        Ok(this)
    }

    /// The runtime's own `spec`, with another program and no terminal, over a tree that holds that program.
    fn write_bundle(&self, options: &Options, bundle: &str, args: &Value) -> Result<()> {
        let programs = Path::new(bundle).join("rootfs/bin");
        fs::create_dir_all(&programs)?;
        for directory in ["dev", "proc", "sys"] {
            fs::create_dir_all(Path::new(bundle).join("rootfs").join(directory))?;
        }
        for program in ["true", "sleep"] {
            fs::copy(&options.busybox, programs.join(program)).context("copying busybox")?;
        }
        self.command(&["spec", "--bundle", bundle])?;
        let file = Path::new(bundle).join("config.json");
        let mut config: Value =
            serde_json::from_slice(&fs::read(&file).context("the config.json that `spec` should have written")?)?;
        config["process"]["args"] = args.clone();
        config["process"]["terminal"] = json!(false);
        fs::write(&file, serde_json::to_vec_pretty(&config)?)?;
        Ok(())
    }

    fn command(&self, words: &[&str]) -> Result<Duration> {
        self.spawner.run(&[&[self.path, "--root", &self.root], words].concat())
    }

    fn exec(&self) -> Result<Duration> {
        self.command(&["exec", &self.waiting, "/bin/true"])
    }

    /// One turn of every operation, in the order of [`OPERATIONS`]; nothing for what the runtime does not have.
    fn turn(&self) -> Result<[Option<Duration>; OPERATIONS.len()]> {
        let run = self.command(&["run", "--bundle", &self.bundle, &self.id])?;
        let create = self.command(&["create", "--bundle", &self.bundle, "--pid-file", &self.pid_file, &self.id])?;
        let start = self.command(&["start", &self.id])?;
        // The driver is the subreaper: the container's first process is its child, and can be waited for like one.
        let pid = fs::read_to_string(&self.pid_file)?.trim().parse().context("the pid file")?;
        waitpid(Pid::from_raw(pid), None).context("waiting for the container")?;
        let delete = self.command(&["delete", &self.id])?;
        let exec = if self.executes { Some(self.exec()?) } else { None };
        let state = self.command(&["state", &self.waiting])?;
        let list = self.command(&["list"])?;
        let kill = self.command(&["kill", &self.waiting, "CONT"])?;
        let lifecycle = create + start + delete;
        let [run, lifecycle, create, start, delete] = [run, lifecycle, create, start, delete].map(Some);
        Ok([run, lifecycle, create, start, delete, exec, Some(state), Some(list), Some(kill)])
    }

    /// System calls of one `run`, everything it starts included, or nothing where strace cannot be run.
    fn system_calls(&self, work: &Path) -> Result<Option<f64>> {
        let Some(strace) =
            ["/usr/bin/strace", "/usr/local/bin/strace"].into_iter().find(|path| Path::new(path).exists())
        else {
            return Ok(None);
        };
        let counts = work.join("strace");
        let out = counts.to_str().context("a path that is not UTF-8")?;
        let command = [self.path, "--root", &self.root, "run", "--bundle", &self.bundle, &self.id];
        self.spawner.run(&[&[strace, "-f", "-c", "-U", "calls,name", "-o", out], &command[..]].concat())?;
        let counts = fs::read_to_string(&counts)?;
        let total =
            counts.lines().find_map(|line| line.trim().strip_suffix("total")).context("strace told no total")?;
        Ok(Some(total.trim().parse()?))
    }

    /// Peak resident set, in MiB, of the largest process of one `run`.
    fn peak(&self, options: &Options) -> Result<f64> {
        let command = [self.path, "--root", &self.root, "run", "--bundle", &self.bundle, &self.id];
        peak(self.spawner, options, &command)
    }
}

impl Drop for Runtime<'_> {
    fn drop(&mut self) {
        for id in [&self.waiting, &self.id] {
            // What is left may be anything from nothing to a whole container; the first failure was told already.
            let _ = self.command(&["delete", "--force", id]);
        }
    }
}

fn peak(spawner: &Spawner, options: &Options, command: &[&str]) -> Result<f64> {
    let file = options.work.join("rss");
    let out = file.to_str().context("a path that is not UTF-8")?;
    spawner.run(&[&[options.floor.as_str(), "rss", out], command].concat())?;
    let kib: f64 = fs::read_to_string(&file)?.trim().parse()?;
    Ok(kib / 1024.0)
}

/// Those of the runtimes that work on this host, and their names.
fn able<'a>(options: &'a Options, spawner: &'a Spawner) -> Result<(Vec<&'a str>, Vec<Runtime<'a>>)> {
    let (mut runtimes, mut names) = (Vec::new(), Vec::new());
    for (name, path) in &options.runtimes {
        match Runtime::new(spawner, options, name, path) {
            Ok(runtime) => {
                runtimes.push(runtime);
                names.push(name.as_str());
            }
            // Without the first there is nothing to compare; another that cannot work on this host is only missed.
            Err(error) if runtimes.is_empty() => return Err(error),
            Err(error) => writeln!(std::io::stderr(), "speed: {name} is left out: {error:#}")?,
        }
    }
    Ok((names, runtimes))
}

/// The names of the contestants, the floor first, and the rows of the table.
fn measure(options: &Options) -> Result<(Vec<String>, Vec<Row>)> {
    let spawner = Spawner::new(&options.work);
    let (names, runtimes) = able(options, &spawner)?;
    let names: Vec<String> = std::iter::once("floor").chain(names).map(str::to_owned).collect();
    let rootfs = format!("{}/rootfs", runtimes[0].bundle);
    let floor = [&options.floor, "run", &rootfs, "/sys/fs/cgroup/speed-floor", "/bin/true"];

    let contestants = names.len();
    let mut times = vec![vec![Vec::new(); contestants]; OPERATIONS.len()];
    // The first turn of each warms the caches and is not counted; the order turns by one with every pair.
    for pair in 0..=options.pairs {
        for place in 0..contestants {
            let contestant = (place + pair) % contestants;
            let turn = match contestant {
                0 => vec![Some(spawner.run(&floor)?)],
                _ => runtimes[contestant - 1].turn()?.to_vec(),
            };
            for (operation, time) in turn.into_iter().enumerate().filter(|_| pair > 0) {
                times[operation][contestant].extend(time);
            }
        }
    }
    let mut rows: Vec<Row> =
        OPERATIONS.into_iter().zip(times).map(|(name, times)| Row::of_times(name, times)).collect();

    let repeat = |look: &dyn Fn() -> Result<f64>| (0..LOOKS).map(|_| look()).collect::<Result<Vec<_>>>();
    let mut peaks = vec![repeat(&|| peak(&spawner, options, &floor))?];
    let (mut calls, mut sizes) = (vec![Vec::new()], vec![Vec::new()]);
    for runtime in &runtimes {
        peaks.push(repeat(&|| runtime.peak(options))?);
        calls.push(runtime.system_calls(&options.work)?.into_iter().collect());
        let bytes = fs::metadata(runtime.path).with_context(|| format!("the size of {}", runtime.path))?.len();
        sizes.push(vec![bytes as f64 / f64::from(1 << 20)]);
    }
    rows.push(Row { name: "run, peak resident set", unit: "MiB", digits: 2, samples: peaks });
    rows.push(Row { name: "run, system calls", unit: "calls", digits: 0, samples: calls });
    rows.push(Row { name: "binary", unit: "MiB", digits: 2, samples: sizes });
    Ok((names, rows))
}

fn bench() -> Result<()> {
    let options = parse(std::env::args().skip(1))?;
    fs::create_dir_all(&options.work)?;
    nix::sys::prctl::set_child_subreaper(true)?;
    let (contestants, rows) = if options.growth { growth::measure(&options)? } else { measure(&options)? };
    let contestants: Vec<&str> = contestants.iter().map(String::as_str).collect();
    let first_runtime = usize::from(!options.growth);
    let draw = if options.markdown { table::markdown } else { table::text };
    std::io::stdout().write_all(draw(&contestants, first_runtime, &rows).as_bytes())?;
    Ok(())
}

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "speed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
