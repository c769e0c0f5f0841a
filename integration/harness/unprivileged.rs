//! Lists the tests that cannot pass as an ordinary user, or whose setup needs root, with the reason. Comparing results
//! with the list is left to `trial`.
//!
//! A listed test must fail if the suite runs as a user; if it passes, the list is wrong and the suite reports it.

/// (reason, tests; a name that ends with `/` means a whole table)
const LISTED: &[(&str, &[&str])] = &[
    (
        "the setup creates devices, cgroups or file owners, which needs root",
        &[
            "attacks::cve_2023_25809_host_cgroups/",
            "attacks::cve_2025_31133_null/zero",
            "attacks::cve_2025_52565_ptmx/device",
            "attacks::cve_2025_52565_ptmx/null",
            "attacks::cve_2025_52565_ptmx/tty",
            "attacks::groups_of_the_caller_stay_outside",
            "leniency::keep_original_groups_keeps_the_callers",
            "attacks::home_does_not_open_a_device_of_the_image",
            "attacks::a_mask_is_not_the_hosts_null",
            "attacks::the_hosts_null_keeps_its_mode",
            "devices::an_existing_matching_device_is_kept",
            "devices::bound_dev_is_left_alone",
            "devices::occupied/other-number",
            "devices::occupied/other-type",
            "mounts::idmapped_bind_shifts_owners",
            "mounts::tmpcopyup_copies_what_is_below",
            "real_input::config/docker-userns-remap",
            "real_input::debian/users",
        ],
    ),
    (
        "a user's container has bind-mounted host devices and cannot create any",
        &[
            "attacks::ghsa_g54h_a_device_that_no_rule_names_is_denied",
            "devices::a_device_only_for_its_owner",
            "devices::a_listed_device_replaces_the_default",
            "devices::default_devices",
            "devices::listed_devices",
            "leniency::config/device-twice",
            "leniency::config/file-mode-beyond",
            "devices::mknod_is_allowed_and_use_is_not",
            "devices::rule/",
            "mounts::nothing_is_mounted_by_default",
            "mounts::only_the_configured_mounts_are_there",
        ],
    ),
    (
        "the test creates a user namespace with ids that the user does not have",
        &[
            "attacks::cve_2016_9962_create_in_a_joined_user_and_pid_namespace",
            "exec_attributes::groups_in_a_user_namespace",
            "exec_attributes::the_user_namespace_is_joined",
            "namespaces::user_namespace_maps_ids",
            "userns::default_devices_are_the_hosts",
            "userns::maps_of_a_joined_namespace_must_agree",
            "userns::score_and_limits_are_set_from_outside",
            "userns::several_mappings",
            "userns::sources_the_mapped_root_cannot_reach",
            "userns::sysfs_without_a_network_namespace",
            "userns::the_cgroup_belongs_to_the_user",
            "userns::time_offsets_in_a_joined_user_namespace",
            "userns::joined/",
            "userns::without_a_cgroup_namespace_only_the_own_cgroup_is_seen",
        ],
    ),
    (
        "the test imitates an engine that runs as root",
        &[
            "contract::buildkit_cancels_a_step",
            "contract::buildkit_execs_in_the_foreground",
            "contract::buildkit_has_a_terminal",
            "contract::buildkit_keeps_and_deletes",
            "contract::buildkit_runs_in_the_foreground",
            "contract::exec-terminal/podman 4",
            "contract::exec-terminal/podman 5",
            "contract::life/buildah",
            "contract::life/buildah, isolated as for users",
            "contract::life/podman 4",
            "contract::life/podman 5",
            "contract::nvidia_hook_finds_the_root_at_its_host_path",
            "contract::podman_passes_descriptors_with_holes",
            "contract::podman_disables_cgroups",
            "contract::refused/buildah",
            "contract::refused/buildah, isolated as for users",
            "contract::refused/podman 4",
            "contract::refused/podman 5",
            "contract::terminal/buildah",
            "contract::terminal/buildah, isolated as for users",
            "contract::terminal/podman 4",
            "contract::terminal/podman 5",
            "real_input::config/containerd-ctr",
            "real_input::config/docker-default",
            "real_input::config/docker-privileged",
            "real_input::config/docker-run-it-limits",
            "real_input::config/docker-userns-host-net",
            "real_input::config/podman-default",
            "real_input::config/podman-pod-member",
            "real_input::config/podman-rootful-limits",
            "real_input::debian_system_with_dockers_configuration",
        ],
    ),
    (
        "mounting a new procfs needs the container's own pid namespace",
        &[
            "lifecycle::a_process_without_main_thread_is_running_and_gets_signals",
            "contract::containerd_kills_leftovers_in_a_shared_pid_namespace",
            "lifecycle::delete_ends_what_a_shared_pid_namespace_left",
            "attacks::a_container_in_a_joined_pid_namespace_is_whole",
            "attacks::cve_2016_9962_create_in_a_joined_pid_namespace",
            "lifecycle::kill_ends_what_the_first_process_left",
            "lifecycle::exit/killed",
            "lifecycle::kill_all_ends_processes_without_main_thread",
            "lifecycle::kill_all_ends_leftovers_silently",
            "lifecycle::kill_ends_all_of_a_shared_pid_namespace",
            "lifecycle::leaderless/delete-shared",
            "lifecycle::leaderless/kill-all-shared",
            "lifecycle::leaderless/kill-shared",
            "lifecycle::run_waits_for_init_not_for_the_pipe",
            "namespaces::inherited/pid",
        ],
    ),
    (
        "the user may not enter namespaces of the host or of another user namespace",
        &[
            "attacks::cve_2016_9962_shared_pid_namespace/",
            "attacks::cve_2019_5736_a_neighbour/",
            "attacks::cve_2026_31431_a_neighbour_reads/",
            "namespaces::hostname_is_set_in_a_joined_namespace",
            "namespaces::joined/",
        ],
    ),
    (
        "a user namespace cannot change the atime options of the host's mounts (mount_namespaces(7))",
        &[
            "mounts::bind/noatime",
            "mounts::bind/nodiratime",
            "mounts::recursive/rnoatime",
            "mounts::recursive/rnodiratime",
            "mounts::recursive/rstrictatime",
            "mounts::recursive/together",
        ],
    ),
    (
        "a user namespace cannot bind a host mount without its submounts (mount_namespaces(7))",
        &["mounts::rbind_brings_submounts_and_bind_does_not"],
    ),
    ("the test prints ids as seen outside the container", &["mounts::option/owner"]),
    (
        "needs a capability in the host's user namespace, or ids that are not mapped",
        &["attributes::scheduler/SCHED_OTHER", "namespaces::sysctl/net.ipv4.ping_group_range"],
    ),
    (
        "the list has an additional user namespace, or its maps are needed",
        &["bad_input::config/namespace-twice", "bad_input::config/namespace-unknown", "bad_input::null_means_absent"],
    ),
    (
        "the test requests root's behaviour: no --rootless, or --rootless=false",
        &["cli::flags_in_both_spellings", "cli::spec_writes_a_config_that_runs"],
    ),
    (
        "the joining process is not accessible, so its listener is not either",
        &["seccomp_agent::an_exec_has_an_agent_of_its_own"],
    ),
    (
        "the seccomp filter needs no_new_privs here, which prevents newuidmap from gaining privileges",
        &["old_kernels::without/", "old_kernels::old_kernel_filter_blocks_newer_calls_and_flags"],
    ),
];

/// The reason why this test is expected to fail as an ordinary user.
pub(crate) fn reason(test: &str) -> Option<&'static str> {
    let listed = |name: &&str| *name == test || name.ends_with('/') && test.starts_with(name);
    LISTED.iter().find(|row| row.1.iter().any(listed)).map(|row| row.0)
}

/// Listed names that are not tests of the suite.
pub(crate) fn unknown(names: &[&str]) -> Vec<&'static str> {
    let exists =
        |listed: &str| names.iter().any(|name| *name == listed || listed.ends_with('/') && name.starts_with(listed));
    LISTED.iter().flat_map(|row| row.1).copied().filter(|listed| !exists(listed)).collect()
}
