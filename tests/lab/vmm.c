/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small VMM for the lab: N vCPUs, an in-kernel GICv2 or GICv3 or an interrupt
 * controller of its own in user space, one page of registers.  It exists to act
 * scenarios whose truth is known, so it prints what it knows (--print-ids,
 * --stats) for tests to compare with.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "board.h"

#define MAX_VCPUS 8
#define MAX_PINS 16

struct vcpu {
	unsigned int index, id;
	int fd;
	pid_t tid;
	pthread_t thread;
	struct kvm_run *run;
	struct kvm_vcpu_init init;
	uint32_t irq_enable, irq_level;	/* userspace irqchip */
	char line[256];
	size_t line_len;
};

static struct {
	const char *image, *name;
	char params[PARAM_SIZE];
	int gic;		/* 3, 2, 0 = in user space, -1 = what the host has */
	unsigned int nr_vcpus, id_base, repeat, timeout_s, migrate_ms;
	unsigned int vtimer_ppi, ptimer_ppi;
	int pin[MAX_PINS], nr_pins;
	bool preempt, stats, print_ids, log_irq, hold;
} opt = { .name = "vmm", .gic = -1, .nr_vcpus = 1, .repeat = 1 };

static struct {
	int kvm, vm, gic_fd;
	size_t run_size;
	void *ram;
	struct vcpu vcpu[MAX_VCPUS];
	bool irq_line_by_id;	/* what KVM_IRQ_LINE calls a vCPU: its id or its index */
	volatile sig_atomic_t stop;	/* 0 run, 1 guest done, 2 signal */
	volatile int status;
} vm;

__attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "vmm: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* ---- stopping: every vCPU leaves KVM_RUN, also one that sleeps in WFI ---- */

static void kick_all(void)
{
	for (unsigned int i = 0; i < opt.nr_vcpus; i++) {
		struct vcpu *v = &vm.vcpu[i];

		if (v->run)
			v->run->immediate_exit = 1;
		if (v->tid)
			syscall(SYS_tgkill, getpid(), v->tid, SIGUSR1);
	}
}

static void on_signal(int sig)
{
	(void)sig;
	vm.stop = 2;
	kick_all();
}

static void on_kick(int sig)
{
	(void)sig;
}

/* ---- building the VM ---- */

static int device_attr(int fd, uint32_t group, uint64_t attr, void *addr)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uint64_t)addr };

	return ioctl(fd, KVM_SET_DEVICE_ATTR, &a);
}

static int create_gic(int version)
{
	struct kvm_create_device d = {
		.type = version == 3 ? KVM_DEV_TYPE_ARM_VGIC_V3 : KVM_DEV_TYPE_ARM_VGIC_V2,
	};
	uint64_t dist = GICD_BASE, cpu = version == 3 ? GICR_BASE : GICC_BASE;

	if (ioctl(vm.vm, KVM_CREATE_DEVICE, &d))
		return -1;
	vm.gic_fd = d.fd;
	if (device_attr(d.fd, KVM_DEV_ARM_VGIC_GRP_ADDR,
			version == 3 ? KVM_VGIC_V3_ADDR_TYPE_DIST : KVM_VGIC_V2_ADDR_TYPE_DIST, &dist) ||
	    device_attr(d.fd, KVM_DEV_ARM_VGIC_GRP_ADDR,
			version == 3 ? KVM_VGIC_V3_ADDR_TYPE_REDIST : KVM_VGIC_V2_ADDR_TYPE_CPU, &cpu))
		die("cannot place the GICv%d: %s", version, strerror(errno));
	return 0;
}

static void create_irqchip(void)
{
	int want = opt.gic;

	if (want == 0) {
		if (ioctl(vm.kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_USER_IRQ) <= 0)
			die("this kernel has no KVM_CAP_ARM_USER_IRQ: --gic none needs 4.12 or later");
		return;
	}
	if ((want < 0 || want == 3) && !create_gic(3)) {
		opt.gic = 3;
		return;
	}
	if ((want < 0 || want == 2) && !create_gic(2)) {
		opt.gic = 2;
		return;
	}
	die("this host cannot give a guest a GICv%d (%s): try another --gic", want < 0 ? 2 : want,
	    strerror(errno));
}

static void init_gic(void)
{
	uint32_t nr_irqs = 64;

	if (!opt.gic)
		return;
	device_attr(vm.gic_fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &nr_irqs);
	if (device_attr(vm.gic_fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL))
		die("cannot initialise the GICv%d: %s", opt.gic, strerror(errno));
}

static void set_reg(struct vcpu *v, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)&value };

	if (ioctl(v->fd, KVM_SET_ONE_REG, &reg))
		die("cannot set register %#llx: %s", (unsigned long long)id, strerror(errno));
}

#define CORE(x) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(x))

/* KVM_ARM_VCPU_INIT: the first time it makes the vCPU usable, later it resets it. */
static void init_vcpu(struct vcpu *v)
{
	if (ioctl(v->fd, KVM_ARM_VCPU_INIT, &v->init))
		die("cannot initialise vCPU %u: %s", v->id, strerror(errno));
	if (v->index)
		return;
	set_reg(v, CORE(regs.pc), RAM_BASE);
	set_reg(v, CORE(regs.regs[0]), PARAM_BASE);
}

static void create_vcpu(struct vcpu *v, unsigned int index)
{
	memset(v, 0, sizeof(*v));
	v->index = index;
	v->id = opt.id_base + index;
	v->fd = ioctl(vm.vm, KVM_CREATE_VCPU, (unsigned long)v->id);
	if (v->fd < 0)
		die("cannot create vCPU %u: %s", v->id, strerror(errno));
	if (ioctl(vm.vm, KVM_ARM_PREFERRED_TARGET, &v->init))
		die("no preferred target: %s", strerror(errno));
	v->init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
	if (index)
		v->init.features[0] |= 1u << KVM_ARM_VCPU_POWER_OFF;
	init_vcpu(v);
	v->run = mmap(NULL, vm.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED)
		die("cannot map the run page: %s", strerror(errno));
}

static void set_ppis(struct vcpu *v)
{
	int vtimer = opt.vtimer_ppi, ptimer = opt.ptimer_ppi;

	if ((vtimer && device_attr(v->fd, KVM_ARM_VCPU_TIMER_CTRL, KVM_ARM_VCPU_TIMER_IRQ_VTIMER, &vtimer)) ||
	    (ptimer && device_attr(v->fd, KVM_ARM_VCPU_TIMER_CTRL, KVM_ARM_VCPU_TIMER_IRQ_PTIMER, &ptimer)))
		die("cannot move the timers' PPIs: %s%s", strerror(errno),
		    opt.gic ? "" : " (the kernel moves PPIs of a VM with a vgic only: leave out --gic none)");
}

/* ---- the interrupt controller in user space ---- */

static int irq_line(unsigned int vcpu, bool level)
{
	struct kvm_irq_level irq = {
		.irq = KVM_ARM_IRQ_TYPE_CPU << KVM_ARM_IRQ_TYPE_SHIFT | KVM_ARM_IRQ_CPU_IRQ |
		       (vcpu & KVM_ARM_IRQ_VCPU_MASK) << KVM_ARM_IRQ_VCPU_SHIFT |
		       (vcpu / (KVM_ARM_IRQ_VCPU_MASK + 1) & KVM_ARM_IRQ_VCPU2_MASK) << KVM_ARM_IRQ_VCPU2_SHIFT,
		.level = level,
	};

	return ioctl(vm.vm, KVM_IRQ_LINE, &irq);
}

/*
 * KVM_IRQ_LINE took the vCPU's index up to 6.6 (seen: 5.10, 6.1), its id since (6.12, 7.2).
 * While vCPU 0 is the only one and has another id, number 0 exists only as an index.
 */
static void probe_irq_line(void)
{
	if (!opt.gic && opt.id_base)
		vm.irq_line_by_id = irq_line(0, false) != 0;
}

static void sync_irq(struct vcpu *v)
{
	uint32_t level = v->run->s.regs.device_irq_level;

	if (opt.gic)
		return;
	if (level != v->irq_level && opt.log_irq)
		fprintf(stderr, "vmm: vcpu %u device_irq_level %u -> %u\n", v->id, v->irq_level, level);
	v->irq_level = level;
	if (irq_line(vm.irq_line_by_id ? v->id : v->index, level & v->irq_enable))
		die("cannot drive the interrupt line: %s", strerror(errno));
}

/* ---- all of it ---- */

static void load_image(void)
{
	int fd = open(opt.image, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		die("cannot open guest %s: %s", opt.image, strerror(errno));
	n = read(fd, vm.ram, RAM_SIZE / 2);
	close(fd);
	if (n <= 0)
		die("cannot read guest %s", opt.image);
	snprintf((char *)vm.ram + (PARAM_BASE - RAM_BASE), PARAM_SIZE, "gic=%d vcpus=%u vppi=%u pppi=%u %s",
		 opt.gic, opt.nr_vcpus, opt.vtimer_ppi ? opt.vtimer_ppi : 27,
		 opt.ptimer_ppi ? opt.ptimer_ppi : 30, opt.params);
}

static void open_vm(void)
{
	vm.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm.kvm < 0)
		die("cannot open /dev/kvm (%s): KVM needs EL2, and root or group kvm", strerror(errno));
	vm.vm = ioctl(vm.kvm, KVM_CREATE_VM, 0);
	if (vm.vm < 0)
		die("cannot create a VM: %s", strerror(errno));
}

static void create_vm(void)
{
	struct kvm_userspace_memory_region ram = { .guest_phys_addr = RAM_BASE,
						   .memory_size = RAM_SIZE };

	open_vm();
	vm.run_size = ioctl(vm.kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vm.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm.ram == MAP_FAILED)
		die("no memory for the guest");
	ram.userspace_addr = (uint64_t)vm.ram;
	if (ioctl(vm.vm, KVM_SET_USER_MEMORY_REGION, &ram))
		die("cannot give the guest its memory: %s", strerror(errno));
	create_irqchip();
	for (unsigned int i = 0; i < opt.nr_vcpus; i++) {
		create_vcpu(&vm.vcpu[i], i);
		if (!i)
			probe_irq_line();
	}
	init_gic();
	set_ppis(&vm.vcpu[0]);
	load_image();
}

static void destroy_vm(void)
{
	for (unsigned int i = 0; i < opt.nr_vcpus; i++) {
		munmap(vm.vcpu[i].run, vm.run_size);
		close(vm.vcpu[i].fd);
	}
	if (opt.gic)
		close(vm.gic_fd);
	close(vm.vm);
	close(vm.kvm);
	munmap(vm.ram, RAM_SIZE);
}

/* ---- registers ---- */

static void put_char(struct vcpu *v, char c)
{
	v->line[v->line_len++] = c;
	if (c != '\n' && v->line_len < sizeof(v->line))
		return;
	if (write(STDOUT_FILENO, v->line, v->line_len) < 0)
		vm.status = 1;
	v->line_len = 0;
}

static void mmio_write(struct vcpu *v, uint64_t addr, uint64_t value)
{
	switch (addr) {
	case DEV_PUTCHAR:
		put_char(v, value);
		break;
	case DEV_EXIT:
		vm.status = value != 0;
		vm.stop = 1;
		kick_all();
		break;
	case DEV_SLEEP_US:
		usleep(value);
		break;
	case DEV_IRQ_ENABLE:
		v->irq_enable = value;
		break;
	case DEV_RESET:
		init_vcpu(v);
		break;
	case DEV_VTIMER_CTL:
		set_reg(v, KVM_REG_ARM_TIMER_CTL, value);
		break;
	case DEV_NOP:
		break;
	default:
		die("guest wrote to %#llx, where nothing is", (unsigned long long)addr);
	}
}

static uint64_t mmio_read(struct vcpu *v, uint64_t addr)
{
	switch (addr) {
	case DEV_IRQ_PENDING:
		return v->run->s.regs.device_irq_level & v->irq_enable;
	case DEV_NOP:
		return 0;
	}
	die("guest read from %#llx, where nothing is", (unsigned long long)addr);
}

static void on_mmio(struct vcpu *v)
{
	struct kvm_run *r = v->run;
	uint64_t value = 0;

	if (r->mmio.is_write) {
		memcpy(&value, r->mmio.data, r->mmio.len);
		mmio_write(v, r->mmio.phys_addr, value);
	} else {
		value = mmio_read(v, r->mmio.phys_addr);
		memcpy(r->mmio.data, &value, r->mmio.len);
	}
}

/* ---- running ---- */

static void pin_thread(unsigned int index)
{
	cpu_set_t set;

	if (!opt.nr_pins)
		return;
	CPU_ZERO(&set);
	CPU_SET(opt.pin[index % opt.nr_pins], &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot pin vCPU %u to CPU %d: %s", index, opt.pin[index % opt.nr_pins], strerror(errno));
}

static void *run_vcpu(void *arg)
{
	struct vcpu *v = arg;
	char name[32];

	snprintf(name, sizeof(name), "%s/%u", opt.name, v->id);
	prctl(PR_SET_NAME, name);
	v->tid = syscall(SYS_gettid);
	pin_thread(v->index);
	if (opt.print_ids) {
		fprintf(stderr, "vmm: ids tgid=%d tid=%d vcpu_id=%u vcpu_idx=%u name=%s\n", getpid(),
			v->tid, v->id, v->index, name);
	}
	while (!vm.stop) {
		int ret = ioctl(v->fd, KVM_RUN, 0), err = errno;

		if (ret && err != EINTR && err != EAGAIN)
			die("vCPU %u: KVM_RUN: %s", v->id, strerror(err));
		sync_irq(v);
		if (ret)
			continue;
		if (v->run->exit_reason == KVM_EXIT_MMIO)
			on_mmio(v);
		else if (v->run->exit_reason == KVM_EXIT_SYSTEM_EVENT)
			vm.stop = 1;
		else if (v->run->exit_reason != KVM_EXIT_INTR)
			die("vCPU %u: exit reason %u", v->id, v->run->exit_reason);
		/* An access to the enable register moves the line too. */
		sync_irq(v);
	}
	return NULL;
}

/* ---- disturbers: scheduling that a vCPU has to live with ---- */

static void *migrate(void *arg)
{
	long nr = sysconf(_SC_NPROCESSORS_ONLN);

	(void)arg;
	for (unsigned int turn = 0; !vm.stop; turn++) {
		usleep(opt.migrate_ms * 1000);
		for (unsigned int i = 0; i < opt.nr_vcpus; i++) {
			cpu_set_t set;

			CPU_ZERO(&set);
			CPU_SET((turn + i) % nr, &set);
			if (vm.vcpu[i].tid)
				sched_setaffinity(vm.vcpu[i].tid, sizeof(set), &set);
		}
	}
	return NULL;
}

static void *compete(void *arg)
{
	(void)arg;
	pin_thread(0);
	while (!vm.stop)
		for (volatile int i = 0; i < 1000000; i++)
			;
	return NULL;
}

static void *watchdog(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < opt.timeout_s * 10 && !vm.stop; i++)
		usleep(100000);
	if (!vm.stop) {
		vm.status = 124;
		on_signal(0);
	}
	return NULL;
}

/* ---- what KVM itself counted: the sum over the VM's vCPUs, from debugfs ---- */

static uint64_t read_stat(const char *dir, const char *name)
{
	char path[640], text[64];
	uint64_t v = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	memset(text, 0, sizeof(text));
	if (read(fd, text, sizeof(text) - 1) > 0)
		v = strtoull(text, NULL, 10);
	close(fd);
	return v;
}

static void print_stats(void)
{
	static const char *const stats[] = { "exits", "hvc_exit_stat", "wfi_exit_stat", "wfe_exit_stat",
					     "mmio_exit_user", "mmio_exit_kernel" };
	char dir[512];

	snprintf(dir, sizeof(dir), "/sys/kernel/debug/kvm/%d-%d", getpid(), vm.vm);
	fprintf(stderr, "vmm: stats");
	for (size_t i = 0; i < sizeof(stats) / sizeof(stats[0]); i++)
		fprintf(stderr, " %s=%llu", stats[i], (unsigned long long)read_stat(dir, stats[i]));
	fputc('\n', stderr);
}

static void run_vm(void)
{
	pthread_t migrator, competitor, dog;

	vm.stop = 0;
	create_vm();
	for (unsigned int i = 0; i < opt.nr_vcpus; i++)
		if (pthread_create(&vm.vcpu[i].thread, NULL, run_vcpu, &vm.vcpu[i]))
			die("cannot start a thread");
	if (opt.migrate_ms)
		pthread_create(&migrator, NULL, migrate, NULL);
	if (opt.preempt)
		pthread_create(&competitor, NULL, compete, NULL);
	if (opt.timeout_s)
		pthread_create(&dog, NULL, watchdog, NULL);
	for (unsigned int i = 0; i < opt.nr_vcpus; i++)
		pthread_join(vm.vcpu[i].thread, NULL);
	if (opt.migrate_ms)
		pthread_join(migrator, NULL);
	if (opt.preempt)
		pthread_join(competitor, NULL);
	if (opt.timeout_s)
		pthread_join(dog, NULL);
	if (opt.stats)
		print_stats();
	destroy_vm();
}

/* ---- options ---- */

static const char usage[] =
	"usage: vmm [options] GUEST [key=value ...]\n"
	"  --gic 2|3|none      in-kernel GIC, or none: interrupts handled here (default: host's)\n"
	"  --vcpus N           1 to 8\n"
	"  --name NAME         threads are called NAME/ID\n"
	"  --pin LIST          CPUs for the vCPUs, round robin: 0,1\n"
	"  --migrate MS        move every vCPU to the next CPU every MS milliseconds\n"
	"  --preempt           a busy thread competes with vCPU 0\n"
	"  --id-base N         first vcpu_id, so that id and index differ; up to 6.6 KVM itself\n"
	"                      takes one for the other and a vgic's timers reach the wrong vCPU\n"
	"  --vtimer-ppi N, --ptimer-ppi N\n"
	"  --repeat N          create, run and destroy the VM N times\n"
	"  --timeout S         give up after S seconds, status 124\n"
	"  --print-ids --stats --log-irq   tell on stderr\n"
	"  --hold              no guest: a VM without vCPUs that stays until a signal\n";

static unsigned int number(const char *s, const char *what)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (!*s || *end || v > 1000000)
		die("%s: \"%s\" is not a number", what, s);
	return v;
}

static void parse_pins(char *list)
{
	for (char *s = strtok(list, ","); s && opt.nr_pins < MAX_PINS; s = strtok(NULL, ","))
		opt.pin[opt.nr_pins++] = number(s, "--pin");
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "gic", 1, 0, 'g' }, { "vcpus", 1, 0, 'n' }, { "name", 1, 0, 'N' },
		{ "pin", 1, 0, 'p' }, { "migrate", 1, 0, 'm' }, { "preempt", 0, 0, 'P' },
		{ "id-base", 1, 0, 'b' }, { "vtimer-ppi", 1, 0, 'v' }, { "ptimer-ppi", 1, 0, 'V' },
		{ "repeat", 1, 0, 'r' }, { "timeout", 1, 0, 't' }, { "print-ids", 0, 0, 'i' },
		{ "stats", 0, 0, 's' }, { "log-irq", 0, 0, 'l' }, { "hold", 0, 0, 'H' },
		{ "help", 0, 0, 'h' }, {}
	};
	int c;

	while ((c = getopt_long(argc, argv, "+h", longs, NULL)) != -1) {
		switch (c) {
		case 'g': opt.gic = strcmp(optarg, "none") ? (int)number(optarg, "--gic") : 0; break;
		case 'n': opt.nr_vcpus = number(optarg, "--vcpus"); break;
		case 'N': opt.name = optarg; break;
		case 'p': parse_pins(optarg); break;
		case 'm': opt.migrate_ms = number(optarg, "--migrate"); break;
		case 'P': opt.preempt = true; break;
		case 'b': opt.id_base = number(optarg, "--id-base"); break;
		case 'v': opt.vtimer_ppi = number(optarg, "--vtimer-ppi"); break;
		case 'V': opt.ptimer_ppi = number(optarg, "--ptimer-ppi"); break;
		case 'r': opt.repeat = number(optarg, "--repeat"); break;
		case 't': opt.timeout_s = number(optarg, "--timeout"); break;
		case 'i': opt.print_ids = true; break;
		case 's': opt.stats = true; break;
		case 'l': opt.log_irq = true; break;
		case 'H': opt.hold = true; return;
		case 'h': fputs(usage, stdout); exit(0);
		default: fputs(usage, stderr); exit(129);
		}
	}
	if (optind >= argc || opt.nr_vcpus < 1 || opt.nr_vcpus > MAX_VCPUS) {
		fputs(usage, stderr);
		exit(129);
	}
	opt.image = argv[optind++];
	for (; optind < argc; optind++) {
		strncat(opt.params, argv[optind], sizeof(opt.params) - strlen(opt.params) - 2);
		strcat(opt.params, " ");
	}
}

int main(int argc, char **argv)
{
	struct sigaction stop = { .sa_handler = on_signal }, kick = { .sa_handler = on_kick };

	parse(argc, argv);
	prctl(PR_SET_NAME, opt.name);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGUSR1, &kick, NULL);
	if (opt.hold) {
		open_vm();
		pause();
		return 0;
	}
	for (unsigned int i = 0; i < opt.repeat && vm.stop != 2; i++)
		run_vm();
	if (vm.stop == 2 && !vm.status)
		return 130;
	return vm.status;
}
