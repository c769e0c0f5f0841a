//! Tests `linux.netDevices`: interfaces move into the container with their addresses, and back if the creation fails.
//! Network namespaces themselves are left to `namespaces`.

use crate::harness::bundle::{Container, namespace};
use crate::harness::runtime::only_davit;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use crate::harness::unshared::{apart, host};
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        a_failed_hook_moves_the_device_back,
        a_device_in_a_joined_namespace_stays_there,
        the_hosts_hooks_run_after_the_move
    ];
    all.extend(rows!("moved", MOVED, moved));
    all.extend(rows!("refused", REFUSED, refused));
    all
}

/// (test, requested name, resulting name)
const MOVED: &[(&str, &str, &str)] =
    &[("same-name", "", "out0"), ("renamed", "eth7", "eth7"), ("template", "net%d", "net0")];
/// (test, device, requested name, error text)
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("missing", "none0", "", "/linux/netDevices/none0: move none0 to the container: no such network interface"),
    ("name-taken", "out0", "lo", "lo exists there already"),
];

/// Creates a pair of interfaces, of which `out0` has addresses.
fn make_device() {
    if let Err(why) = host(&["ip", "link", "add", "out0", "type", "veth", "peer", "name", "peer0"]) {
        skip(why);
    }
    for words in
        ["link set out0 mtu 1400 up", "addr add 10.9.8.7/24 dev out0", "addr add 10.9.9.9/32 scope link dev out0"]
    {
        let mut all = vec!["ip"];
        all.extend(words.split(' '));
        host(&all).unwrap();
    }
    // A kernel without IPv6 has one address less.
    host(&["ip", "addr", "add", "fd00::7/64", "dev", "out0"]).ok();
}

fn asking(c: Container, devices: Value) -> Container {
    only_davit("only a few releases of other runtimes support netDevices");
    c.edit(|c| c["linux"]["netDevices"] = devices)
}

fn addresses(device: &str) -> String {
    host(&["ip", "-o", "addr", "show", "dev", device]).unwrap_or_default()
}

fn moved(row: &(&str, &str, &str)) {
    apart(|| {
        make_device();
        let has_v6 = addresses("out0").contains("fd00::7/64");
        let asked = if row.1.is_empty() { json!({}) } else { json!({"name": row.1}) };
        let script = format!("ip -o addr show dev {0}; ip -o link show dev {0}", row.2);
        let output = asking(Container::sh(&script), json!({"out0": asked})).prints();
        assert!(output.contains("10.9.8.7/24"), "{output}");
        assert_eq!(output.contains("fd00::7/64"), has_v6, "{output}");
        // The runtime keeps only addresses of global scope.
        assert!(!output.contains("10.9.9.9"), "{output}");
        assert!(output.contains("UP") && output.contains("mtu 1400"), "{output}");
        // The interface was destroyed with its namespace.
        assert_eq!(addresses("out0"), "");
    });
}

fn refused(row: &(&str, &str, &str, &str)) {
    apart(|| {
        make_device();
        let asked = if row.2.is_empty() { json!({}) } else { json!({"name": row.2}) };
        // Devices move in the order of their names, so the valid one has moved before the invalid one fails.
        let mut devices = json!({});
        devices[row.1] = asked;
        asking(Container::sh("true"), devices).refused(row.3);
        assert!(addresses("out0").contains("10.9.8.7/24"));
    });
}

fn a_failed_hook_moves_the_device_back() {
    apart(|| {
        make_device();
        let before = host(&["ip", "-o", "-4", "addr", "show", "dev", "out0"]).unwrap();
        let c = asking(Container::sh("true"), json!({"out0": {"name": "in0"}})).edit(|c| {
            c["hooks"] = json!({"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]});
        });
        c.refused("exit status 3");
        let after = host(&["ip", "-o", "-4", "addr", "show", "dev", "out0"]).unwrap();
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&after), sorted(&before));
    });
}

/// Whoever is root in a joined namespace can have replaced the interface, so a failed creation takes nothing back. Here
/// the hook is the neighbour: it gives an interface of its own the index.
fn a_device_in_a_joined_namespace_stays_there() {
    apart(|| {
        make_device();
        let neighbour = Container::sleeper().up();
        let path = format!("/proc/{}/ns/net", neighbour.pid());
        let replace = format!(
            "set -e; in=\"nsenter --net={path} ip link\"; index=$($in show dev out0 | sed 's/:.*//;q')
             $in delete out0; $in add out0 index $index type veth peer name other0; exit 3"
        );
        let c = asking(Container::sh("true"), json!({"out0": {}})).edit(|c| {
            namespace(c, "network")["path"] = json!(path);
            c["hooks"] = json!({"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", replace]}]});
        });
        let refused = c.refused("exit status 3");
        assert!(refused.err.contains("out0 stayed in the joined network namespace"), "{refused:?}");
        assert_eq!(addresses("out0"), "", "the neighbour's interface came to the host");
    });
}

fn the_hosts_hooks_run_after_the_move() {
    apart(|| {
        make_device();
        let c = asking(Container::sh("true"), json!({"out0": {}})).edit(|c| {
            let script = "ip link show dev out0 && exit 9; exit 0";
            c["hooks"] = json!({"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]});
        });
        c.run().ok();
    });
}
