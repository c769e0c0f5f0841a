# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_davit_global_optspecs
    string join \n root= log= log-format= debug timings systemd-cgroup cgroup-manager= rootless= criu= v/version h/help
end

function __fish_davit_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_davit_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_davit_using_subcommand
    set -l cmd (__fish_davit_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c davit -n "__fish_davit_needs_command" -l root -d 'Directory of the containers\' state [default: /run/davit; $XDG_RUNTIME_DIR/davit if not root]' -r -F
complete -c davit -n "__fish_davit_needs_command" -l log -d 'Append errors and warnings to FILE; errors are printed on stderr as well' -r -F
complete -c davit -n "__fish_davit_needs_command" -l log-format -d 'Format of the log: text or json' -r
complete -c davit -n "__fish_davit_needs_command" -l cgroup-manager -d 'How cgroups are created: cgroupfs, systemd or disabled [default: cgroupfs]' -r
complete -c davit -n "__fish_davit_needs_command" -l rootless -d 'Ignore failures of operations that need root: true, false or auto' -r
complete -c davit -n "__fish_davit_needs_command" -l debug -d 'Log each step'
complete -c davit -n "__fish_davit_needs_command" -l timings -d 'Report how long each step took: as a table, or as JSON with --log-format json'
complete -c davit -n "__fish_davit_needs_command" -l systemd-cgroup -d 'Let systemd create the cgroups; the same as --cgroup-manager systemd'
complete -c davit -n "__fish_davit_needs_command" -s v -l version -d 'Print the version, the commit and the specification\'s version'
complete -c davit -n "__fish_davit_needs_command" -s h -l help -d 'Print help'
complete -c davit -n "__fish_davit_needs_command" -f -a "create" -d 'Create a container without starting its program'
complete -c davit -n "__fish_davit_needs_command" -f -a "start" -d 'Start the program of a created container'
complete -c davit -n "__fish_davit_needs_command" -f -a "run" -d 'Create and start a container, wait until it exits and delete it'
complete -c davit -n "__fish_davit_needs_command" -f -a "exec" -d 'Run another process in a container'
complete -c davit -n "__fish_davit_needs_command" -f -a "state" -d 'Print the state of a container as JSON'
complete -c davit -n "__fish_davit_needs_command" -f -a "list" -d 'List the containers of this root directory'
complete -c davit -n "__fish_davit_needs_command" -f -a "ps" -d 'Show the processes of a container'
complete -c davit -n "__fish_davit_needs_command" -f -a "stats" -d 'Show the resource usage of containers, live'
complete -c davit -n "__fish_davit_needs_command" -f -a "events" -d 'Print the events and resource usage of a container'
complete -c davit -n "__fish_davit_needs_command" -f -a "pause" -d 'Suspend all processes of a container'
complete -c davit -n "__fish_davit_needs_command" -f -a "resume" -d 'Resume all processes of a paused container'
complete -c davit -n "__fish_davit_needs_command" -f -a "update" -d 'Change the limits and device rules of a container'
complete -c davit -n "__fish_davit_needs_command" -f -a "kill" -d 'Send a signal to a container\'s first process'
complete -c davit -n "__fish_davit_needs_command" -f -a "delete" -d 'Delete a stopped container: its cgroup and its state'
complete -c davit -n "__fish_davit_needs_command" -f -a "checkpoint" -d 'Save the processes of a running container'
complete -c davit -n "__fish_davit_needs_command" -f -a "restore" -d 'Create a container whose processes continue from a checkpoint'
complete -c davit -n "__fish_davit_needs_command" -f -a "spec" -d 'Write a default config.json'
complete -c davit -n "__fish_davit_needs_command" -f -a "plan" -d 'Show what creating a container from a bundle would do'
complete -c davit -n "__fish_davit_needs_command" -f -a "features" -d 'Print what this runtime supports as JSON'
complete -c davit -n "__fish_davit_using_subcommand create" -s b -l bundle -d 'Directory with config.json' -r -F
complete -c davit -n "__fish_davit_using_subcommand create" -l console-socket -d 'AF_UNIX socket that receives the master of the container\'s terminal' -r -F
complete -c davit -n "__fish_davit_using_subcommand create" -l pidfd-socket -d 'AF_UNIX socket that receives a pidfd of the container\'s first process' -r -F
complete -c davit -n "__fish_davit_using_subcommand create" -l pid-file -d 'Write the pid of the container\'s first process to FILE' -r -F
complete -c davit -n "__fish_davit_using_subcommand create" -l preserve-fds -d 'Pass N file descriptors, starting at 3, to the program' -r
complete -c davit -n "__fish_davit_using_subcommand create" -l no-pivot -d 'Change the root with chroot, for a root file system on an initramfs; less secure'
complete -c davit -n "__fish_davit_using_subcommand create" -l no-new-keyring -d 'Keep the caller\'s session keyring, sharing its keys'
complete -c davit -n "__fish_davit_using_subcommand create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand run" -s b -l bundle -d 'Directory with config.json' -r -F
complete -c davit -n "__fish_davit_using_subcommand run" -l console-socket -d 'AF_UNIX socket that receives the master of the container\'s terminal' -r -F
complete -c davit -n "__fish_davit_using_subcommand run" -l pidfd-socket -d 'AF_UNIX socket that receives a pidfd of the container\'s first process' -r -F
complete -c davit -n "__fish_davit_using_subcommand run" -l pid-file -d 'Write the pid of the container\'s first process to FILE' -r -F
complete -c davit -n "__fish_davit_using_subcommand run" -l preserve-fds -d 'Pass N file descriptors, starting at 3, to the program' -r
complete -c davit -n "__fish_davit_using_subcommand run" -l no-pivot -d 'Change the root with chroot, for a root file system on an initramfs; less secure'
complete -c davit -n "__fish_davit_using_subcommand run" -l no-new-keyring -d 'Keep the caller\'s session keyring, sharing its keys'
complete -c davit -n "__fish_davit_using_subcommand run" -s d -l detach -d 'Return as soon as the container runs'
complete -c davit -n "__fish_davit_using_subcommand run" -l keep -d 'Do not delete the container after it exits'
complete -c davit -n "__fish_davit_using_subcommand run" -l no-subreaper -d 'Do not become the parent of the container\'s orphaned processes'
complete -c davit -n "__fish_davit_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand exec" -l console-socket -d 'AF_UNIX socket that receives the master of the process\'s terminal' -r -F
complete -c davit -n "__fish_davit_using_subcommand exec" -l pidfd-socket -d 'AF_UNIX socket that receives a pidfd of the process' -r -F
complete -c davit -n "__fish_davit_using_subcommand exec" -l cwd -d 'Working directory in the container' -r -F
complete -c davit -n "__fish_davit_using_subcommand exec" -s e -l env -d 'Add NAME=value to the environment; may be repeated' -r
complete -c davit -n "__fish_davit_using_subcommand exec" -s u -l user -d 'Numeric user id, and group id if given' -r
complete -c davit -n "__fish_davit_using_subcommand exec" -s g -l additional-gids -d 'Numeric id of an additional group; may be repeated' -r
complete -c davit -n "__fish_davit_using_subcommand exec" -s p -l process -d 'Read the whole process from FILE' -r -F
complete -c davit -n "__fish_davit_using_subcommand exec" -l pid-file -d 'Write the pid of the process to FILE' -r -F
complete -c davit -n "__fish_davit_using_subcommand exec" -l process-label -d 'SELinux label of the process' -r
complete -c davit -n "__fish_davit_using_subcommand exec" -l apparmor -d 'AppArmor profile of the process' -r
complete -c davit -n "__fish_davit_using_subcommand exec" -s c -l cap -d 'Add a capability; may be repeated' -r
complete -c davit -n "__fish_davit_using_subcommand exec" -l preserve-fds -d 'Pass N file descriptors, starting at 3, to the command' -r
complete -c davit -n "__fish_davit_using_subcommand exec" -l cgroup -d 'Run in this cgroup below the container\'s own' -r
complete -c davit -n "__fish_davit_using_subcommand exec" -s t -l tty -d 'Give the process a terminal'
complete -c davit -n "__fish_davit_using_subcommand exec" -s d -l detach -d 'Return as soon as the command runs'
complete -c davit -n "__fish_davit_using_subcommand exec" -l no-new-privs -d 'Set no_new_privs: no execve may grant privileges'
complete -c davit -n "__fish_davit_using_subcommand exec" -l ignore-paused -d 'Add the process to a paused container; it waits for `davit resume`'
complete -c davit -n "__fish_davit_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand state" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand list" -s f -l format -d 'Format of the list' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c davit -n "__fish_davit_using_subcommand list" -s q -l quiet -d 'Print only the ids'
complete -c davit -n "__fish_davit_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand ps" -s f -l format -d 'Format of the output' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c davit -n "__fish_davit_using_subcommand ps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand stats" -s f -l format -d 'Format: a table, or a line with a JSON array for each sample' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c davit -n "__fish_davit_using_subcommand stats" -l no-stream -d 'Show the usage once'
complete -c davit -n "__fish_davit_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand events" -l interval -d 'Time between two `stats` events, such as 500ms or 1m30s' -r
complete -c davit -n "__fish_davit_using_subcommand events" -l stats -d 'Print the usage once'
complete -c davit -n "__fish_davit_using_subcommand events" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand update" -s r -l resources -d 'Read the limits from FILE, or from standard input if it is -' -r -F
complete -c davit -n "__fish_davit_using_subcommand update" -l blkio-weight -d 'Weight of block I/O, 10 to 1000' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l cpu-period -d 'Period of the CPU bandwidth, in microseconds' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l cpu-quota -d 'CPU time in each period, in microseconds' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l cpu-burst -d 'CPU time that may accumulate for bursts, in microseconds' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l cpu-share -d 'CPU shares, 2 to 262144' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l cpu-rt-period -d 'Period of real-time scheduling; not supported with cgroup v2' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l cpu-rt-runtime -d 'Real-time CPU time in each period; not supported with cgroup v2' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l cpuset-cpus -d 'CPUs to run on: 0-3,7' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l cpuset-mems -d 'Memory nodes to use: 0-1' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l cpu-idle -d '1: run only when no other process needs the CPU; 0: as usual' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l memory -d 'Memory limit' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l memory-reservation -d 'Memory that is not reclaimed while other memory can be (memory.low)' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l memory-swap -d 'Limit of memory and swap combined' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l pids-limit -d 'Maximum number of processes and threads' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l l3-cache-schema -d 'Intel RDT schema of the L3 cache: L3:0=ff;1=ff' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l mem-bw-schema -d 'Intel RDT schema of the memory bandwidth: MB:0=50;1=70' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l device-allow -d 'Allow access to devices: "c 10:229 rw" or /dev/fuse:rw' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l device-deny -d 'Deny access to devices, even if --device-allow allows it' -r
complete -c davit -n "__fish_davit_using_subcommand update" -l devices -d 'With --resources, replace the device rules by those of FILE'
complete -c davit -n "__fish_davit_using_subcommand update" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand delete" -s f -l force -d 'Kill the container first if it is running; succeed if it does not exist'
complete -c davit -n "__fish_davit_using_subcommand delete" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l image-path -d 'Directory of the images [default: ./checkpoint]' -r -F
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l work-path -d 'Directory of CRIU\'s log and other work files [default: the image directory]' -r -F
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l empty-ns -d 'Make a namespace without its content; only network is possible' -r
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l manage-cgroups-mode -d 'How CRIU treats cgroups: soft, full, strict or ignore [default: soft]' -r
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l parent-path -d 'Images of an earlier pre-dump, relative to the image directory' -r -F
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l status-fd -d 'File descriptor that gets a zero byte when memory can be transferred' -r
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l page-server -d 'Send memory to the page server at ADDRESS:PORT' -r
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l tcp-established -d 'Save or restore established TCP connections'
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l tcp-close -d 'Close established TCP connections instead of keeping them'
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l ext-unix-sk -d 'Accept Unix sockets whose other end is outside of the container'
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l shell-job -d 'Accept processes whose session or terminal is outside of the container'
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l file-locks -d 'Save or restore file locks'
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l lazy-pages -d 'Use userfaultfd to transfer memory when it is needed'
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l auto-dedup -d 'Remove memory from parent images that a later image has'
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l leave-running -d 'Let the container run on'
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l pre-dump -d 'Save only memory and let the container run on; a later checkpoint needs to save only what changed'
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l tcp-skip-in-flight -l skip-in-flight -d 'Leave out TCP connections that are being made'
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -l link-remap -d 'Link unlinked files that are open again where possible'
complete -c davit -n "__fish_davit_using_subcommand checkpoint" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand restore" -l image-path -d 'Directory of the images [default: ./checkpoint]' -r -F
complete -c davit -n "__fish_davit_using_subcommand restore" -l work-path -d 'Directory of CRIU\'s log and other work files [default: the image directory]' -r -F
complete -c davit -n "__fish_davit_using_subcommand restore" -l empty-ns -d 'Make a namespace without its content; only network is possible' -r
complete -c davit -n "__fish_davit_using_subcommand restore" -l manage-cgroups-mode -d 'How CRIU treats cgroups: soft, full, strict or ignore [default: soft]' -r
complete -c davit -n "__fish_davit_using_subcommand restore" -s b -l bundle -d 'Directory with config.json' -r -F
complete -c davit -n "__fish_davit_using_subcommand restore" -l console-socket -d 'AF_UNIX socket that receives the master of the container\'s terminal' -r -F
complete -c davit -n "__fish_davit_using_subcommand restore" -l pid-file -d 'Write the pid of the container\'s first process to FILE' -r -F
complete -c davit -n "__fish_davit_using_subcommand restore" -l lsm-profile -d 'Label of the restored processes, as TYPE:NAME' -r
complete -c davit -n "__fish_davit_using_subcommand restore" -l lsm-mount-context -d 'SELinux label of the restored mounts' -r
complete -c davit -n "__fish_davit_using_subcommand restore" -l tcp-established -d 'Save or restore established TCP connections'
complete -c davit -n "__fish_davit_using_subcommand restore" -l tcp-close -d 'Close established TCP connections instead of keeping them'
complete -c davit -n "__fish_davit_using_subcommand restore" -l ext-unix-sk -d 'Accept Unix sockets whose other end is outside of the container'
complete -c davit -n "__fish_davit_using_subcommand restore" -l shell-job -d 'Accept processes whose session or terminal is outside of the container'
complete -c davit -n "__fish_davit_using_subcommand restore" -l file-locks -d 'Save or restore file locks'
complete -c davit -n "__fish_davit_using_subcommand restore" -l lazy-pages -d 'Use userfaultfd to transfer memory when it is needed'
complete -c davit -n "__fish_davit_using_subcommand restore" -l auto-dedup -d 'Remove memory from parent images that a later image has'
complete -c davit -n "__fish_davit_using_subcommand restore" -s d -l detach -d 'Return as soon as the container runs'
complete -c davit -n "__fish_davit_using_subcommand restore" -l keep -d 'Do not delete the container after it exits'
complete -c davit -n "__fish_davit_using_subcommand restore" -l no-subreaper -d 'Do not become the parent of the container\'s orphaned processes'
complete -c davit -n "__fish_davit_using_subcommand restore" -l no-pivot -d 'Refused: CRIU enters the root with pivot_root'
complete -c davit -n "__fish_davit_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand spec" -s b -l bundle -d 'Directory to write config.json into' -r -F
complete -c davit -n "__fish_davit_using_subcommand spec" -l rootless -d 'For an unprivileged user: in a user namespace that maps the caller to root'
complete -c davit -n "__fish_davit_using_subcommand spec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand plan" -s f -l format -d 'Format of the plan' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c davit -n "__fish_davit_using_subcommand plan" -l host -d 'Plan for the host that FILE describes' -r -F
complete -c davit -n "__fish_davit_using_subcommand plan" -l against -d 'Show the differences from the plan of OTHER: a bundle, a config.json or a container' -r
complete -c davit -n "__fish_davit_using_subcommand plan" -l no-pivot -d 'Plan without pivot_root, as create --no-pivot'
complete -c davit -n "__fish_davit_using_subcommand plan" -l no-new-keyring -d 'Plan without a session keyring, as create --no-new-keyring'
complete -c davit -n "__fish_davit_using_subcommand plan" -l ignore-ids -d 'With --against, words of 12 or more hexadecimal digits do not count: the ids that engines generate'
complete -c davit -n "__fish_davit_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c davit -n "__fish_davit_using_subcommand features" -s h -l help -d 'Print help (see more with \'--help\')'

function __fish_davit_containers
    set -l cmd (commandline -opc)
    set -l davit $cmd[1]
    set -e cmd[1]
    argparse -s (__fish_davit_global_optspecs) -- $cmd 2>/dev/null
    set -q _flag_root; and set davit $davit --root $_flag_root
    $davit list --quiet 2>/dev/null
end
complete -c davit -n "__fish_davit_using_subcommand start exec state ps stats events pause resume update kill delete checkpoint restore" -f -a "(__fish_davit_containers)"
