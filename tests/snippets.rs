//! Checks that the blocks of `docs/engines.md` have the format their engine expects, and that references between them
//! resolve. `integration/engines/` feeds most blocks to the engines. CRI-O and the Kubernetes API server are not
//! covered there, because no distribution that the suite runs on has them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use toml::Value;

const DOCUMENT: &str = include_str!("../docs/engines.md");
const PROGRAM: &str = "/usr/local/bin/davit";

/// Language, name and text of every block.
fn blocks() -> Vec<(&'static str, &'static str, &'static str)> {
    let parts = DOCUMENT.split("```").skip(1).step_by(2);
    let block = |part: &'static str| {
        let (head, text) = part.split_once('\n').unwrap();
        let (language, name) = head.split_once(' ').unwrap_or_else(|| panic!("a block of {head} without a name"));
        (language, name, text)
    };
    parts.map(block).collect()
}

fn block(name: &str) -> &'static str {
    let found = blocks().into_iter().find(|block| block.1 == name);
    found.unwrap_or_else(|| panic!("docs/engines.md has no block {name}")).2
}

fn toml(name: &str) -> Value {
    toml::from_str(block(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The value at a path of names.
fn at<'a>(value: &'a Value, way: &[&str]) -> &'a Value {
    way.iter().fold(value, |value, name| value.get(name).unwrap_or_else(|| panic!("{way:?}: there is no {name}")))
}

#[test]
fn every_block_is_of_its_language_and_names_the_program() {
    for (language, name, text) in blocks() {
        match language {
            "json" => drop(serde_json::from_str::<serde_json::Value>(text).unwrap()),
            "toml" => drop(toml(name)),
            "ini" => assert!(text.starts_with("[Service]\nEnvironment="), "{name}"),
            "sh" => assert!(text.starts_with("export "), "{name}"),
            "yaml" => assert!(!text.contains('\t'), "{name}: YAML has no tabs"),
            other => panic!("{name}: no check for a block of {other}"),
        }
        assert!(text.contains(PROGRAM), "{name} does not name {PROGRAM}");
    }
}

/// The default names a runtime that the same file defines, and that one is the program.
#[test]
fn defaults_name_what_is_defined() {
    let docker: serde_json::Value = serde_json::from_str(block("daemon.json")).unwrap();
    assert_eq!(docker["runtimes"][docker["default-runtime"].as_str().unwrap()]["path"], PROGRAM);
    for (name, plugin) in
        [("config.toml", "io.containerd.cri.v1.runtime"), ("config.toml-1", "io.containerd.grpc.v1.cri")]
    {
        let all = toml(name);
        let containerd = at(&all, &["plugins", plugin, "containerd"]);
        let default = at(containerd, &["default_runtime_name"]).as_str().unwrap();
        let runtime = at(containerd, &["runtimes", default]);
        assert_eq!(at(runtime, &["runtime_type"]).as_str(), Some("io.containerd.runc.v2"));
        assert_eq!(at(runtime, &["options", "BinaryName"]).as_str(), Some(PROGRAM));
    }
    let podman = toml("containers.conf");
    let engine = at(&podman, &["engine"]);
    let default = at(engine, &["runtime"]).as_str().unwrap();
    assert_eq!(at(engine, &["runtimes", default]).as_array().unwrap(), &[Value::from(PROGRAM)]);
    assert!(at(engine, &["runtime_supports_json"]).as_array().unwrap().contains(&Value::from(default)));
}

/// As CRI-O reads it: a path for the program, one for its state, and conmon as its monitor.
#[test]
fn crio_has_a_whole_runtime() {
    let all = toml("99-davit.conf");
    let runtime = at(&all, &["crio", "runtime"]);
    let default = at(runtime, &["default_runtime"]).as_str().unwrap();
    let table = at(runtime, &["runtimes", default]);
    assert_eq!(at(table, &["runtime_path"]).as_str(), Some(PROGRAM));
    assert_eq!(at(table, &["runtime_type"]).as_str(), Some("oci"));
    for path in ["runtime_root", "monitor_path"] {
        assert!(at(table, &[path]).as_str().unwrap().starts_with('/'), "{path}");
    }
}

/// A pod of the class reaches the runtime that containerd's and CRI-O's configurations define.
#[test]
fn the_runtime_class_names_a_runtime_of_both() {
    let class = block("runtimeclass.yaml");
    let handler = class.lines().find_map(|line| line.strip_prefix("handler: ")).unwrap();
    for line in ["apiVersion: node.k8s.io/v1", "kind: RuntimeClass", "metadata:", "  name: davit"] {
        assert!(class.lines().any(|one| one == line), "{line}");
    }
    let containerd = toml("config.toml");
    at(&containerd, &["plugins", "io.containerd.cri.v1.runtime", "containerd", "runtimes", handler]);
    at(&toml("99-davit.conf"), &["crio", "runtime", "runtimes", handler]);
}
