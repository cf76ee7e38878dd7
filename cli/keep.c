/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

static int copy(int from, int to)
{
	static char buf[65536];
	ssize_t n, done, got;

	while ((n = read(from, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (done = 0; done < n; done += got) {
			got = write(to, buf + done, n - done);
			if (got < 0)
				return -errno;
		}
	}
	return 0;
}

int kt_keep(const char *path, struct kt_kept *out)
{
	bool from_stdin = !strcmp(path, "-");
	struct stat st;
	int from, to, err;

	*out = (struct kt_kept){ .path = path };
	/* What cannot be opened or read is for the reader to explain. */
	if (!from_stdin && (stat(path, &st) || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return 0;
	from = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return 0;
	strcpy(out->copy, "/tmp/kvmtimer-XXXXXX");
	to = mkstemp(out->copy);
	err = to < 0 ? -errno : copy(from, to);
	if (to >= 0)
		close(to);
	if (!from_stdin)
		close(from);
	out->path = out->copy;
	if (err) {
		err = kt_err(err, "cannot keep %s in %s, which is needed to read it twice: %s",
		       from_stdin ? "standard input" : path, out->copy, strerror(-err));
		kt_keep_end(out);
	}
	return err;
}

void kt_keep_end(struct kt_kept *k)
{
	if (k->copy[0])
		unlink(k->copy);
	k->copy[0] = '\0';
}
