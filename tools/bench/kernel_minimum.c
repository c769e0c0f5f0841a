// Measures the kernel minimum of a container: only the system calls that the default configuration (davit spec) needs,
// hard-coded, without a runtime.
//
//   minimum run ROOTFS CGROUP PROGRAM [SOURCE COUNT]   a new cgroup with a device program; a process cloned into it and into new mount,
//                                      uts, ipc, net, pid and cgroup namespaces; the mounts, devices, masks and capabilities of
//                                      the default configuration, and COUNT binds of SOURCE on /m/N; pivot_root; execve; wait
//   minimum create ROOTFS CGROUP PROGRAM FIFO PIDFILE   the same up to the execve, before which the process waits at FIFO
//   minimum start FIFO                   lets that process continue
//   minimum delete CGROUP FIFO           removes both
//   minimum calls                        the cost of a system call in ns: one for which filters check only the number,
//                                      and one for which they check an argument
//   minimum rss OUT PROGRAM [ARG...]     run PROGRAM, write the peak resident set of its process tree, in KiB, into OUT
//
// It reads no configuration, keeps no state and does not protect the host from the image. Run only trusted programs with it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void check(long result, const char *what) {
	if (result >= 0) return;
	dprintf(2, "minimum: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static void attach(const char *type, const char *target, unsigned long flags, const char *data) {
	check(mount(type, target, type, flags, data), target);
}

static const struct { const char *path; unsigned minor, major; } nodes[] = {
	{"dev/null", 3, 1}, {"dev/zero", 5, 1}, {"dev/full", 7, 1}, {"dev/random", 8, 1}, {"dev/urandom", 9, 1}, {"dev/tty", 0, 5},
};
static const char *const links[][2] = {
	{"/proc/self/fd", "dev/fd"}, {"/proc/self/fd/0", "dev/stdin"}, {"/proc/self/fd/1", "dev/stdout"},
	{"/proc/self/fd/2", "dev/stderr"}, {"/proc/kcore", "dev/core"}, {"pts/ptmx", "dev/ptmx"},
};
static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
static const char *const masked[] = {
	"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
	"/proc/sched_debug", "/sys/firmware", "/proc/scsi",
};
#define EACH(n, list) for (size_t n = 0; n < sizeof(list) / sizeof *(list); n++)

// The smallest possible device program. It is attached before any process is in the cgroup.
static void allow_devices(int cgroup) {
	const struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1}, {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr load = {0}, attach = {0};
	load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load.insn_cnt = sizeof insns / sizeof *insns;
	load.insns = (uint64_t)insns;
	load.license = (uint64_t)"Apache-2.0";
	long program = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
	check(program, "bpf");
	attach.attach_type = BPF_CGROUP_DEVICE;
	attach.target_fd = (uint32_t)cgroup;
	attach.attach_bpf_fd = (uint32_t)program;
	check(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach), "bpf");
	close((int)program);
}

static void make_devices(void) {
	EACH(n, nodes) check(mknod(nodes[n].path, S_IFCHR | 0666, makedev(nodes[n].major, nodes[n].minor)), nodes[n].path);
	EACH(n, links) check(symlink(links[n][0], links[n][1]), links[n][1]);
}

static void loopback_up(void) {
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	check(fd, "socket");
	check(ioctl(fd, SIOCSIFFLAGS, &request), "lo");
	close(fd);
}

// The read-only and masked paths of /proc and /sys. Missing paths are skipped.
static void cover(void) {
	EACH(n, read_only) {
		if (mount(read_only[n], read_only[n], NULL, MS_BIND, NULL) < 0) continue;
		check(mount(NULL, read_only[n], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "ro");
	}
	EACH(n, masked) {
		if (mount("/dev/null", masked[n], NULL, MS_BIND, NULL) == 0 || errno != ENOTDIR) continue;
		check(mount("tmpfs", masked[n], "tmpfs", MS_RDONLY, NULL), masked[n]);
	}
}

static void give_up(void) {
	const uint32_t kept = 1u << CAP_AUDIT_WRITE | 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {{.effective = kept, .permitted = kept}, {0}};
	struct rlimit files = {1024, 1024};
	check(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!(kept >> (cap & 31) & (cap < 32))) check(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0), "bounding set");
	check(syscall(SYS_capset, &header, sets), "capset");
}

static void bind_many(const char *source, int count) {
	// The mount points stay in the root file system, as with a runtime.
	check(mkdir("m", 0755) && errno != EEXIST ? -1 : 0, "m");
	for (int n = 0; n < count; n++) {
		char target[32];
		snprintf(target, sizeof target, "m/%d", n);
		check(mkdir(target, 0755) && errno != EEXIST ? -1 : 0, target);
		check(mount(source, target, NULL, MS_BIND, NULL), target);
	}
}

// Reports that the process is ready, and waits for `start`.
struct gate { int fifo, ready; };

static void contain(const char *rootfs, char *program, const char *source, int count, struct gate *gate) {
	const unsigned long inert = MS_NOSUID | MS_NOEXEC | MS_NODEV;
	umask(0);
	check(unshare(CLONE_NEWCGROUP), "unshare");
	check(setsid(), "setsid");
	check(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL), "keyctl");
	loopback_up();
	check(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "/");
	check(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
	check(chdir(rootfs), rootfs);
	attach("proc", "proc", 0, NULL);
	attach("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
	check(mkdir("dev/pts", 0755), "dev/pts");
	attach("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	check(mkdir("dev/shm", 0755), "dev/shm");
	attach("tmpfs", "dev/shm", inert, "mode=1777,size=65536k");
	check(mkdir("dev/mqueue", 0755), "dev/mqueue");
	attach("mqueue", "dev/mqueue", inert, NULL);
	attach("sysfs", "sys", inert | MS_RDONLY, NULL);
	attach("cgroup2", "sys/fs/cgroup", inert | MS_RDONLY, NULL);
	make_devices();
	if (count) bind_many(source, count);
	check(sethostname("minimum", 5), "sethostname");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "umount2");
	check(chdir("/"), "chdir");
	cover();
	give_up();
	char word = 1;
	if (gate) {
		check(write(gate->ready, &word, 1), "ready");
		check(read(gate->fifo, &word, 1), "fifo");
	}
	char *argv[] = {program, NULL}, *envp[] = {NULL};
	check(execve(program, argv, envp), program);
}

static pid_t born(const char *rootfs, const char *cgroup, char *program, const char *source, int count, struct gate *gate) {
	check(mkdir(cgroup, 0755), cgroup);
	int fd = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	check(fd, cgroup);
	allow_devices(fd);
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)fd,
	};
	long pid = syscall(SYS_clone3, &args, sizeof args);
	check(pid, "clone3");
	if (pid == 0) contain(rootfs, program, source, count, gate);
	return (pid_t)pid;
}

static int run(const char *rootfs, const char *cgroup, char *program, const char *source, int count) {
	pid_t pid = born(rootfs, cgroup, program, source, count, NULL);
	int status;
	check(waitpid(pid, &status, 0), "waitpid");
	check(rmdir(cgroup), cgroup);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int create(const char *rootfs, const char *cgroup, char *program, const char *fifo, const char *pidfile) {
	int ends[2];
	check(pipe2(ends, O_CLOEXEC), "pipe2");
	check(mkfifo(fifo, 0600), fifo);
	struct gate gate = {.fifo = open(fifo, O_RDWR | O_CLOEXEC), .ready = ends[1]};
	check(gate.fifo, fifo);
	pid_t pid = born(rootfs, cgroup, program, NULL, 0, &gate);
	close(ends[1]);
	char word;
	if (read(ends[0], &word, 1) != 1) return 125;
	int out = open(pidfile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	check(out, pidfile);
	dprintf(out, "%d", pid);
	return 0;
}

static int start(const char *fifo) {
	int fd = open(fifo, O_WRONLY | O_CLOEXEC);
	check(fd, fifo);
	check(write(fd, "", 1), fifo);
	return 0;
}

static int delete(const char *cgroup, const char *fifo) {
	check(rmdir(cgroup), cgroup);
	check(unlink(fifo), fifo);
	return 0;
}

static double since(const struct timespec *begin, int count) {
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ((double)(end.tv_sec - begin->tv_sec) * 1e9 + (double)(end.tv_nsec - begin->tv_nsec)) / count;
}

static int calls(void) {
	enum { COUNT = 200000 };
	struct timespec begin;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int n = 0; n < COUNT; n++) syscall(SYS_getppid);
	double plain = since(&begin, COUNT);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int n = 0; n < COUNT; n++) personality(0xffffffff);
	printf("%.1f %.1f\n", plain, since(&begin, COUNT));
	return 0;
}

static int rss(const char *out, char **argv) {
	// vfork, because the child's peak includes its memory before execve, which should be no more than this small program's.
	pid_t pid = vfork();
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(125);
	}
	check(pid, "vfork");
	int status;
	struct rusage usage;
	check(wait4(pid, &status, 0, &usage), "wait4");
	FILE *file = fopen(out, "w");
	check(file ? 0 : -1, out);
	fprintf(file, "%ld\n", usage.ru_maxrss);
	fclose(file);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
	if (argc == 5 && !strcmp(argv[1], "run")) return run(argv[2], argv[3], argv[4], NULL, 0);
	if (argc == 7 && !strcmp(argv[1], "run")) return run(argv[2], argv[3], argv[4], argv[5], atoi(argv[6]));
	if (argc == 7 && !strcmp(argv[1], "create")) return create(argv[2], argv[3], argv[4], argv[5], argv[6]);
	if (argc == 3 && !strcmp(argv[1], "start")) return start(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "delete")) return delete(argv[2], argv[3]);
	if (argc == 2 && !strcmp(argv[1], "calls")) return calls();
	if (argc > 3 && !strcmp(argv[1], "rss")) return rss(argv[2], argv + 3);
	dprintf(2, "usage: minimum run|create|start|delete|calls|rss ..., as the head of kernel_minimum.c says\n");
	return 2;
}
