/* SPDX-License-Identifier: GPL-2.0-only */
/* For guests of a boot sector: say the number in EBX at the serial line, as a line of 8 digits. */
print:
	mov %ebx, %edx
	mov $8, %cx
digit:
	rol $4, %edx
	mov %dl, %al
	and $0xf, %al
	add $'0', %al
	cmp $'9', %al
	jbe put
	add $('a' - '0' - 10), %al
put:
	call say
	loop digit
	mov $'\n', %al
say:
	push %dx
	push %ax
	mov $0x3fd, %dx
busy:
	in %dx, %al
	test $0x20, %al
	jz busy
	pop %ax
	mov $0x3f8, %dx
	out %al, %dx
	pop %dx
	ret
