// Package peers does the same work with other libraries as with hybi, side by side:
// masking, parsing, writing; and echoing, by the command in echo. It is a module of its
// own, so that nobody who uses hybi downloads them.
//
//	go test ./...                                   # does each row do the work?
//	go test -run '^$' -bench Parse -count 10 | tee raw.txt
//	go run golang.org/x/perf/cmd/benchstat@latest -col /impl raw.txt
//
// Package bench's run.sh takes samples of these among the others; report makes of
// them the tables of budgets and losses, the charts, and the README's table.
//
// # What is called
//
// For each library the fastest way that its documentation or its source offers to who
// wants the whole message.
//
//	gobwas     github.com/gobwas/ws v1.5.0
//	gorilla    github.com/gorilla/websocket v1.5.3
//	fasthttp   github.com/fasthttp/websocket v1.5.12
//	coder      github.com/coder/websocket v1.8.15
//	gws        github.com/lxzan/gws v1.8.9
//	nbio       github.com/lesismal/nbio v1.6.8, its nbhttp/websocket
//	xnet       golang.org/x/net v0.62.0, its websocket
//
// The command in echo serves with each of them, xnet apart, and with two more: gnet,
// github.com/panjf2000/gnet/v2 v2.9.7, and fasthttp's own server,
// github.com/valyala/fasthttp v1.58.0. Its comment says how; ../server.sh measures it.
//
//	           masking               parsing                                  writing
//	hybi       mask.XOR              codec.Parser.Next                        codec.AppendServerFrame, AppendFrame with Keys
//	hybi-batch                       Parser.NextRun, else Next
//	gobwas     Cipher                ReadHeaderBuffer, Cipher, utf8.Valid     WriteHeaderBuffer, bytes.Buffer, NewMask and Cipher
//	gorilla    maskBytes             Conn.NextReader and Read, utf8.Valid     Conn.WriteMessage
//	fasthttp   maskBytes             Conn.NextReader and Read, utf8.Valid     Conn.WriteMessage
//	coder      maskGo                Conn.Reader and Read, utf8.Valid         Conn.Write
//	gws        internal.MaskXOR      Conn.ReadLoop with CheckUtf8Enabled      Conn.WriteMessage
//	nbio       maskXOR               Conn.Parse, OnMessagePtr                 Conn.WriteMessage
//	xnet       none                  Conn.Read, utf8.Valid                    Conn.Write
//
// Masking is exported by gobwas alone; the others' functions are reached by linkname, and
// are what the library itself calls, without the way there. That of xnet is a loop over
// octets inside of its reader and cannot be called alone: it is in BenchmarkParse only.
// Coder's assembly is not in use in this version (its mask_asm.go says so), and so not
// here.
//
// In BenchmarkParse:
//
//	                  unmasks                      allocations a frame   UTF-8 of text
//	hybi              in place                     none                  by Next, told at the first octet
//	hybi-batch        in place                     none                  by NextRun and Next
//	gobwas            in place                     none                  by the caller: utf8.Valid
//	gobwas-checked    in place                     none                  by the caller: utf8.Valid
//	gorilla           in the caller's memory       1, of 8 octets        by the caller: utf8.Valid
//	fasthttp          in the caller's memory       1, of 8 octets        by the caller: utf8.Valid
//	coder             in the caller's memory       none                  by the caller: utf8.Valid
//	gws               in pooled memory of its own  1, of 16 octets       by gws: utf8.Valid
//	nbio              in its input's copy          2, of 60 octets       by nbio: utf8.Valid
//	xnet              in the caller's memory       5, of 168 octets      by the caller: utf8.Valid
//
// "In the caller's memory" is a copy out of the library's read buffer, unmasked there;
// nbio and gws hand out a copy too. The UTF-8 validation that gobwas has of its own
// (wsutil.UTF8Reader) goes octet by octet; utf8.Valid over the payload is faster.
//
// # What they check
//
// They do not do the same. Of each frame's header
//
//	hybi              all of RFC 6455: RSV, opcode, FIN and length of control frames, MASK, the minimal
//	                  length, its top bit, the order of frames, the limits
//	gobwas            the length's top bit; nothing else
//	gobwas-checked    and RSV, opcode, control frames, MASK, the order of frames; not the minimal length
//	gorilla           RSV, opcode, control frames, MASK, the order of frames, the limit; not the minimal length
//	fasthttp          as gorilla
//	gws               RSV, opcode, MASK, control frames, the order of frames, the limit; not the minimal length
//	nbio              RSV, opcode, control frames, the limit; not MASK, a lone continuation or the minimal length
//	coder             RSV, opcode, control frames, MASK, the order of frames, the limit; not the minimal length
//	xnet              MASK; nothing else
//
// # What is the same for all
//
// BenchmarkMask walks over the payloads of a 64 KiB buffer, as mask.BenchmarkXOR does,
// the first octet of each being one that the key's second octet belongs to (phase=1);
// functions that know no such phase get the key rotated. For gobwas, which masks up
// to three octets one by one to get to the phase it likes, there is phase=0 too. Every
// loop is written out, so that nothing is called through a variable. copy is Go's copy
// of the same payloads into another buffer, xorbytes is crypto/subtle.XORBytes with the
// key repeated beforehand to the payload's length, which no peer would do for free.
// Gorilla and fasthttp have the same machine code: where their rows differ, up to two
// times at 64 KiB, it is by where the linker put the loop, which changes with the program.
// size=1to125 and 1to4096 are payloads of mixed sizes, the logarithm being what is
// drawn. BenchmarkMaskSpot masks one payload at an odd address over and over.
//
// BenchmarkParse parses a client's frames, a buffer of 64 KiB full. Who parses in
// place gets it filled anew by a copy for each pass (impl=refill is this alone); who
// reads from a connection gets one in memory, whose Read is the same copy into a read
// buffer of the same size. So the copy is in every row, and no system call in any.
// Those libraries then copy payload to where the caller wants it, and take locks, which
// is in their rows because it is in every use of them.
//
// BenchmarkEncode writes messages to a connection that throws them away. A client's
// masking-keys come from where the library takes them: crypto/rand in batches for hybi,
// crypto/rand for each frame for coder, fasthttp and xnet, math/rand for the rest, which
// RFC 6455 section 10.3 does not allow.
package peers
