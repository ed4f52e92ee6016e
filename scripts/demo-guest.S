/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest of the demo: a boot sector that again and again loads the second sector of its disk,
 * its operating system, and calls that, which counts; and says each number at its serial line.
 * With UPGRADE defined the operating system is a newer one.
 */
	.code16
	.globl _start
_start:
	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $0x7c00, %sp
	xor %ebx, %ebx
next:
	push %ebx
	mov $0x4200, %ax
	mov $packet, %si
	mov $0x80, %dl
	int $0x13
	pop %ebx
	call system
	mov $next, %si
	jmp print
#include "../tests/vm/say.S"
packet:
	.byte 16, 0
	.word 1, system, 0
	.quad 1
	.org 510
	.word 0xaa55
system:
#ifdef UPGRADE
	cli
	hlt
	jmp system
#else
	inc %ebx
	ret
#endif
	.org 4096
