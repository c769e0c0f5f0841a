//! A container as Docker asks for it: its default configuration as recorded, on files of this host.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const RECORDED: &str = include_str!("../../tests/configs/docker-default.json");

/// Writes the configuration into `bundle`, which has a rootfs already. What belonged to the host it was recorded on is
/// replaced: the root, the files bound into it, the place of the cgroup.
pub(crate) fn write_configuration(bundle: &Path, args: &Value) -> Result<()> {
    let mut config: Value = serde_json::from_str(RECORDED)?;
    config["root"]["path"] = json!("rootfs");
    config["process"]["args"] = args.clone();
    let linux = config["linux"].as_object_mut().context("no linux in it")?;
    linux.remove("cgroupsPath");
    // It is empty and limits nothing, but not every runtime then does without the controller, which hybrid hosts lack.
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
