// Empty. A package with an assembly file may declare functions without a body,
// which linkname_test.go does.
