/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_ESR_H
#define KT_ESR_H

/* Exception classes of ESR_EL2 (Arm ARM) that this tool asks for; lib/exits.c names all of them. */
#define ESR_EC_SHIFT	26

#define EC_WFX		0x01u
#define EC_HVC32	0x12u
#define EC_SMC32	0x13u
#define EC_HVC64	0x16u
#define EC_SMC64	0x17u
#define EC_SYSREG	0x18u	/* trapped system register */

#endif
