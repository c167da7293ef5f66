//go:build !purego

#include "textflag.h"

// The method is that of Keiser and Lemire, "Validating UTF-8 In Less Than One
// Instruction Per Byte" (2021). Its tables are utf8Ranges in utf8_amd64.go.
//
// For all kernels:
//
//   - They judge p[:n] as text that begins at a boundary, a group of vectors at a
//     time, each octet by itself and the three before it. PREV is the vector
//     before the one at hand; zeros, which are ASCII, at the start.
//   - A vector of ASCII behind one of ASCII is not judged. That the one before
//     counts too means that no open sequence is overlooked.
//   - good is how many octets were found to have no fault: n, or where the
//     first group begins that has one. A sequence cut by the end of those
//     octets is not a fault.
//   - Those that unmask stop there; done is how many octets they have unmasked.
//     A last vector that is not full is counted from the end, and read before
//     a store that would overlap it.
//   - Nothing is read or written outside of the n octets.

#define P    SI // next octet
#define N    BX // octets from P on
#define FROM DX // P at the start
#define DONE R8 // the octet after those unmasked

#define LEAD_HIGH Z16
#define LEAD_LOW  Z17
#define TAIL_HIGH Z18
#define BOUND3    Z19
#define BOUND4    Z20
#define HIGH_BIT  Z21
#define LANES     Z22
#define ONE       Z23
#define TWO       Z24
#define THREE     Z25
#define FOUND     Z26
#define OTHER     Z27
#define FAULT     Z28
#define PREV      Z29
#define KEY       Z30
#define LAST      Z31

// RANGES512 loads what JUDGE512 needs and clears FAULT.
#define RANGES512 \
	VBROADCASTI32X4 ·utf8Ranges+0(SB), LEAD_HIGH; \
	VBROADCASTI32X4 ·utf8Ranges+16(SB), LEAD_LOW; \
	VBROADCASTI32X4 ·utf8Ranges+32(SB), TAIL_HIGH; \
	VPBROADCASTD    ·utf8Bounds+0(SB), BOUND3; \
	VPBROADCASTD    ·utf8Bounds+4(SB), BOUND4; \
	VPBROADCASTD    ·utf8Bounds+8(SB), HIGH_BIT; \
	VPXORD          FAULT, FAULT, FAULT

// JUDGE512(IN, BEFORE) adds to FAULT the octets at fault of IN, which follows
// BEFORE. VPERMB looks at six bits, and a table fills a quarter of its register:
// so a nibble may have two bits of garbage above it. The last two lines are
// (TWO | THREE) & HIGH_BIT and FAULT | TWO ^ FOUND.
#define JUDGE512(IN, BEFORE) \
	VALIGND    $12, BEFORE, IN, LANES; \
	VPALIGNR   $15, LANES, IN, ONE; \
	VPALIGNR   $14, LANES, IN, TWO; \
	VPALIGNR   $13, LANES, IN, THREE; \
	VPERMB     LEAD_LOW, ONE, FOUND; \
	VPSRLW     $4, ONE, ONE; \
	VPERMB     LEAD_HIGH, ONE, ONE; \
	VPSRLW     $4, IN, OTHER; \
	VPERMB     TAIL_HIGH, OTHER, OTHER; \
	VPTERNLOGD $0x80, OTHER, ONE, FOUND; \
	VPSUBUSB   BOUND3, TWO, TWO; \
	VPSUBUSB   BOUND4, THREE, THREE; \
	VPTERNLOGD $0xA8, HIGH_BIT, THREE, TWO; \
	VPTERNLOGD $0xF6, FOUND, TWO, FAULT

// JUDGE512X4 is JUDGE512 of Z0 to Z3; no fault is the flag ZF.
#define JUDGE512X4 \
	RANGES512; \
	JUDGE512(Z0, PREV); \
	JUDGE512(Z1, Z0); \
	JUDGE512(Z2, Z1); \
	JUDGE512(Z3, Z2); \
	VPTESTMB FAULT, FAULT, K2; \
	KORTESTQ K2, K2

// ASCII512(IN) sets ZF if PREV and IN are ASCII.
#define ASCII512(IN) \
	VPORD    IN, PREV, Z4; \
	VPMOVB2M Z4, K2; \
	KORTESTQ K2, K2

// ASCII512X4 sets ZF if PREV and Z0 to Z3 are ASCII.
#define ASCII512X4 \
	VPORD      Z0, PREV, Z4; \
	VPTERNLOGD $0xFE, Z1, Z2, Z4; \
	VPORD      Z3, Z4, Z4; \
	VPMOVB2M   Z4, K2; \
	KORTESTQ   K2, K2

// FRONT512 sets Z0 to the last N octets of LAST, with others behind, and the
// bits of K1 for those N.
// Precondition: 0 < N <= 64.
#define FRONT512 \
	MOVQ         $-1, AX; \
	BZHIQ        N, AX, AX; \
	KMOVQ        AX, K1; \
	MOVQ         $64, CX; \
	SUBQ         N, CX; \
	VPBROADCASTB CX, Z1; \
	VPADDB       count<>(SB), Z1, Z1; \
	VPERMB       LAST, Z1, Z0

// 0 to 63.
DATA count<>+0(SB)/8, $0x0706050403020100
DATA count<>+8(SB)/8, $0x0f0e0d0c0b0a0908
DATA count<>+16(SB)/8, $0x1716151413121110
DATA count<>+24(SB)/8, $0x1f1e1d1c1b1a1918
DATA count<>+32(SB)/8, $0x2726252423222120
DATA count<>+40(SB)/8, $0x2f2e2d2c2b2a2928
DATA count<>+48(SB)/8, $0x3736353433323130
DATA count<>+56(SB)/8, $0x3f3e3d3c3b3a3938
GLOBL count<>(SB), RODATA|NOPTR, $64

// func utf8Best(p *byte, n int) (good int)
// The kernels have the same arguments in the same place, hence a mere jump.
TEXT ·utf8Best(SB), NOSPLIT, $0-24
	CMPB ·useVBMI(SB), $0
	JNE  vbmi
	CMPB ·useAVX2(SB), $0
	JEQ  none
	CMPQ n+8(FP), $35
	JGE  avx2

none:
	MOVQ $0, good+16(FP)
	RET

avx2:
	JMP ·utf8AVX2(SB)

vbmi:
	JMP ·utf8VBMI(SB)

// func unmaskBest(p *byte, n int, key, next uint32) (good, done int)
TEXT ·unmaskBest(SB), NOSPLIT, $0-40
	CMPQ n+8(FP), $64
	JLE  none
	CMPB ·useVBMI(SB), $0
	JNE  vbmi
	CMPB ·useAVX2(SB), $0
	JNE  avx2

none:
	MOVQ $0, good+24(FP)
	MOVQ $0, done+32(FP)
	RET

avx2:
	JMP ·unmaskAVX2(SB)

vbmi:
	JMP ·unmaskVBMI(SB)

// func utf8VBMI(p *byte, n int) (good int)
// Precondition: AVX-512 with BW and VBMI, BMI2.
TEXT ·utf8VBMI(SB), NOSPLIT, $0-24
	MOVQ   p+0(FP), P
	MOVQ   n+8(FP), N
	MOVQ   P, FROM
	VPXORD PREV, PREV, PREV
	CMPQ   N, $256
	JB     rest

group:
	VMOVDQU32 (P), Z0
	VMOVDQU32 64(P), Z1
	VMOVDQU32 128(P), Z2
	VMOVDQU32 192(P), Z3
	ASCII512X4
	JZ        judged
	JUDGE512X4
	JNZ       end

judged:
	VMOVDQA32 Z3, PREV
	ADDQ      $256, P
	SUBQ      $256, N
	CMPQ      N, $256
	JAE       group

rest:
	TESTQ N, N
	JZ    end
	MOVQ  $-1, AX

vector:
	BZHIQ      N, AX, CX // N < 256; from 64 on all ones
	KMOVQ      CX, K1
	VMOVDQU8.Z (P), K1, Z0
	ASCII512(Z0)
	JZ         next
	RANGES512
	JUDGE512(Z0, PREV)
	VPTESTMB   FAULT, FAULT, K1, K2
	KORTESTQ   K2, K2
	JNZ        end

next:
	VMOVDQA32 Z0, PREV
	ADDQ      $64, P
	SUBQ      $64, N
	JA        vector
	ADDQ      N, P

end:
	SUBQ FROM, P
	MOVQ P, good+16(FP)
	VZEROUPPER
	RET

// func unmaskVBMI(p *byte, n int, key, next uint32) (good, done int)
// Precondition: AVX-512 with BW and VBMI, BMI2; n > 64.
TEXT ·unmaskVBMI(SB), NOSPLIT, $0-40
	MOVQ         p+0(FP), P
	MOVQ         n+8(FP), N
	VBROADCASTSS key+16(FP), KEY
	VBROADCASTSS next+20(FP), LAST
	VPXORD       -64(P)(N*1), LAST, LAST
	MOVQ         P, FROM
	VPXORD       PREV, PREV, PREV
	CMPQ         N, $256
	JBE          rest

group:
	VPXORD    (P), KEY, Z0
	VPXORD    64(P), KEY, Z1
	VPXORD    128(P), KEY, Z2
	VPXORD    192(P), KEY, Z3
	ASCII512X4
	JZ        judged
	JUDGE512X4
	JNZ       end

judged:
	VMOVDQU32 Z0, (P)
	VMOVDQU32 Z1, 64(P)
	VMOVDQU32 Z2, 128(P)
	VMOVDQU32 Z3, 192(P)
	VMOVDQA32 Z3, PREV
	ADDQ      $256, P
	SUBQ      $256, N
	CMPQ      N, $256
	JA        group

rest:
	CMPQ N, $64
	JBE  last

vector:
	VPXORD    (P), KEY, Z0
	ASCII512(Z0)
	JZ        next
	RANGES512
	JUDGE512(Z0, PREV)
	VPTESTMB  FAULT, FAULT, K2
	KORTESTQ  K2, K2
	JNZ       end

next:
	VMOVDQU32 Z0, (P)
	VMOVDQA32 Z0, PREV
	ADDQ      $64, P
	SUBQ      $64, N
	CMPQ      N, $64
	JA        vector

last:
	ASCII512(LAST)
	JZ  store
	FRONT512
	RANGES512
	JUDGE512(Z0, PREV)
	VPTESTMB     FAULT, FAULT, K1, K2
	KORTESTQ     K2, K2
	JNZ          end

store:
	VMOVDQU32 LAST, -64(P)(N*1)
	ADDQ      N, P

end:
	SUBQ FROM, P
	MOVQ P, good+24(FP)
	MOVQ P, done+32(FP)
	VZEROUPPER
	RET

// func unmaskShortVBMI(p *byte, n int, key uint32) (good int)
// Precondition: AVX-512 with BW and VBMI, BMI2; 16 <= n <= 64.
// Two stores that overlap, because stores under a mask hold up the reads
// of the octets beside them, which are the next frame's.
TEXT ·unmaskShortVBMI(SB), NOSPLIT, $0-32
	MOVQ         p+0(FP), P
	MOVQ         n+8(FP), N
	VBROADCASTSS key+16(FP), KEY
	MOVQ         $-1, AX
	BZHIQ        N, AX, AX
	KMOVQ        AX, K1
	VMOVDQU8.Z   (P), K1, Z0
	VPXORD       Z0, KEY, Z0
	VPXORD       PREV, PREV, PREV
	RANGES512
	JUDGE512(Z0, PREV)
	XORL         AX, AX
	VPTESTMB     FAULT, FAULT, K1, K2
	KORTESTQ     K2, K2
	JNZ          end
	MOVQ         N, AX
	LEAQ         -32(N), CX
	LEAQ         -16(N), DX
	CMPQ         N, $32
	CMOVQCS      DX, CX
	VPBROADCASTB CX, Z1 // Z0[CX:] moved to the front
	VPADDB       count<>(SB), Z1, Z1
	VPERMB       Z0, Z1, Z1
	JAE          wide
	VMOVDQU      X0, (P)
	VMOVDQU      X1, (P)(CX*1)
	JMP          end

wide:
	VMOVDQU Y0, (P)
	VMOVDQU Y1, (P)(CX*1)

end:
	MOVQ AX, good+24(FP)
	VZEROUPPER
	RET

// For AVX2 the same registers under other names, half as wide.
#define LEAD_HIGH2 Y2
#define LEAD_LOW2  Y3
#define TAIL_HIGH2 Y4
#define BOUND3_2   Y5
#define BOUND4_2   Y6
#define HIGH_BIT2  Y7
#define NIBBLE2    Y8
#define FAULT2     Y9
#define PREV2      Y10
#define SOME2      Y11
#define ONE2       Y12
#define TWO2       Y13
#define THREE2     Y14
#define KEY2       Y15

#define RANGES256 \
	VBROADCASTI128 ·utf8Ranges+0(SB), LEAD_HIGH2; \
	VBROADCASTI128 ·utf8Ranges+16(SB), LEAD_LOW2; \
	VBROADCASTI128 ·utf8Ranges+32(SB), TAIL_HIGH2; \
	VPBROADCASTD   ·utf8Bounds+0(SB), BOUND3_2; \
	VPBROADCASTD   ·utf8Bounds+4(SB), BOUND4_2; \
	VPBROADCASTD   ·utf8Bounds+8(SB), HIGH_BIT2; \
	VPBROADCASTD   ·utf8Bounds+12(SB), NIBBLE2; \
	VPXOR          FAULT2, FAULT2, FAULT2

// BEHIND256(IN, BEFORE) sets ONE2 to THREE2 to what stands so many octets before IN.
#define BEHIND256(IN, BEFORE) \
	VPERM2I128 $0x21, IN, BEFORE, SOME2; \
	VPALIGNR   $15, SOME2, IN, ONE2; \
	VPALIGNR   $14, SOME2, IN, TWO2; \
	VPALIGNR   $13, SOME2, IN, THREE2

// JUDGE256(IN) adds to FAULT2 the octets at fault of IN.
// Precondition: BEHIND256.
#define JUDGE256(IN) \
	VPSUBUSB BOUND3_2, TWO2, TWO2; \
	VPSUBUSB BOUND4_2, THREE2, THREE2; \
	VPOR     THREE2, TWO2, TWO2; \
	VPAND    HIGH_BIT2, TWO2, TWO2; \
	VPAND    NIBBLE2, ONE2, THREE2; \
	VPSHUFB  THREE2, LEAD_LOW2, THREE2; \
	VPSRLW   $4, ONE2, ONE2; \
	VPAND    NIBBLE2, ONE2, ONE2; \
	VPSHUFB  ONE2, LEAD_HIGH2, ONE2; \
	VPSRLW   $4, IN, SOME2; \
	VPAND    NIBBLE2, SOME2, SOME2; \
	VPSHUFB  SOME2, TAIL_HIGH2, SOME2; \
	VPAND    THREE2, ONE2, ONE2; \
	VPAND    SOME2, ONE2, ONE2; \
	VPXOR    TWO2, ONE2, ONE2; \
	VPOR     ONE2, FAULT2, FAULT2

// JUDGE256X2 is JUDGE256 of Y0 and Y1; no fault is the flag ZF.
#define JUDGE256X2 \
	RANGES256; \
	BEHIND256(Y0, PREV2); \
	JUDGE256(Y0); \
	BEHIND256(Y1, Y0); \
	JUDGE256(Y1); \
	VPTEST FAULT2, FAULT2

// ASCII256X2 sets ZF if PREV2, Y0 and Y1 are ASCII.
#define ASCII256X2 \
	VPOR      Y0, PREV2, SOME2; \
	VPOR      Y1, SOME2, SOME2; \
	VPMOVMSKB SOME2, AX; \
	TESTL     AX, AX

// func utf8AVX2(p *byte, n int) (good int)
// Precondition: AVX2; n >= 35. The last 64 octets and fewer are taken as two
// vectors, of which the second ends where the text does and finds the octets
// before it in memory.
TEXT ·utf8AVX2(SB), NOSPLIT, $0-24
	MOVQ  p+0(FP), P
	MOVQ  n+8(FP), N
	MOVQ  P, FROM
	VPXOR PREV2, PREV2, PREV2
	CMPQ  N, $64
	JB    rest

group:
	VMOVDQU (P), Y0
	VMOVDQU 32(P), Y1
	ASCII256X2
	JZ      judged
	JUDGE256X2
	JNZ     end

judged:
	VMOVDQA Y1, PREV2
	ADDQ    $64, P
	SUBQ    $64, N
	CMPQ    N, $64
	JAE     group

rest:
	TESTQ   N, N
	JZ      end
	VMOVDQU -32(P)(N*1), Y1
	VMOVDQA Y1, Y0
	CMPQ    N, $32
	JBE     two
	VMOVDQU (P), Y0

two:
	ASCII256X2
	JZ      whole
	RANGES256
	CMPQ    N, $32
	JBE     last
	BEHIND256(Y0, PREV2)
	JUDGE256(Y0)

last:
	VMOVDQU -33(P)(N*1), ONE2
	VMOVDQU -34(P)(N*1), TWO2
	VMOVDQU -35(P)(N*1), THREE2
	JUDGE256(Y1)
	VPTEST  FAULT2, FAULT2
	JNZ     end

whole:
	ADDQ N, P

end:
	SUBQ FROM, P
	MOVQ P, good+16(FP)
	VZEROUPPER
	RET

// func unmaskAVX2(p *byte, n int, key, next uint32) (good, done int)
// Precondition: AVX2; n > 64. The rest is judged as in utf8AVX2, and hence after
// it is stored.
TEXT ·unmaskAVX2(SB), NOSPLIT, $0-40
	MOVQ         p+0(FP), P
	MOVQ         n+8(FP), N
	VBROADCASTSS key+16(FP), KEY2
	MOVQ         P, FROM
	VPXOR        PREV2, PREV2, PREV2

group:
	VPXOR (P), KEY2, Y0
	VPXOR 32(P), KEY2, Y1
	ASCII256X2
	JZ    judged
	MOVQ  P, DONE
	JUDGE256X2
	JNZ   end

judged:
	VBROADCASTSS next+20(FP), ONE2 // the last vector, before a store meets it
	VPXOR        -32(P)(N*1), ONE2, ONE2
	VMOVDQU      Y0, (P)
	VMOVDQU      Y1, 32(P)
	VMOVDQA      Y1, PREV2
	ADDQ         $64, P
	SUBQ         $64, N
	CMPQ         N, $64
	JAE          group
	LEAQ         (P)(N*1), DONE
	TESTQ        N, N
	JZ           end
	VMOVDQA      ONE2, Y1
	VMOVDQA      Y1, Y0
	CMPQ         N, $32
	JBE          two
	VPXOR        (P), KEY2, Y0
	VMOVDQU      Y0, (P)

two:
	VMOVDQU Y1, -32(P)(N*1)
	ASCII256X2
	JZ      whole
	RANGES256
	CMPQ    N, $32
	JBE     last
	BEHIND256(Y0, PREV2)
	JUDGE256(Y0)

last:
	VMOVDQU -33(P)(N*1), ONE2
	VMOVDQU -34(P)(N*1), TWO2
	VMOVDQU -35(P)(N*1), THREE2
	JUDGE256(Y1)
	VPTEST  FAULT2, FAULT2
	JNZ     end

whole:
	ADDQ N, P

end:
	SUBQ FROM, P
	SUBQ FROM, DONE
	MOVQ P, good+24(FP)
	MOVQ DONE, done+32(FP)
	VZEROUPPER
	RET
