// The kernel's price of a container: nothing but the system calls that one needs, with no runtime around them.
//
//   floor run ROOTFS CGROUP PROGRAM    a new cgroup; a process born in it and in new mount, uts, ipc, net, pid and cgroup
//                                      namespaces; the six mounts of the default configuration; pivot_root; execve; wait
//   floor rss OUT PROGRAM [ARG...]     run PROGRAM, write the peak resident set of its process tree, in KiB, into OUT
//
// It knows no configuration, keeps no state, protects nothing and must not run anything that is not trusted.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(long result, const char *what) {
	if (result >= 0) return;
	dprintf(2, "floor: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static void attach(const char *type, const char *target, unsigned long flags, const char *data) {
	check(mount(type, target, type, flags, data), target);
}

static void contain(const char *rootfs, char *program) {
	const unsigned long inert = MS_NOSUID | MS_NOEXEC | MS_NODEV;
	check(unshare(CLONE_NEWCGROUP), "unshare");
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
	check(sethostname("floor", 5), "sethostname");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "umount2");
	check(chdir("/"), "chdir");
	char *argv[] = {program, NULL}, *envp[] = {NULL};
	check(execve(program, argv, envp), program);
}

static int run(const char *rootfs, const char *cgroup, char *program) {
	check(mkdir(cgroup, 0755), cgroup);
	int fd = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	check(fd, cgroup);
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)fd,
	};
	long pid = syscall(SYS_clone3, &args, sizeof args);
	check(pid, "clone3");
	if (pid == 0) contain(rootfs, program);
	int status;
	check(waitpid((pid_t)pid, &status, 0), "waitpid");
	check(rmdir(cgroup), cgroup);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int rss(const char *out, char **argv) {
	// vfork: the child's peak counts what it ran in before its execve, and that should be no more than this small program.
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
	if (argc == 5 && !strcmp(argv[1], "run")) return run(argv[2], argv[3], argv[4]);
	if (argc > 3 && !strcmp(argv[1], "rss")) return rss(argv[2], argv + 3);
	dprintf(2, "usage: floor run ROOTFS CGROUP PROGRAM | floor rss OUT PROGRAM [ARG...]\n");
	return 2;
}
