/* SPDX-License-Identifier: Apache-2.0
 *
 * What the vDSO's symbols point at in a process on the virtual clock (inject.c copies it there; trampoline.h tells the layout).
 * Each calls the real function and adds the offset, which lies in the page below this code. Position-independent; calls as in
 * the x86-64 System V ABI, with no more than 64 bytes of stack beyond the vDSO's own.
 */
#if defined(__x86_64__)

	.section .rodata.trampoline, "a", @progbits
	.balign	64
	.globl	trampoline_begin, trampoline_clock_gettime, trampoline_gettimeofday, trampoline_time
	.globl	trampoline_real_clock_gettime, trampoline_real_gettimeofday, trampoline_end
	.set	offset_page, trampoline_begin - 4096

/* The vDSO's own function with the caller's arguments, which stay in %rdi and %rsi; to 1f where it fails. */
	.macro	call_real function
	endbr64
	push	%rdi
	push	%rsi
	sub	$8, %rsp
	call	*\function(%rip)
	add	$8, %rsp
	pop	%rsi
	pop	%rdi
	test	%eax, %eax
	jnz	1f
	.endm

trampoline_begin:

/* int clock_gettime(clockid_t %edi, struct timespec *%rsi) */
trampoline_clock_gettime:
	call_real trampoline_real_clock_gettime
	test	%edi, %edi		/* the CPU clock of some process or thread */
	js	1f
	cmp	$2, %edi		/* CLOCK_PROCESS_CPUTIME_ID */
	je	1f
	cmp	$3, %edi		/* CLOCK_THREAD_CPUTIME_ID */
	je	1f
	cmp	$8, %edi		/* CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM: no vDSO has them, */
	je	1f			/* and the system call is answered with the offset (gate.c) */
	cmp	$9, %edi
	je	1f
	mov	offset_page(%rip), %rax
	add	8(%rsi), %rax
	xor	%edx, %edx
	mov	$1000000000, %ecx
	div	%rcx
	add	%rax, (%rsi)
	mov	%rdx, 8(%rsi)
	xor	%eax, %eax
1:	ret

/* int gettimeofday(struct timeval *%rdi, struct timezone *%rsi) */
	.balign	16
trampoline_gettimeofday:
	call_real trampoline_real_gettimeofday
	test	%rdi, %rdi
	jz	1f
	mov	offset_page(%rip), %rax
	xor	%edx, %edx
	mov	$1000, %ecx
	div	%rcx
	add	8(%rdi), %rax
	xor	%edx, %edx
	mov	$1000000, %ecx
	div	%rcx
	add	%rax, (%rdi)
	mov	%rdx, 8(%rdi)
	xor	%eax, %eax
1:	ret

/* time_t time(time_t *%rdi) */
	.balign	16
trampoline_time:
	endbr64
	push	%rdi
	sub	$16, %rsp
	xor	%edi, %edi		/* CLOCK_REALTIME */
	mov	%rsp, %rsi
	call	trampoline_clock_gettime
	mov	(%rsp), %rax
	add	$16, %rsp
	pop	%rdi
	test	%rdi, %rdi
	jz	1f
	mov	%rax, (%rdi)
1:	ret

/* Filled in for each process: where its own vDSO has them. */
	.balign	8
trampoline_real_clock_gettime:	.quad	0
trampoline_real_gettimeofday:	.quad	0
trampoline_end:

#endif
	.section .note.GNU-stack, "", @progbits
