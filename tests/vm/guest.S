/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest in one boot sector: it counts into memory (0x600), fills 1 MiB from 0x10000 on
 * with the count, page by page, and says every 256th number at its serial line.
 */
	.code16
	.globl _start
_start:
	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %ss
	mov $0x7c00, %sp
	xor %ebx, %ebx
next:
	inc %ebx
	mov %ebx, 0x600
	/* a page of 64: segment 0x1000 + page * 0x100 */
	mov %bx, %ax
	and $0x3f, %ax
	shl $8, %ax
	add $0x1000, %ax
	mov %ax, %es
	mov %ebx, %es:0
	test %bl, %bl
	jnz next
	mov $next, %si
	jmp print
#include "say.S"
	.org 510
	.word 0xaa55
