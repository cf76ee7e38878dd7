/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entry, vectors and context of the bare-metal guest: MMU and caches stay off. */
	.globl	_start, secondary_start
	.section .text.start, "ax"
_start:
	mov	x19, x0			/* parameters */
	mov	x20, #0
	b	1f
secondary_start:			/* PSCI CPU_ON: x0 = context id = index of the vCPU */
	mov	x19, #0
	mov	x20, x0
1:	ldr	x1, =0x80e00000		/* STACK_TOP, 64 KiB less per vCPU */
	lsl	x2, x20, #16
	sub	sp, x1, x2
	adr	x1, vectors
	msr	vbar_el1, x1
	mov	x1, #(3 << 20)		/* FP is not trapped, though nothing uses it */
	msr	cpacr_el1, x1
	isb
	mov	x0, x20
	mov	x1, x19
	bl	guest_main
0:	wfi
	b	0b

	.macro	save_all
	sub	sp, sp, #256
	stp	x0, x1, [sp, #0]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x29, [sp, #144]
	str	x30, [sp, #160]
	.endm

	.macro	restore_all
	ldr	x30, [sp, #160]
	ldp	x18, x29, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp, #0]
	add	sp, sp, #256
	.endm

	.macro	vector handler
	.balign	0x80
	b	\handler
	.endm

	.balign	0x800
vectors:
	.rept	4
	vector	on_fault		/* current EL, SP0: not used */
	.endr
	vector	on_sync
	vector	on_irq
	.rept	10
	vector	on_fault
	.endr

on_irq:
	save_all
	bl	guest_irq
	restore_all
	eret

/* A trapped or undefined instruction is stepped over: scenarios provoke some. */
on_sync:
	save_all
	mrs	x0, esr_el1
	bl	guest_sync
	mrs	x0, elr_el1
	add	x0, x0, #4
	msr	elr_el1, x0
	restore_all
	eret

on_fault:
	mrs	x0, esr_el1
	mrs	x1, elr_el1
	bl	guest_fault
	b	.
