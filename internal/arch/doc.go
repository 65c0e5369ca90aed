// Package arch keeps the architecture of the repository as tests: who may
// import whom, that every package says what it is for, that the documentation
// compiles. It exports nothing.
package arch
