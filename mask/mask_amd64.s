//go:build !purego

#include "textflag.h"

// Each kernel sets dst[i] = src[i] ^ key[i%4] for the n octets given. KEY and
// NEXT hold four octets, the first of them lowest; NEXT is KEY rotated by n.
//
// For all of them:
//
//   - n > 64. dst is src, or the two share no octet. Nothing is read or written
//     outside of the n octets.
//   - A length that eight vectors can cover is read whole before any of it is
//     written: some vectors counted from the front, which take KEY, and as many
//     counted from the end, which take NEXT. They overlap in the middle.
//   - A longer one is cut so that the many stores are aligned ones:
//
//       FIRST                                             END
//       | head |                                            |
//       |   | body: groups of four vectors,  |              |
//       |   | dst aligned                    |              |
//       |                                | tail: 4 vectors  |
//
//     Head and tail are read before the body is written and written after it.
//     So no octet is masked twice in place, and where they overlap the body
//     they write once more what it wrote.

#define DST   DI // next octet to write
#define SRC   SI // next octet to read
#define N     BX // octets from DST to END; in the loop, without the tail's
#define FIRST DX // dst as given
#define END   R9 // the octet after dst
#define SHIFT CX
#define KEY   R8
#define NEXT  R10

#define LOAD_ARGS \
	MOVQ dst+0(FP), DST; \
	MOVQ src+8(FP), SRC; \
	MOVQ n+16(FP), N; \
	MOVL key+24(FP), KEY

// ROTATE_KEY sets NEXT. Precondition: LOAD_ARGS.
#define ROTATE_KEY \
	MOVL N, SHIFT; \
	SHLL $3, SHIFT; \
	MOVL KEY, NEXT; \
	RORL SHIFT, NEXT

// START_BODY(width) goes to the first multiple of width, a power of two, above
// FIRST: it leaves DST, SRC, N and KEY fit for the body.
// Precondition: LOAD_ARGS; N > 8*width.
#define START_BODY(width) \
	MOVQ DST, FIRST; \
	LEAQ (DST)(N*1), END; \
	MOVQ DST, SHIFT; \
	ANDQ $(width-1), SHIFT; \
	SUBQ $width, SHIFT; \
	SUBQ SHIFT, DST; \
	SUBQ SHIFT, SRC; \
	LEAQ -(4*width)(N)(SHIFT*1), N; \
	NEGQ SHIFT; \
	SHLQ $3, SHIFT; \
	RORL SHIFT, KEY

// func xorVector(dst, src *byte, n int, key uint32)
// The kernels have the same arguments in the same place, hence mere jumps.
TEXT ·xorVector(SB), NOSPLIT, $0-28
	CMPB ·useAVX512(SB), $0
	JNE  avx512
	CMPB ·useAVX2(SB), $0
	JNE  avx2
	JMP  ·xorSSE2(SB)

avx2:
	JMP ·xorAVX2(SB)

avx512:
	JMP ·xorAVX512(SB)

// func xorSSE2(dst, src *byte, n int, key uint32)
// X0-X3 are read from the front, X4-X7 from the end.
TEXT ·xorSSE2(SB), NOSPLIT, $0-28
	LOAD_ARGS
	ROTATE_KEY
	MOVL   KEY, X14
	MOVL   NEXT, X15
	PSHUFL $0, X14, X14
	PSHUFL $0, X15, X15
	MOVOU  (SRC), X0
	MOVOU  -64(SRC)(N*1), X4
	MOVOU  -48(SRC)(N*1), X5
	MOVOU  -32(SRC)(N*1), X6
	MOVOU  -16(SRC)(N*1), X7
	PXOR   X14, X0
	PXOR   X15, X4
	PXOR   X15, X5
	PXOR   X15, X6
	PXOR   X15, X7
	CMPQ   N, $128
	JA     long
	MOVOU  16(SRC), X1
	MOVOU  32(SRC), X2
	MOVOU  48(SRC), X3
	PXOR   X14, X1
	PXOR   X14, X2
	PXOR   X14, X3
	LEAQ   (DST)(N*1), END
	MOVOU  X0, (DST)
	MOVOU  X1, 16(DST)
	MOVOU  X2, 32(DST)
	MOVOU  X3, 48(DST)
	JMP    tail

long:
	START_BODY(16)
	MOVL   KEY, X14
	PSHUFL $0, X14, X14

	PCALIGN $32

body:
	MOVOU (SRC), X8
	MOVOU 16(SRC), X9
	MOVOU 32(SRC), X10
	MOVOU 48(SRC), X11
	PXOR  X14, X8
	PXOR  X14, X9
	PXOR  X14, X10
	PXOR  X14, X11
	MOVO  X8, (DST)
	MOVO  X9, 16(DST)
	MOVO  X10, 32(DST)
	MOVO  X11, 48(DST)
	ADDQ  $64, SRC
	ADDQ  $64, DST
	SUBQ  $64, N
	JGT   body
	MOVOU X0, (FIRST)

tail:
	MOVOU X4, -64(END)
	MOVOU X5, -48(END)
	MOVOU X6, -32(END)
	MOVOU X7, -16(END)
	RET

// func xorAVX2(dst, src *byte, n int, key uint32)
// Precondition: AVX2. Y0-Y3 are read from the front, Y4-Y7 from the end.
TEXT ·xorAVX2(SB), NOSPLIT, $0-28
	LOAD_ARGS
	ROTATE_KEY
	VMOVD KEY, X14
	VMOVD NEXT, X15
	VPBROADCASTD X14, Y14
	VPBROADCASTD X15, Y15
	VPXOR   (SRC), Y14, Y0
	VPXOR   -64(SRC)(N*1), Y15, Y6
	VPXOR   -32(SRC)(N*1), Y15, Y7
	CMPQ    N, $128
	JA      over128
	VPXOR   32(SRC), Y14, Y1
	VMOVDQU Y0, (DST)
	VMOVDQU Y1, 32(DST)
	VMOVDQU Y6, -64(DST)(N*1)
	VMOVDQU Y7, -32(DST)(N*1)
	VZEROUPPER
	RET

over128:
	VPXOR   -128(SRC)(N*1), Y15, Y4
	VPXOR   -96(SRC)(N*1), Y15, Y5
	CMPQ    N, $256
	JA      long
	VPXOR   32(SRC), Y14, Y1
	VPXOR   64(SRC), Y14, Y2
	VPXOR   96(SRC), Y14, Y3
	LEAQ    (DST)(N*1), END
	VMOVDQU Y0, (DST)
	VMOVDQU Y1, 32(DST)
	VMOVDQU Y2, 64(DST)
	VMOVDQU Y3, 96(DST)
	JMP     tail

long:
	START_BODY(32)
	VMOVD        KEY, X14
	VPBROADCASTD X14, Y14

	PCALIGN $32

body:
	VPXOR   (SRC), Y14, Y8
	VPXOR   32(SRC), Y14, Y9
	VPXOR   64(SRC), Y14, Y10
	VPXOR   96(SRC), Y14, Y11
	VMOVDQA Y8, (DST)
	VMOVDQA Y9, 32(DST)
	VMOVDQA Y10, 64(DST)
	VMOVDQA Y11, 96(DST)
	ADDQ    $128, SRC
	ADDQ    $128, DST
	SUBQ    $128, N
	JGT     body
	VMOVDQU Y0, (FIRST)

tail:
	VMOVDQU Y4, -128(END)
	VMOVDQU Y5, -96(END)
	VMOVDQU Y6, -64(END)
	VMOVDQU Y7, -32(END)
	VZEROUPPER
	RET

// func xorAVX512(dst, src *byte, n int, key uint32)
// Precondition: AVX-512F. Z0-Z3 are read from the front, Z4-Z7 from the end.
TEXT ·xorAVX512(SB), NOSPLIT, $0-28
	LOAD_ARGS
	ROTATE_KEY
	VPBROADCASTD KEY, Z14
	VPBROADCASTD NEXT, Z15
	VPXORD    (SRC), Z14, Z0
	VPXORD    -64(SRC)(N*1), Z15, Z7
	CMPQ      N, $128
	JA        over128
	VMOVDQU32 Z0, (DST)
	VMOVDQU32 Z7, -64(DST)(N*1)
	VZEROUPPER
	RET

over128:
	VPXORD    -128(SRC)(N*1), Z15, Z6
	CMPQ      N, $256
	JA        over256
	VPXORD    64(SRC), Z14, Z1
	VMOVDQU32 Z0, (DST)
	VMOVDQU32 Z1, 64(DST)
	VMOVDQU32 Z6, -128(DST)(N*1)
	VMOVDQU32 Z7, -64(DST)(N*1)
	VZEROUPPER
	RET

over256:
	VPXORD    -256(SRC)(N*1), Z15, Z4
	VPXORD    -192(SRC)(N*1), Z15, Z5
	CMPQ      N, $512
	JA        long
	VPXORD    64(SRC), Z14, Z1
	VPXORD    128(SRC), Z14, Z2
	VPXORD    192(SRC), Z14, Z3
	LEAQ      (DST)(N*1), END
	VMOVDQU32 Z0, (DST)
	VMOVDQU32 Z1, 64(DST)
	VMOVDQU32 Z2, 128(DST)
	VMOVDQU32 Z3, 192(DST)
	JMP       tail

long:
	START_BODY(64)
	VMOVD        KEY, X14
	VPBROADCASTD X14, Z14

	PCALIGN $64

body:
	VPXORD    (SRC), Z14, Z8
	VPXORD    64(SRC), Z14, Z9
	VPXORD    128(SRC), Z14, Z10
	VPXORD    192(SRC), Z14, Z11
	VMOVDQA32 Z8, (DST)
	VMOVDQA32 Z9, 64(DST)
	VMOVDQA32 Z10, 128(DST)
	VMOVDQA32 Z11, 192(DST)
	ADDQ      $256, SRC
	ADDQ      $256, DST
	SUBQ      $256, N
	JGT       body
	VMOVDQU32 Z0, (FIRST)

tail:
	VMOVDQU32 Z4, -256(END)
	VMOVDQU32 Z5, -192(END)
	VMOVDQU32 Z6, -128(END)
	VMOVDQU32 Z7, -64(END)
	VZEROUPPER
	RET
