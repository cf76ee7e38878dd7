/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_KEEP_H
#define KT_KEEP_H

/* An input that will be read twice: a pipe is copied into a temporary file first. */
struct kt_kept {
	const char *path;	/* what to read */
	char copy[32];		/* "" when path is the input itself */
};

/* path "-" = stdin.  0 or -errno, which has been said; kt_keep_end undoes it. */
int kt_keep(const char *path, struct kt_kept *out);
void kt_keep_end(struct kt_kept *k);

#endif
