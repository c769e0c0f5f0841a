//! Writes an OCI image layout: containerd does not import a plain directory, and no installed program packs one.

use super::{
    engine::{Engine, IMAGE},
    place::at,
};
use crate::harness::call::Call;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Copies a file to the blobs of an image, with its digest as name. Returns its descriptor.
fn blob(layout: &str, file: &str) -> Value {
    let output = Call::new(Path::new(layout), &["sha256sum", file]).run().ok();
    let digest = output.line().split(' ').next().unwrap_or_default().to_owned();
    fs::copy(file, format!("{layout}/blobs/sha256/{digest}")).unwrap();
    json!({"digest": format!("sha256:{digest}"), "size": fs::metadata(file).unwrap().len()})
}

fn json_blob(layout: &str, kind: &str, value: &Value) -> Value {
    let file = format!("{layout}/new");
    fs::write(&file, value.to_string()).unwrap();
    let mut blob = blob(layout, &file);
    fs::remove_file(file).unwrap();
    blob["mediaType"] = json!(format!("application/vnd.oci.image.{kind}.v1+json"));
    blob
}

/// Imports the image into a namespace of containerd, also with the name of the sandbox image. The import is a tar of an
/// OCI image layout.
pub(crate) fn import_oci(e: &Engine, namespace: &str) {
    let listed = e.call(&["--namespace", namespace, "image", "ls", "-q"]).ok().out;
    if listed.lines().any(|name| name == IMAGE) {
        return;
    }
    let layout = e.new_dir();
    fs::create_dir_all(format!("{layout}/blobs/sha256")).unwrap();
    // The names of Go, where they differ.
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        same => same,
    };
    let mut layer = blob(&layout, &at("tree.tar"));
    let configuration = json!({
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["sleep", "100000"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    });
    layer["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": json_blob(&layout, "config", &configuration),
        "layers": [layer],
    });
    let mut entry = json_blob(&layout, "manifest", &manifest);
    entry["annotations"] = json!({"io.containerd.image.name": IMAGE});
    fs::write(format!("{layout}/index.json"), json!({"schemaVersion": 2, "manifests": [entry]}).to_string()).unwrap();
    fs::write(format!("{layout}/oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).unwrap();
    let tar = format!("{layout}.tar");
    Call::new(&e.dir(), &["tar", "-C", &layout, "-cf", &tar, "."]).run().ok();
    e.call(&["--namespace", namespace, "image", "import", &tar]).ok();
    let words = ["containerd", "--config", &e.file("config.toml"), "config", "default"];
    let configuration = Call::new(&e.dir(), &words).run().ok().out;
    let sandbox = configuration.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        ["sandbox", "sandbox_image"].contains(&key.trim()).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    });
    e.call(&["--namespace", namespace, "image", "tag", IMAGE, &sandbox.unwrap()]).ok();
}
