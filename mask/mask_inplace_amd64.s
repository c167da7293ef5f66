//go:build !purego

#include "textflag.h"

// These two mask in place and touch no octet twice: tiles of 32 octets from the
// front, then at most one each of 16, 8, 4, 2 and 1. Hence each read of the next
// call on the same payload finds what it wants in one store of this call, where
// two that overlap would make it wait until both have reached the cache.
//
// Precondition: n >= 64. The key holds four octets, the first of
// them lowest; its phase is the same in every tile of 4 octets and more.

#define B     DI // next octet to mask
#define N     BX // octets from B to the end
#define KEY   AX // the key twice
#define KEY2  CX // the key as it stands two octets later
#define SHORT DX // the code for the last n%32 octets

#define START \
	MOVQ b+0(FP), B; \
	MOVQ n+8(FP), N; \
	MOVL key+16(FP), KEY; \
	MOVL N, CX; \
	ANDL $31, CX; \
	SHLL $5, CX; \
	LEAQ short<>(SB), SHORT; \
	ADDQ CX, SHORT

// FINISH masks the last n%32 octets and returns. Precondition: X14 is the key.
#define FINISH \
	MOVL KEY, KEY2; \
	SHRL $16, KEY2; \
	MOVQ X14, KEY; \
	JMP  SHORT

// func xorInPlace(b *byte, n int, key uint32)
// The kernel for AVX2 is not jumped to, which would cost it a tenth of its time.
TEXT ·xorInPlace(SB), NOSPLIT, $0-20
	CMPB ·useAVX2(SB), $0
	JEQ  sse2
	START
	VMOVD        KEY, X14
	VPBROADCASTD X14, Y14

	PCALIGN $32

loop:
	VPXOR   (B), Y14, Y0
	VPXOR   32(B), Y14, Y1
	VMOVDQU Y0, (B)
	VMOVDQU Y1, 32(B)
	ADDQ    $64, B
	SUBQ    $64, N
	CMPQ    N, $64
	JAE     loop
	TESTL   $32, N
	JEQ     last
	VPXOR   (B), Y14, Y0
	VMOVDQU Y0, (B)
	ADDQ    $32, B

last:
	VZEROUPPER
	FINISH

sse2:
	JMP ·xorInPlaceSSE2(SB)

// func xorInPlaceSSE2(b *byte, n int, key uint32)
TEXT ·xorInPlaceSSE2(SB), NOSPLIT, $0-20
	START
	MOVL   KEY, X14
	PSHUFL $0, X14, X14

	PCALIGN $32

loop:
	MOVOU (B), X0
	MOVOU 16(B), X1
	PXOR  X14, X0
	PXOR  X14, X1
	MOVOU X0, (B)
	MOVOU X1, 16(B)
	ADDQ  $32, B
	SUBQ  $32, N
	CMPQ  N, $32
	JAE   loop
	FINISH

// short masks 0 to 31 octets: the code for n of them begins 32*n octets in, and so may
// not be longer than that (the longest is 28). A
// jump to it is mispredicted once where five branches would be up to five times.
//
// FOUR has the code for four lengths that begin alike and have 0 to 3 octets
// more, which stand at B+at.

#define NONE
#define T4   XORL KEY, (B);
#define T8   XORQ KEY, (B);
#define T12  T8 XORL KEY, 8(B);
#define T16  MOVOU (B), X0; PXOR X14, X0; MOVOU X0, (B);
#define T20  T16 XORL KEY, 16(B);
#define T24  T16 XORQ KEY, 16(B);
#define T28  T24 XORL KEY, 24(B);

#define FOUR(begin, at) \
	PCALIGN $32; begin RET; \
	PCALIGN $32; begin XORB KEY, at(B); RET; \
	PCALIGN $32; begin XORW KEY, at(B); RET; \
	PCALIGN $32; begin XORW KEY, at(B); XORB KEY2, (at+2)(B); RET

TEXT short<>(SB), NOSPLIT|NOFRAME, $0-0
	FOUR(NONE, 0)
	FOUR(T4, 4)
	FOUR(T8, 8)
	FOUR(T12, 12)
	FOUR(T16, 16)
	FOUR(T20, 20)
	FOUR(T24, 24)
	FOUR(T28, 28)
