/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For guests of a boot sector: say the number in EBX at the serial line, as a line of 8 digits, and
 * go to where SI says.  Without a stack: what an emulated processor is given back of a guest that
 * was written live may be older than its registers (memory-image.rst), and is not to lead it astray.
 */
print:
	mov %ebx, %edi
	mov $8, %cx
	mov $after, %bp
digit:
	rol $4, %edi
	mov %edi, %eax
	and $0xf, %al
	add $'0', %al
	cmp $'9', %al
	jbe say
	add $('a' - '0' - 10), %al
	jmp say
after:
	loop digit
	mov $'\n', %al
	mov %si, %bp
/* The character in AL; goes to where BP says. */
say:
	mov %al, %ah
	mov $0x3fd, %dx
busy:
	in %dx, %al
	test $0x20, %al
	jz busy
	mov %ah, %al
	mov $0x3f8, %dx
	out %al, %dx
	jmp *%bp
