//! Writes a bundle with Docker's recorded default configuration, adapted to this host.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const RECORDED: &str = include_str!("../../tests/configs/docker-default.json");

/// Writes config.json into `bundle`, which already has a rootfs. Replaces the values of the recording host: the root
/// path, the bound files and the cgroup path.
pub(crate) fn write_configuration(bundle: &Path, args: &Value) -> Result<()> {
    let mut config: Value = serde_json::from_str(RECORDED)?;
    config["root"]["path"] = json!("rootfs");
    config["process"]["args"] = args.clone();
    let linux = config["linux"].as_object_mut().context("no linux in it")?;
    linux.remove("cgroupsPath");
    // The member is empty and limits nothing, but some runtimes still need the controller, which hybrid hosts lack.
    linux["resources"].as_object_mut().context("no resources in it")?.remove("blockIO");
    for mount in config["mounts"].as_array_mut().context("no mounts in it")? {
        let name = mount["source"].as_str().and_then(|source| Path::new(source).file_name()).map(ToOwned::to_owned);
        if let Some(name) = name.filter(|_| mount["type"] == "bind") {
            let file = bundle.join(name);
            fs::write(&file, "")?;
            mount["source"] = json!(file);
        }
    }
    fs::write(bundle.join("config.json"), serde_json::to_vec(&config)?)?;
    Ok(())
}
