package browserid

import (
	"crypto/dsa" //lint:ignore SA1019 see key.go
	"math/big"
)

// The two DSA groups of BrowserID, taken by its clients from the FIPS 186-3
// test vectors (verifiable canonical generation of g, A.2.3) and written out in
// the examples of its specification. A key in any other group is refused, as
// the clients' own library refused it: the group decides how strong the key is.

// group160 has a 1024-bit p and a 160-bit q: DS128.
func group160() dsa.Parameters {
	return parameters(
		"ff600483db6abfc5b45eab78594b3533d550d9f1bf2a992a7a8daa6dc34f8045"+
			"ad4e6e0c429d334eeeaaefd7e23d4810be00e4cc1492cba325ba81ff2d5a5b30"+
			"5a8d17eb3bf4a06a349d392e00d329744a5179380344e82a18c47933438f891e"+
			"22aeef812d69c8f75e326cb70ea000c3f776dfdbd604638c2ef717fc26d02e17",
		"e21e04f911d1ed7991008ecaab3bf775984309c3",
		"c52a4a0ff3b7e61fdf1867ce84138369a6154f4afa92966e3c827e25cfa6cf50"+
			"8b90e5de419e1337e07a2e9e2a3cd5dea704d175f8ebf6af397d69e110b96afb"+
			"17c7a03259329e4829b0d03bbc7896b15b4ade53e130858cc34d96269aa89041"+
			"f409136c7242a38895c9d5bccad4f389af1d7a4bd1398bd072dffa896233397a")
}

// group256 has a 2048-bit p and a 256-bit q: DS256.
func group256() dsa.Parameters {
	return parameters(
		"d6c4e5045697756c7a312d02c2289c25d40f9954261f7b5876214b6df109c738"+
			"b76226b199bb7e33f8fc7ac1dcc316e1e7c78973951bfc6ff2e00cc987cd76fc"+
			"fb0b8c0096b0b460fffac960ca4136c28f4bfb580de47cf7e7934c3985e3b3d9"+
			"43b77f06ef2af3ac3494fc3c6fc49810a63853862a02bb1c824a01b7fc688e40"+
			"28527a58ad58c9d512922660db5d505bc263af293bc93bcd6d885a157579d7f5"+
			"2952236dd9d06a4fc3bc2247d21f1a70f5848eb0176513537c983f5a36737f01"+
			"f82b44546e8e7f0fabc457e3de1d9c5dba96965b10a2a0580b0ad0f88179e100"+
			"66107fb74314a07e6745863bc797b7002ebec0b000a98eb697414709ac17b401",
		"b1e370f6472c8754ccd75e99666ec8ef1fd748b748bbbc08503d82ce8055ab3b",
		"9a8269ab2e3b733a5242179d8f8ddb17ff93297d9eab00376db211a22b19c854"+
			"dfa80166df2132cbc51fb224b0904abb22da2c7b7850f782124cb575b116f41e"+
			"a7c4fc75b1d77525204cd7c23a15999004c23cdeb72359ee74e886a1dde7855a"+
			"e05fe847447d0a68059002c3819a75dc7dcbb30e39efac36e07e2c404b7ca98b"+
			"263b25fa314ba93c0625718bd489cea6d04ba4b0b7f156eeb4c56c44b50e4fb5"+
			"bce9d7ae0d55b379225feb0214a04bed72f33e0664d290e7c840df3e2abb5e48"+
			"189fa4e90646f1867db289c6560476799f7be8420a6dc01d078de437f280fff2"+
			"d7ddf1248d56e1a54b933a41629d6c252983c58795105802d30d7bcd819cf6ef")
}

func parameters(p, q, g string) dsa.Parameters {
	return dsa.Parameters{P: number(p, 16), Q: number(q, 16), G: number(g, 16)}
}

func sameGroup(a, b dsa.Parameters) bool {
	same := func(x, y *big.Int) bool { return x.Cmp(y) == 0 }
	return same(a.P, b.P) && same(a.Q, b.Q) && same(a.G, b.G)
}
