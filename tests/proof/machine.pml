/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SPIN's part of the proof: it chooses the next step, nothing else.  What a
 * step does is the reference machine's own C code (lib/machine*.c), whose whole
 * state SPIN stores and compares.  choose.c has the list of steps; a number
 * past its end, or a step that is not possible now, is not enabled.
 */
c_decl {
\#include "machine.h"
	extern struct kt_machine proof_machine;
	extern int proof_init(void);
	extern int proof_can(unsigned int step);
	extern void proof_do(unsigned int step);
	extern int proof_broken(void);
}

c_track "&proof_machine" "sizeof(struct kt_machine)" "Matched"

#define S(n) :: d_step { c_expr { (proof_can(n)) }; c_code { proof_do(n); } }
active proctype choose()
{
	c_code { proof_init(); };
	do
	:: c_expr { (proof_broken()) } -> assert(false)
	S(0) S(1) S(2) S(3) S(4) S(5) S(6) S(7) S(8) S(9)
	S(10) S(11) S(12) S(13) S(14) S(15) S(16) S(17) S(18) S(19)
	S(20) S(21) S(22) S(23) S(24) S(25) S(26) S(27) S(28) S(29)
	S(30) S(31) S(32) S(33) S(34) S(35) S(36) S(37) S(38) S(39)
	S(40) S(41) S(42) S(43) S(44) S(45) S(46) S(47) S(48) S(49)
	S(50) S(51) S(52) S(53) S(54) S(55) S(56) S(57) S(58) S(59)
	S(60) S(61) S(62) S(63) S(64) S(65) S(66) S(67) S(68) S(69)
	S(70) S(71) S(72) S(73) S(74) S(75) S(76) S(77) S(78) S(79)
	od
}
