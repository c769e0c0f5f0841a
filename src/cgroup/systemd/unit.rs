//! Calls org.freedesktop.systemd1.Manager to start, change and stop a scope, and waits for each job to finish. Which
//! properties are set is left to `plan::systemd_scope`.

use crate::dbus::{Bus, Call, Refused, Value};
use crate::plan::systemd_scope::Property;
use anyhow::{Context, Error, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, Instant};

/// Timeout for all calls on one connection. A host that is starting many services takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);

const SYSTEMD: &str = "org.freedesktop.systemd1";
const INTERFACE: &str = "org.freedesktop.systemd1.Manager";
const PATH: &str = "/org/freedesktop/systemd1";
const UNIT_EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// The address of the host's bus, or of the calling user's.
pub(super) fn address(user: bool) -> Result<String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    // Root of a user namespace has either its own systemd, as in a container, or the user's systemd outside.
    let is_root = crate::sys::process::effective_uid() == 0;
    if user {
        if let Some(address) = variable("DBUS_SESSION_BUS_ADDRESS") {
            return Ok(address);
        }
        let socket = variable("XDG_RUNTIME_DIR").map(|directory| Path::new(&directory).join("bus"));
        match socket {
            Some(socket) if !is_root || socket.exists() => return Ok(format!("unix:path={}", escaped(&socket))),
            None if !is_root => {
                bail!(
                    "--systemd-cgroup: the address of the user's bus is unknown; set DBUS_SESSION_BUS_ADDRESS or \
                     XDG_RUNTIME_DIR \
                     (loginctl enable-linger starts a systemd for a user who is not logged in)"
                )
            }
            _ => (),
        }
    }
    Ok(variable("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_else(|| "unix:path=/run/dbus/system_bus_socket".to_owned()))
}

/// Escapes a path for an address: all but a few characters become `%20` and the like.
fn escaped(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/.".contains(&byte);
    let bytes = path.as_os_str().as_bytes().iter();
    bytes.map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") }).collect()
}

/// A scope, as saved in the state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unit {
    /// The name of the scope.
    pub(crate) name: String,
    /// The bus address of its systemd. Saved, because `delete` may run in another environment than `create`.
    pub(crate) bus: String,
}

impl Unit {
    /// Stops the scope and resets its failed state. Succeeds if the scope no longer exists.
    pub(crate) fn stop(&self) -> Result<()> {
        let mut manager = Manager::reach(&self.bus)?;
        let stopped = manager.stop(&self.name);
        stopped.with_context(|| format!("stop {}", self.name))
    }

    /// Changes limits of the running scope.
    pub(crate) fn set(&self, properties: Vec<Property>) -> Result<()> {
        let mut manager = Manager::reach(&self.bus)?;
        let properties: Vec<_> = properties.into_iter().filter(|property| !property.at_start).collect();
        let properties = manager.known(properties)?;
        if properties.is_empty() {
            return Ok(());
        }
        let list = Value::Array("(sv)".to_owned(), properties.into_iter().map(pair).collect());
        // `true` is the argument "runtime": the changes are not persistent.
        let body = [Value::text(&self.name), Value::Bool(true), list];
        manager.call("SetUnitProperties", &body).map(drop).with_context(|| format!("change {}", self.name))
    }

    /// Has systemd move a process of the calling user into the scope or a cgroup below it. `below` is relative to the
    /// scope's cgroup; empty means that cgroup itself.
    pub(crate) fn attach(&self, below: &Path, pid: i32) -> Result<()> {
        let mut manager = Manager::reach(&self.bus)?;
        manager.means_our_pids()?;
        let below = if below.as_os_str().is_empty() { String::new() } else { format!("/{}", below.display()) };
        let pids = Value::Array("u".to_owned(), vec![Value::Uint32(pid.cast_unsigned())]);
        let attached = manager.call("AttachProcessesToUnit", &[Value::text(&self.name), Value::text(below), pids]);
        attached.map(drop).with_context(|| format!("move process {pid} into {}", self.name))
    }
}

/// A connection to systemd.
#[derive(Debug)]
pub(super) struct Manager(Bus);

impl Manager {
    /// Connects to systemd's bus. All calls on this connection must finish within [`PATIENCE`].
    pub(super) fn reach(bus: &str) -> Result<Manager> {
        let reached = Bus::open(bus, Instant::now() + PATIENCE);
        reached.map(Manager).context("--systemd-cgroup: cannot connect to systemd")
    }

    fn call(&mut self, member: &str, body: &[Value]) -> Result<Vec<Value>> {
        self.0.call(&Call { destination: SYSTEMD, path: PATH, interface: INTERFACE, member, body })
    }

    /// Reads a string property of the manager.
    pub(super) fn property(&mut self, name: &str) -> Result<String> {
        let body = [Value::text(INTERFACE), Value::text(name)];
        let interface = "org.freedesktop.DBus.Properties";
        let answer = self.0.call(&Call { destination: SYSTEMD, path: PATH, interface, member: "Get", body: &body })?;
        let text = answer.first().and_then(Value::as_text);
        Ok(text.with_context(|| format!("systemd has no property {name}"))?.to_owned())
    }

    /// Checks that systemd uses the same pid namespace. In another one, our pid would name a different process, which
    /// systemd would move into the container's scope.
    pub(super) fn means_our_pids(&mut self) -> Result<()> {
        let own = std::process::id();
        let why = match self.0.own_pid() {
            Ok(pid) if pid == own => return Ok(()),
            Ok(pid) => format!("it knows this process as {pid}, which is {own} here"),
            Err(error) if error.is::<Refused>() => format!("it cannot see this process: {error:#}"),
            Err(error) => return Err(error),
        };
        bail!("--systemd-cgroup: the bus of systemd is in another pid namespace ({why})")
    }

    /// Returns the properties that this version of systemd knows. Asks for the version only if a property needs it.
    fn known(&mut self, properties: Vec<Property>) -> Result<Vec<Property>> {
        if properties.iter().all(|property| property.since == 0) {
            return Ok(properties);
        }
        let version = version_in(&self.property("Version")?);
        Ok(properties.into_iter().filter(|property| property.since <= version).collect())
    }

    /// Has systemd create a scope with `pid` in it. Returns the job to wait for; on error there is no job.
    pub(super) fn start(
        &mut self,
        unit: &str,
        slice: &str,
        description: &str,
        pid: i32,
        limits: Vec<Property>,
    ) -> Result<Job> {
        let limits = self.known(limits)?;
        let own = |name: &'static str, value| Property { name: name.into(), value, since: 0, at_start: true };
        let mut properties = vec![
            own("Description", Value::text(description)),
            own("Slice", Value::text(slice)),
            // Lets the container create cgroups below; systemd does not touch those.
            own("Delegate", Value::Bool(true)),
            own("PIDs", Value::Array("u".to_owned(), vec![Value::Uint32(pid.cast_unsigned())])),
            // No ordering against other units at shutdown or start.
            own("DefaultDependencies", Value::Bool(false)),
            // A scope whose processes were killed is failed, and would stay until reset.
            own("CollectMode", Value::text("inactive-or-failed")),
        ];
        let accounting = ["CPUAccounting", "IOAccounting", "MemoryAccounting", "TasksAccounting"];
        properties.extend(accounting.map(|name| own(name, Value::Bool(true))));
        properties.extend(limits);
        let list = Value::Array("(sv)".to_owned(), properties.into_iter().map(pair).collect());
        let no_more = Value::Array("(sa(sv))".to_owned(), Vec::new());
        let body = [Value::text(unit), Value::text("replace"), list, no_more];
        self.listen(unit)?;
        let asked = match self.call("StartTransientUnit", &body) {
            Err(error) if is(&error, UNIT_EXISTS) => {
                // A failed unit may have that name. If the unit is not failed, the second call reports the error.
                let _ = self.call("ResetFailedUnit", &[Value::text(unit)]);
                self.call("StartTransientUnit", &body)
            }
            other => other,
        };
        asked.and_then(job).with_context(|| format!("start {unit}"))
    }

    fn stop(&mut self, unit: &str) -> Result<()> {
        self.listen(unit)?;
        match self.call("StopUnit", &[Value::text(unit), Value::text("replace")]) {
            Err(error) if is(&error, NO_SUCH_UNIT) => return Ok(()),
            other => self.done(&other.and_then(job)?)?,
        }
        match self.call("ResetFailedUnit", &[Value::text(unit)]) {
            Err(error) if !is(&error, NO_SUCH_UNIT) => Err(error),
            _ => Ok(()),
        }
    }

    /// Subscribes to the job signals of a unit.
    fn listen(&mut self, unit: &str) -> Result<()> {
        self.0.await_signal(INTERFACE, "JobRemoved");
        let rule = format!(
            "type='signal',sender='{SYSTEMD}',path='{PATH}',interface='{INTERFACE}',member='JobRemoved',arg2='{unit}'"
        );
        self.0.ask("AddMatch", &[Value::text(rule)]).map(drop)
    }

    /// Waits for a job to finish.
    pub(super) fn done(&mut self, job: &Job) -> Result<()> {
        let removed = self.0.wait_for(|body| body.get(1) == Some(&job.0));
        let removed = removed.context("wait for the systemd job")?;
        match removed.get(3).and_then(Value::as_text) {
            Some("done") => Ok(()),
            result => bail!("the systemd job ended with \"{}\"", result.unwrap_or_default()),
        }
    }
}

/// A systemd job, by its object path.
#[derive(Debug)]
pub(super) struct Job(Value);

fn job(answer: Vec<Value>) -> Result<Job> {
    answer.into_iter().next().map(Job).context("systemd returned no job")
}

fn pair(property: Property) -> Value {
    Value::Struct(vec![Value::text(property.name), Value::variant(property.value)])
}

fn is(error: &Error, name: &str) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.name == name)
}

/// The major version: the first number in `252.38-1~deb12u1`, `v257` or `systemd 245 (245.4)`.
fn version_in(text: &str) -> u32 {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests;
