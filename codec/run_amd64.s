//go:build !purego

#include "textflag.h"

#define IN    SI  // the input
#define AT    R8  // index of the frame at hand
#define P     AX  // its payload
#define Q     R9  // the octet after it
#define SIZE  R10 // of the payload
#define HEAD  BX  // the first two octets, the first of them lowest
#define SPAN  DI
#define ROOM  R11 // spans left
#define KEY   R12
#define TAIL  R13 // the key rotated to end with the payload
#define UTF8  DX  // all ones if the frame is text, else 0

// ASCII(signs) ends the run before the frame if it is text and an octet's top
// bit is among signs.
#define ASCII(signs) \
	TESTQ signs, UTF8; \
	JNZ   done

// func shortFramesAVX2(in *byte, end, at int, spans *Span, room, limit int) (k, next int)
//
// Preconditions: AVX2; at <= end; room > 0; 0 <= limit <= 125. Of each payload,
// words from the front take KEY and as many from the end take TAIL; they overlap
// in the middle, and all are read before any is written.
TEXT ·shortFramesAVX2(SB), NOSPLIT, $0-64
	MOVQ in+0(FP), IN
	MOVQ at+16(FP), AT
	MOVQ spans+24(FP), SPAN
	MOVQ room+32(FP), ROOM

frame:
	LEAQ    6(AT), P
	CMPQ    P, end+8(FP)
	JGT     done
	MOVWLZX (IN)(AT*1), HEAD
	MOVL    HEAD, CX
	ANDL    $0x80FC, CX // FIN, RSV bits, opcode below 4; MASK
	CMPL    CX, $0x8080
	JNE     done
	LEAL    1(HEAD), CX
	TESTL   $2, CX // opcode 1 or 2
	JZ      done
	MOVL    HEAD, SIZE
	SHRL    $8, SIZE
	SUBL    $0x80, SIZE
	CMPQ    SIZE, limit+40(FP)
	JGT     done
	LEAQ    (P)(SIZE*1), Q
	CMPQ    Q, end+8(FP)
	JGT     done
	MOVL    HEAD, UTF8
	ANDL    $1, UTF8
	NEGQ    UTF8
	ADDQ    IN, P
	ADDQ    IN, Q
	MOVL    -4(P), KEY
	MOVL    KEY, TAIL
	LEAL    (SIZE*8), CX
	RORL    CX, TAIL
	CMPL    SIZE, $16
	JB      words
	VMOVD   TAIL, X15
	VPBROADCASTD -4(P), Y14
	VPBROADCASTD X15, Y15
	CMPL    SIZE, $32
	JA      over32
	VPXOR   (P), X14, X0
	VPXOR   -16(Q), X15, X1
	VPOR    X0, X1, X2
	VPMOVMSKB X2, CX
	ASCII(CX)
	VMOVDQU X0, (P)
	VMOVDQU X1, -16(Q)

found:
	SUBQ IN, P
	SUBQ IN, Q
	ANDL $0xF, HEAD
	MOVL P, (SPAN)
	MOVL Q, 4(SPAN)
	MOVB HEAD, 8(SPAN)
	ADDQ $12, SPAN
	MOVQ Q, AT
	DECQ ROOM
	JNZ  frame

done:
	VZEROUPPER
	MOVQ room+32(FP), CX
	SUBQ ROOM, CX
	MOVQ CX, k+48(FP)
	MOVQ AT, next+56(FP)
	RET

over32:
	VPXOR   (P), Y14, Y0
	VPXOR   -32(Q), Y15, Y1
	VPOR    Y0, Y1, Y4
	CMPL    SIZE, $64
	JA      over64
	VPMOVMSKB Y4, CX
	ASCII(CX)
	VMOVDQU Y0, (P)
	VMOVDQU Y1, -32(Q)
	JMP     found

over64:
	VPXOR   32(P), Y14, Y2
	VPXOR   -64(Q), Y15, Y3
	VPOR    Y2, Y3, Y5
	VPOR    Y4, Y5, Y5
	VPMOVMSKB Y5, CX
	ASCII(CX)
	VMOVDQU Y0, (P)
	VMOVDQU Y2, 32(P)
	VMOVDQU Y3, -64(Q)
	VMOVDQU Y1, -32(Q)
	JMP     found

words:
	CMPL SIZE, $8
	JB   under8
	MOVQ KEY, CX
	SHLQ $32, CX
	ORQ  CX, KEY
	MOVQ TAIL, CX
	SHLQ $32, CX
	ORQ  CX, TAIL
	XORQ (P), KEY
	XORQ -8(Q), TAIL
	MOVQ KEY, CX
	ORQ  TAIL, CX
	MOVQ $0x8080808080808080, SIZE
	ANDQ SIZE, CX
	ASCII(CX)
	MOVQ KEY, (P)
	MOVQ TAIL, -8(Q)
	JMP  found

under8:
	TESTL SIZE, SIZE
	JZ    found
	CMPL  SIZE, $4
	JB    done // for the caller: seldom, and octet by octet
	XORL  (P), KEY
	XORL  -4(Q), TAIL
	MOVL  KEY, CX
	ORL   TAIL, CX
	ANDL  $0x80808080, CX
	ASCII(CX)
	MOVL  KEY, (P)
	MOVL  TAIL, -4(Q)
	JMP   found
