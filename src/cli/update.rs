//! `davit update`.

use super::{Scene, Takes, Verb, id, words};
use crate::container::{self, DeviceChange};
use anyhow::{Context, bail};
use clap::{ArgMatches, Args};
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;

pub(super) const VERB: Verb = Verb {
    name: "update",
    about: "Change the limits and device rules of a container",
    help: "\
Change the resource limits of the container ID, which must be created, running or paused. Other limits stay unchanged;
if a limit cannot be set, all are restored. With --resources, read the limits from a file with the format of
linux.resources in config.json; all other flags except those for devices and Intel RDT are then ignored.

--device-allow and --device-deny add a rule to those in force: \"c 10:229 rw\" (type b or c, major:minor with * for all,
some of rwm), a for all devices, or a device on the host, /dev/fuse or /dev/fuse:rw. Denials come last. With --devices,
the rules of the file of --resources replace all rules; without it they are ignored, since engines send all resources
to change one. The new rules are in force at once for each new open and mknod, and stay in force over later updates.
No device node is made or removed.

Sizes are in bytes, or have a unit: 64m, 1g; -1 means no limit.

Exit status: 0 if everything is set, 1 otherwise.

Example:
  davit update --memory 512m --pids-limit 100 web
  davit update --device-allow /dev/fuse --device-deny \"c 10:200 rwm\" web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: |command| {
        Words::augment_args(command).mut_args(|arg| match arg.get_action().takes_values() {
            true => arg.allow_hyphen_values(true),
            false => arg,
        })
    },
    perform,
};

#[derive(Args)]
struct Words {
    /// Read the limits from FILE, or from standard input if it is -
    #[arg(long, short, value_name = "FILE")]
    resources: Option<PathBuf>,
    /// Weight of block I/O, 10 to 1000
    #[arg(long, value_name = "N")]
    blkio_weight: Option<u16>,
    /// Period of the CPU bandwidth, in microseconds
    #[arg(long, value_name = "US")]
    cpu_period: Option<u64>,
    /// CPU time in each period, in microseconds
    #[arg(long, value_name = "US")]
    cpu_quota: Option<i64>,
    /// CPU time that may accumulate for bursts, in microseconds
    #[arg(long, value_name = "US")]
    cpu_burst: Option<u64>,
    /// CPU shares, 2 to 262144
    #[arg(long, value_name = "N")]
    cpu_share: Option<u64>,
    /// Period of real-time scheduling; not supported with cgroup v2
    #[arg(long, value_name = "US")]
    cpu_rt_period: Option<u64>,
    /// Real-time CPU time in each period; not supported with cgroup v2
    #[arg(long, value_name = "US")]
    cpu_rt_runtime: Option<i64>,
    /// CPUs to run on: 0-3,7
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes to use: 0-1
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// 1: run only when no other process needs the CPU; 0: as usual
    #[arg(long, value_name = "N")]
    cpu_idle: Option<i64>,
    /// Memory limit
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Memory that is not reclaimed while other memory can be (memory.low)
    #[arg(long, value_name = "SIZE")]
    memory_reservation: Option<String>,
    /// Limit of memory and swap combined
    #[arg(long, value_name = "SIZE")]
    memory_swap: Option<String>,
    /// Maximum number of processes and threads
    #[arg(long, value_name = "N")]
    pids_limit: Option<i64>,
    /// Intel RDT schema of the L3 cache: L3:0=ff;1=ff
    #[arg(long, value_name = "SCHEMA")]
    l3_cache_schema: Option<String>,
    /// Intel RDT schema of the memory bandwidth: MB:0=50;1=70
    #[arg(long, value_name = "SCHEMA")]
    mem_bw_schema: Option<String>,
    /// Allow access to devices: "c 10:229 rw" or /dev/fuse:rw
    #[arg(long, value_name = "RULE")]
    device_allow: Vec<String>,
    /// Deny access to devices, even if --device-allow allows it
    #[arg(long, value_name = "RULE")]
    device_deny: Vec<String>,
    /// With --resources, replace the device rules by those of FILE
    #[arg(long)]
    devices: bool,
    /// Accepted and ignored: kernel memory counts as memory
    #[arg(long, value_name = "SIZE", hide = true)]
    kernel_memory: Option<String>,
    /// Accepted and ignored: socket buffers count as memory
    #[arg(long, value_name = "SIZE", hide = true)]
    kernel_memory_tcp: Option<String>,
    /// Name of the container
    #[arg(value_name = "ID")]
    id: OsString,
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Words>(matches)?;
    let id = id(&words.id)?;
    let mut schemata = schema("--l3-cache-schema", "L3", words.l3_cache_schema.as_deref())?;
    schemata.extend(schema("--mem-bw-schema", "MB", words.mem_bw_schema.as_deref())?);
    let resources = match words.resources.as_ref().filter(|path| !path.as_os_str().is_empty()) {
        Some(path) if path.as_os_str() == "-" => {
            let mut document = Vec::new();
            std::io::stdin().read_to_end(&mut document).context("read the resources from standard input")?;
            document
        }
        Some(path) => std::fs::read(path).with_context(|| format!("read {}", path.display()))?,
        None => serde_json::to_vec(&document(&words)?)?,
    };
    if words.devices && words.resources.is_none() {
        bail!("--devices needs --resources; see davit update --help");
    }
    let devices = DeviceChange { replace: words.devices, allow: words.device_allow, deny: words.device_deny };
    container::update(&scene.root()?, &id, &container::Change { resources, schemata, devices }, scene.log)?;
    Ok(0)
}

/// The lines of a schema, all for one resource (`L3`, also as `L3CODE` and `L3DATA`; `MB`).
fn schema(flag: &str, resource: &str, text: Option<&str>) -> anyhow::Result<Vec<String>> {
    let lines = text.unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines.map(str::to_owned).collect();
    match lines.iter().find(|line| !line.starts_with(resource) || !line.contains(':')) {
        Some(bad) => bail!("{flag}: {bad:?} is not a schema for {resource} such as {resource}:0=10;1=10"),
        None => Ok(lines),
    }
}

/// The flags as `linux.resources`.
fn document(words: &Words) -> anyhow::Result<Value> {
    let mut document = Map::new();
    let mut put = |section: &str, name: &str, value: Option<Value>| {
        if let Some(value) = value {
            document.entry(section).or_insert_with(|| json!({}))[name] = value;
        }
    };
    let size = |flag: &str, text: &Option<String>| -> anyhow::Result<Option<Value>> {
        let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        let bytes = bytes(text).with_context(|| format!("{flag}: {text:?} is not a size such as 64m or 1g"))?;
        Ok(Some(json!(bytes)))
    };
    put("blockIO", "weight", words.blkio_weight.map(Value::from));
    put("cpu", "period", words.cpu_period.map(Value::from));
    put("cpu", "quota", words.cpu_quota.map(Value::from));
    put("cpu", "burst", words.cpu_burst.map(Value::from));
    put("cpu", "shares", words.cpu_share.map(Value::from));
    put("cpu", "realtimePeriod", words.cpu_rt_period.map(Value::from));
    put("cpu", "realtimeRuntime", words.cpu_rt_runtime.map(Value::from));
    put("cpu", "cpus", words.cpuset_cpus.clone().map(Value::from));
    put("cpu", "mems", words.cpuset_mems.clone().map(Value::from));
    put("cpu", "idle", words.cpu_idle.map(Value::from));
    put("memory", "limit", size("--memory", &words.memory)?);
    put("memory", "reservation", size("--memory-reservation", &words.memory_reservation)?);
    put("memory", "swap", size("--memory-swap", &words.memory_swap)?);
    put("pids", "limit", words.pids_limit.map(Value::from));
    Ok(Value::Object(document))
}

/// A number of bytes: `67108864`, `64m`, `64MiB`, `1.5g`; `-1` means no limit. Units are powers of 1024.
fn bytes(text: &str) -> Option<i64> {
    if text == "-1" {
        return Some(-1);
    }
    let lower = text.trim().to_ascii_lowercase();
    let end = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(end);
    let power = match unit.trim().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<i64>().ok()?.checked_mul(1024_i64.pow(power))?;
    let scale = 10_i64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = if fraction.is_empty() { 0 } else { fraction.parse::<i64>().ok()? };
    whole.checked_add(part.checked_mul(1024_i64.pow(power))? / scale)
}

#[cfg(test)]
mod tests {
    use super::{bytes, schema};

    #[test]
    fn schemata_for_another_resource_are_refused() {
        let lines = schema("--l3-cache-schema", "L3", Some("L3CODE:0=f\n\n L3DATA:0=3\n")).expect("two lines");
        assert_eq!(lines, ["L3CODE:0=f", "L3DATA:0=3"]);
        assert!(schema("--mem-bw-schema", "MB", Some("")).expect("none").is_empty());
        let error = schema("--mem-bw-schema", "MB", Some("L3:0=f")).expect_err("is not MB").to_string();
        assert_eq!(error, "--mem-bw-schema: \"L3:0=f\" is not a schema for MB such as MB:0=10;1=10");
    }

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, wanted) in [
            ("0", Some(0)),
            ("67108864", Some(64 << 20)),
            ("64m", Some(64 << 20)),
            ("64MB", Some(64 << 20)),
            ("64MiB", Some(64 << 20)),
            ("1.5g", Some(3 << 29)),
            ("2t", Some(2 << 40)),
            ("10b", Some(10)),
            ("-1", Some(-1)),
            ("-2", None),
            ("", None),
            ("m", None),
            ("1x", None),
            ("9999999p", None),
            ("1.2.3", None),
        ] {
            assert_eq!(bytes(text), wanted, "{text:?}");
        }
    }
}
