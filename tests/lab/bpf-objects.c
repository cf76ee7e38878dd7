/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts the BPF programs, maps and links that the kernel holds, whoever made
 * them: in a lab host nobody does but the recorder.  One line on stdout.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How many ids the kernel gives for one kind of object; -errno if it does not say. */
static int count(int next_id)
{
	union bpf_attr attr;
	int n = 0;

	memset(&attr, 0, sizeof(attr));
	while (!syscall(SYS_bpf, next_id, &attr, sizeof(attr))) {
		attr.start_id = attr.next_id;
		n++;
	}
	return errno == ENOENT ? n : -errno;
}

int main(void)
{
	int programs = count(BPF_PROG_GET_NEXT_ID), maps = count(BPF_MAP_GET_NEXT_ID);
	int links = count(BPF_LINK_GET_NEXT_ID);

	printf("programs %d maps %d links %d\n", programs, maps, links);
	return programs < 0 || maps < 0 || links < 0;
}
