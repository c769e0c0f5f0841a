// The kernel's price of a container: nothing but the system calls that one needs, with no runtime around them.
//
//   floor run ROOTFS CGROUP PROGRAM [SOURCE COUNT]   a new cgroup; a process born in it and in new mount, uts, ipc, net, pid
//                                      and cgroup namespaces; the six mounts of the default configuration, and COUNT binds of
//                                      SOURCE on /m/N; pivot_root; execve; wait
//   floor create ROOTFS CGROUP PROGRAM FIFO PIDFILE   the same up to the execve, before which the process waits at FIFO
//   floor start FIFO                   the word for it to go on
//   floor delete CGROUP FIFO           removes both
//   floor calls                        what a system call costs the caller in ns: one of which filters look at the number alone,
//                                      and one whose argument they look at
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
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void check(long result, const char *what) {
	if (result >= 0) return;
	dprintf(2, "floor: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static void attach(const char *type, const char *target, unsigned long flags, const char *data) {
	check(mount(type, target, type, flags, data), target);
}

static void bind_many(const char *source, int count) {
	// The places stay in the root file system, as a runtime's do.
	check(mkdir("m", 0755) && errno != EEXIST ? -1 : 0, "m");
	for (int n = 0; n < count; n++) {
		char target[32];
		snprintf(target, sizeof target, "m/%d", n);
		check(mkdir(target, 0755) && errno != EEXIST ? -1 : 0, target);
		check(mount(source, target, NULL, MS_BIND, NULL), target);
	}
}

// Where a process waits for its start, and says that it does.
struct gate { int fifo, ready; };

static void contain(const char *rootfs, char *program, const char *source, int count, struct gate *gate) {
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
	if (count) bind_many(source, count);
	check(sethostname("floor", 5), "sethostname");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "umount2");
	check(chdir("/"), "chdir");
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
	if (argc == 5 && !strcmp(argv[1], "run")) return run(argv[2], argv[3], argv[4], NULL, 0);
	if (argc == 7 && !strcmp(argv[1], "run")) return run(argv[2], argv[3], argv[4], argv[5], atoi(argv[6]));
	if (argc == 7 && !strcmp(argv[1], "create")) return create(argv[2], argv[3], argv[4], argv[5], argv[6]);
	if (argc == 3 && !strcmp(argv[1], "start")) return start(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "delete")) return delete(argv[2], argv[3]);
	if (argc == 2 && !strcmp(argv[1], "calls")) return calls();
	if (argc > 3 && !strcmp(argv[1], "rss")) return rss(argv[2], argv + 3);
	dprintf(2, "usage: floor run|create|start|delete|calls|rss ..., as the head of floor.c says\n");
	return 2;
}
