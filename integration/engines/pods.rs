//! Tests Podman's pods: shared namespaces, Kubernetes files, init containers.

use super::{
    Check,
    engine::{Engine, IMAGE},
    place::fresh,
};
use crate::harness::cgroups::has_controller;
use std::fs;

pub(crate) const CHECKS: &[Check] = &[
    ("pods", "shared namespaces", shared),
    ("pods", "play kube with two containers", play),
    ("pods", "init containers", init),
    ("pods", "pause, restart, stop", operate),
    ("pods", "generate kube and play it", generate),
];

fn shared(e: &Engine) {
    let pod = fresh("pod");
    e.call(&["pod", "create", "--name", &pod, "--network", "none", "--share", "ipc,net,uts,pid"]).ok();
    let first = fresh("first");
    e.call(&[
        "run",
        "-d",
        "--pod",
        &pod,
        "--name",
        &first,
        IMAGE,
        "sh",
        "-c",
        "echo hi >/tmp/index.html; exec httpd -f -h /tmp",
    ])
    .ok();
    let script = "hostname; ps | grep -c '[h]ttpd -f'; until wget -q -O - http://127.0.0.1/; do sleep 1; done";
    let output = e.call(&["run", "--rm", "--pod", &pod, IMAGE, "sh", "-c", script]).ok();
    e.call(&["pod", "rm", "-f", "-t", "0", &pod]).ok();
    assert_eq!(output.out, format!("{pod}\n1\nhi\n"));
}

const KUBE: &str = "apiVersion: v1
kind: Pod
metadata:
  name: NAME
spec:
  restartPolicy: Never
  hostNetwork: true
  volumes:
  - name: shared
    emptyDir: {}
  INIT
  containers:
  - name: writer
    image: localhost/bb:latest
    imagePullPolicy: Never
    command: [sh, -c, 'mkfifo /shared/pipe; echo first >/shared/pipe; exit 0']
    volumeMounts: [{name: shared, mountPath: /shared}]
  - name: reader
    image: localhost/bb:latest
    imagePullPolicy: Never
    command: [sh, -c, 'until test -p /shared/pipe; do sleep 1; done; cat /shared/pipe /shared/prepared; exit 4']
    volumeMounts: [{name: shared, mountPath: /shared}]
    resources: {LIMITS}
";
const INIT: &str = "initContainers:
  - name: prepare
    image: localhost/bb:latest
    imagePullPolicy: Never
    command: [sh, -c, 'echo prepared >/shared/prepared']
    volumeMounts: [{name: shared, mountPath: /shared}]";

fn kube(e: &Engine, init: &str) -> crate::harness::call::Output {
    let pod = fresh("kube");
    let file = format!("{}/pod.yaml", e.new_dir());
    let limits = if has_controller("memory") { "limits: {memory: 64Mi}" } else { "" };
    fs::write(&file, KUBE.replace("NAME", &pod).replace("INIT", init).replace("LIMITS", limits)).unwrap();
    e.call(&["play", "kube", &file]).ok();
    let reader = format!("{pod}-reader");
    assert_eq!(e.wait(&reader), "4");
    let output = e.call(&["logs", &reader]).ok();
    e.call(&["play", "kube", "--down", &file]).ok();
    output
}

fn play(e: &Engine) {
    assert_eq!(kube(e, "initContainers: []").out, "first\n");
}

fn init(e: &Engine) {
    assert_eq!(kube(e, INIT).out, "first\nprepared\n");
}

/// A pod of two containers that do not exit. Dropping it removes the pod.
struct Pod<'a>(&'a Engine, String);

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        self.0.clean(&["pod", "rm", "-f", "-t", "0", &self.1]);
    }
}

fn pair(e: &Engine) -> Pod<'_> {
    let pod = Pod(e, fresh("pod"));
    e.call(&["pod", "create", "--name", &pod.1, "--network", "none"]).ok();
    for name in ["one", "two"] {
        let name = format!("{}-{name}", pod.1);
        e.call(&["run", "-d", "--pod", &pod.1, "--name", &name, IMAGE, "sleep", "1000"]).ok();
    }
    pod
}

fn operate(e: &Engine) {
    let pod = pair(e);
    let one = format!("{}-one", pod.1);
    let call = |verb: &[&str]| e.call(&[&["pod"], verb, &[&pod.1]].concat()).ok();
    call(&["pause"]);
    assert_eq!(e.inspect(&one, ".State.Status"), "paused");
    call(&["unpause"]);
    assert_eq!(e.inspect(&one, ".State.Status"), "running");
    assert!(call(&["top"]).out.matches("sleep 1000").count() == 2);
    let before = e.inspect(&one, ".State.Pid");
    call(&["restart"]);
    let after = e.inspect(&one, ".State.Pid");
    assert!(before != after && after != "0", "{before} then {after}");
    call(&["stop", "-t", "0"]);
    assert_eq!(e.inspect(&one, ".State.Status"), "exited");
    call(&["start"]);
    assert_eq!(e.inspect(&one, ".State.Status"), "running");
}

fn generate(e: &Engine) {
    let pod = pair(e);
    let file = format!("{}/pod.yaml", e.new_dir());
    fs::write(&file, e.call(&["generate", "kube", &pod.1]).ok().out).unwrap();
    let name = pod.1.clone();
    drop(pod);
    e.call(&["play", "kube", "--network", "none", &file]).ok();
    let again = Pod(e, name);
    assert_eq!(e.call(&["pod", "inspect", "--format", "{{.State}}", &again.1]).ok().out, "Running\n");
}
