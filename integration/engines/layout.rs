//! Writes an OCI image layout: containerd does not import a plain directory, and no installed program packs one.

use super::{
    engine::{Engine, IMAGE},
    place::at,
};
use crate::harness::call::Call;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// The digest of a file, and a copy of it under that name among the blobs of an image.
fn blob(layout: &str, file: &str) -> Value {
    let said = Call::new(Path::new(layout), &["sha256sum", file]).run().ok();
    let digest = said.line().split(' ').next().unwrap_or_default().to_owned();
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

/// Gives containerd the image, in one of its namespaces, also under the name that it takes for sandboxes. An image is a
/// directory of the OCI image layout in a tar, which no program at hand makes.
pub(crate) fn import_oci(e: &Engine, namespace: &str) {
    let listed = e.call(&["--namespace", namespace, "image", "ls", "-q"]).ok().out;
    if listed.lines().any(|name| name == IMAGE) {
        return;
    }
    let layout = e.new_dir();
    fs::create_dir_all(format!("{layout}/blobs/sha256")).unwrap();
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
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
