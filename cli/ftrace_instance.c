/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE	/* asprintf */
#include "ftrace_instance.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <tracefs.h>
#include <unistd.h>

#include "host.h"
#include "log.h"

#define INSTANCE_PREFIX "kvmtimer-"
#define GROUP_PREFIX "kvmtimer_"

struct kt_tracefs {
	struct tracefs_instance *instance;
	char name[64], group[64];
	int lock;	/* on the instance's folder, until it is gone */
};

/* ---- whose it is ---- */

/* Field 22 of /proc/PID/stat: clock ticks since boot; 0 when there is no such process. */
static uint64_t start_of(long pid)
{
	char path[64], text[1024], *p;
	uint64_t start = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The comm may hold blanks and parentheses: its last one ends it. */
	p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		start = strtoull(p, NULL, 10);
	return start;
}

static bool owner_lives(const char *name, const char *prefix, char separator)
{
	char *end;
	long pid;

	if (strncmp(name, prefix, strlen(prefix)))
		return true;	/* not ours to judge */
	pid = strtol(name + strlen(prefix), &end, 10);
	if (*end != separator || pid <= 0)
		return true;
	return start_of(pid) == strtoull(end + 1, NULL, 10);
}

static int lock_folder(const char *name)
{
	char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/instances/%s", tracefs_tracing_dir(), name) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* ---- removing ---- */

static int remove_instance(const char *name)
{
	char *path = NULL;
	int err;

	if (asprintf(&path, "%s/instances/%s", tracefs_tracing_dir(), name) < 0)
		return -ENOMEM;
	err = rmdir(path) ? -errno : 0;
	free(path);
	return err;
}

static void remove_probes(const char *group)
{
	struct tracefs_dynevent **all;

	all = tracefs_dynevent_get_all(TRACEFS_DYNEVENT_KPROBE | TRACEFS_DYNEVENT_KRETPROBE, group);
	for (int i = 0; all && all[i]; i++)
		if (tracefs_dynevent_destroy(all[i], false))
			kt_warn("cannot remove a probe of group %s from kprobe_events: %s", group,
				strerror(errno));
	if (all)
		tracefs_dynevent_list_free(all);
}

static int clean_instances(void)
{
	char **names = tracefs_instances("^" INSTANCE_PREFIX "[0-9]*-[0-9]*$");
	int removed = 0;

	for (int i = 0; names && names[i]; i++) {
		int lock, err;

		if (owner_lives(names[i], INSTANCE_PREFIX, '-'))
			continue;
		/* In another pid namespace it may be alive all the same. */
		lock = lock_folder(names[i]);
		if (lock < 0)
			continue;
		err = remove_instance(names[i]);
		close(lock);
		if (err)
			kt_warn("cannot remove the ftrace instance %s of a dead recorder: %s", names[i],
				strerror(-err));
		else
			removed++;
	}
	if (names)
		tracefs_list_free(names);
	return removed;
}

/* A group whose instance is still there belongs to somebody alive. */
static bool group_is_stale(const char *group)
{
	char name[64], *dash;

	if (strlen(group) >= sizeof(name) || owner_lives(group, GROUP_PREFIX, '_'))
		return false;
	snprintf(name, sizeof(name), INSTANCE_PREFIX "%s", group + strlen(GROUP_PREFIX));
	dash = strchr(name + strlen(INSTANCE_PREFIX), '_');
	if (dash)
		*dash = '-';
	return !tracefs_instance_exists(name);
}

static int clean_groups(void)
{
	char **systems = tracefs_event_systems(NULL);
	int removed = 0;

	for (int i = 0; systems && systems[i]; i++) {
		if (strncmp(systems[i], GROUP_PREFIX, strlen(GROUP_PREFIX)) ||
		    !group_is_stale(systems[i]))
			continue;
		remove_probes(systems[i]);
		removed++;
	}
	if (systems)
		tracefs_list_free(systems);
	return removed;
}

int kt_tracefs_clean(void)
{
	int instances, groups;

	if (!tracefs_tracing_dir())
		return -ENOENT;
	instances = clean_instances();
	groups = clean_groups();
	return instances > groups ? instances : groups;
}

/* ---- ours ---- */

static int explain(int err)
{
	char lockdown[64];

	/* Lockdown empties tracefs instead of refusing it. */
	if (kt_host_lockdown(lockdown, sizeof(lockdown)) && !strcmp(lockdown, "confidentiality"))
		return kt_err(err, "tracefs is closed: lockdown is in confidentiality mode; boot with "
			      "lockdown=integrity or without");
	if (err == -EACCES || err == -EPERM)
		return kt_err(err, "tracefs cannot be written (%s): run as root", strerror(-err));
	return kt_err(err, "cannot make an ftrace instance in %s/instances: %s",
		      tracefs_tracing_dir() ? tracefs_tracing_dir() : "tracefs", strerror(-err));
}

int kt_tracefs_open(struct kt_tracefs **out)
{
	struct kt_tracefs *t;
	char *path = NULL;
	int err;

	if (!tracefs_tracing_dir() || access(tracefs_tracing_dir(), F_OK))
		return kt_err(-ENOENT, "no tracefs on this host: mount -t tracefs tracefs "
			      "/sys/kernel/tracing, and the kernel needs CONFIG_FTRACE=y");
	if (kt_tracefs_clean() > 0)
		kt_warn("removed what a killed recorder had left in tracefs");
	t = calloc(1, sizeof(*t));
	if (!t)
		return kt_err(-ENOMEM, "out of memory");
	t->lock = -1;
	snprintf(t->name, sizeof(t->name), INSTANCE_PREFIX "%d-%" PRIu64, getpid(),
		 start_of(getpid()));
	snprintf(t->group, sizeof(t->group), GROUP_PREFIX "%d_%" PRIu64, getpid(),
		 start_of(getpid()));
	if (asprintf(&path, "%s/instances", tracefs_tracing_dir()) > 0 && access(path, W_OK)) {
		err = explain(-errno);
		goto out;
	}
	t->instance = tracefs_instance_create(t->name);
	if (!t->instance) {
		err = explain(-errno);
		goto out;
	}
	t->lock = lock_folder(t->name);
	err = kt_tracefs_write(t, "tracing_on", "0");
	if (err) {
		err = explain(err);
		goto out;
	}
	free(path);
	*out = t;
	return 0;
out:
	free(path);
	kt_tracefs_close(t);
	return err;
}

void kt_tracefs_close(struct kt_tracefs *t)
{
	int err;

	if (!t)
		return;
	if (t->instance) {
		err = tracefs_instance_destroy(t->instance) ? -errno : 0;
		if (err)
			kt_warn("cannot remove our ftrace instance %s: %s", t->name, strerror(-err));
		tracefs_instance_free(t->instance);
		remove_probes(t->group);
	}
	if (t->lock >= 0)
		close(t->lock);
	free(t);
}

const char *kt_tracefs_dir(void)
{
	return tracefs_tracing_dir();
}

const char *kt_tracefs_name(const struct kt_tracefs *t)
{
	return t->name;
}

const char *kt_tracefs_group(const struct kt_tracefs *t)
{
	return t->group;
}

int kt_tracefs_write(struct kt_tracefs *t, const char *file, const char *text)
{
	int fd = tracefs_instance_file_open(t->instance, file, O_WRONLY | O_TRUNC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int kt_tracefs_write_event(struct kt_tracefs *t, const char *system, const char *event,
			   const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "events/%s/%s/%s", system, event, file);
	return kt_tracefs_write(t, path, text);
}

bool kt_tracefs_has_event(struct kt_tracefs *t, const char *system, const char *event)
{
	char name[256], *path;
	bool found;

	snprintf(name, sizeof(name), "events/%s/%s/enable", system, event);
	path = tracefs_instance_get_file(t->instance, name);
	found = path && !access(path, F_OK);
	tracefs_put_tracing_file(path);
	return found;
}

char *kt_tracefs_read(struct kt_tracefs *t, const char *file)
{
	return tracefs_instance_file_read(t->instance, file, NULL);
}

int kt_tracefs_open_file(struct kt_tracefs *t, const char *file, int flags)
{
	int fd = tracefs_instance_file_open(t->instance, file, flags);

	return fd < 0 ? -errno : fd;
}

/* ---- probes ---- */

int kt_tracefs_probe(struct kt_tracefs *t, const char *event, bool ret, const char *function,
		     const char *args)
{
	int err;

	errno = 0;
	err = ret ? tracefs_kretprobe_raw(t->group, event, function, args)
		  : tracefs_kprobe_raw(t->group, event, function, args);
	if (!err)
		return 0;
	return errno ? -errno : -EINVAL;
}

char *kt_tracefs_probe_profile(void)
{
	return tracefs_instance_file_read(NULL, "kprobe_profile", NULL);
}

uint64_t kt_tracefs_probe_misses(const char *profile, const char *name)
{
	char word[64];
	uint64_t misses;
	const char *p = profile;

	while (p && *p) {
		if (sscanf(p, " %63s %*u %" SCNu64, word, &misses) == 2 && !strcmp(word, name))
			return misses;
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	return 0;
}
