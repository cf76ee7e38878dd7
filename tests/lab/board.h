/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_BOARD_H
#define KT_BOARD_H

/* The board that vmm.c gives its guests; both sides include this. */

#define RAM_BASE	0x80000000ul
#define RAM_SIZE	(16ul << 20)
#define PARAM_BASE	(RAM_BASE + (15ul << 20))	/* "key=value key=value", NUL-terminated */
#define PARAM_SIZE	4096ul
#define STACK_TOP	(RAM_BASE + (14ul << 20))	/* of vCPU 0; 64 KiB less for each next */

#define GICD_BASE	0x08000000ul
#define GICC_BASE	0x08010000ul	/* GICv2 only */
#define GICR_BASE	0x080a0000ul	/* GICv3 only, 128 KiB per vCPU */

/* One page of registers; every access is an exit to the VMM, so a vcpu_put and _load. */
#define DEV_BASE	0x0a000000ul
#define DEV_PUTCHAR	(DEV_BASE + 0x00)
#define DEV_EXIT	(DEV_BASE + 0x08)	/* write: the guest is done, value = status */
#define DEV_NOP		(DEV_BASE + 0x10)	/* does nothing, on purpose */
#define DEV_SLEEP_US	(DEV_BASE + 0x18)	/* write: the VMM sleeps before going on */
#define DEV_IRQ_PENDING	(DEV_BASE + 0x20)	/* userspace irqchip: bit 0 vtimer, bit 1 ptimer */
#define DEV_IRQ_ENABLE	(DEV_BASE + 0x28)	/* userspace irqchip: same bits */
#define DEV_RESET	(DEV_BASE + 0x30)	/* write: this vCPU is reset and starts at RAM_BASE; RAM stays */
#define DEV_VTIMER_CTL	(DEV_BASE + 0x38)	/* write: the VMM sets CNTV_CTL of this vCPU */

#endif
