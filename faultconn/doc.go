// Package faultconn makes network connections misbehave on purpose, the same
// way every time.
//
// It wraps what network code already passes around: a [net.Conn], a
// [net.Listener], a dial function or a [net.PacketConn]. The wrapped ones behave like the bare
// ones until a plan says otherwise:
//
//	inj := &faultconn.Injector{OnEvent: func(e faultconn.Event) { log.Print(e) }}
//	client.DialContext = inj.Dialer("memcached", nil) // nil: net.Dialer
//
//	err := inj.SetPlan(faultconn.Plan{
//		Seed: 7,
//		Rules: []faultconn.Rule{{
//			Name:   "slow cache",
//			Select: faultconn.Select{Point: "memcached"},
//			Chance: 0.3,
//			Fault:  fault.Delay{For: 20 * time.Second},
//		}},
//	})
//
// Now three exchanges in ten with memcached take twenty seconds longer, and
// with the same seed they are the same three.
//
// # Vocabulary
//
//   - A [Fault] is what goes wrong: a pure decision about one operation. The
//     catalogue is package fault; your own is one small type.
//   - A [Rule] says when: on which connections and operations ([Select]), at
//     which moments ([When]), how often (Chance, or Mix for several faults with
//     a percentage each), drawn how often ([Scope]), and how many times at the
//     most ([Limits]).
//   - A [Plan] is a seed and rules. It is a plain value: it prints, compares
//     with reflect.DeepEqual, and goes to JSON and back ([Catalogue.Parse]).
//   - An [Injector] holds the plan in force. Its zero value passes everything
//     through. Data flow one way: plan, injector, connection, [Event].
//   - A point is the name under which something was wrapped: "memcached",
//     "clients". Plans speak of points, never of goroutines or file descriptors.
//
// # Exchanges
//
// An exchange is a request and its reply. On a dialled connection a write that
// follows a read begins a new one; on an accepted connection a read that
// follows a write does. Exchanges are the default scope because "30 % of the
// calls are slow" is what people mean: a delay of 100 ms costs an exchange 100
// ms however many reads its reply takes, and a bulk stream 100 ms once. Messages
// that a server sends without being asked belong to the exchange before them.
//
// # When faults strike
//
// Incoming data are decided upon when they arrive, not when they are asked
// for, so a Read that is parked in the kernel when the plan changes obeys the
// plan in force when its data come. Data behind others that are late wait for
// their turn to be decided upon. Outgoing data are decided upon in Write.
// Byte offsets are exact: a rule that begins at byte 1000 lets 1000 bytes pass
// and then strikes, however the caller's buffers are cut. Offsets, exchanges
// and counters start at zero when a rule comes into force, on open connections
// at the place where it found them.
//
// Offsets count in each direction of each connection by itself, and over all its
// exchanges: byte 0 of the second reply is at the length of the first, and a
// rule with When.From 10 and no Select.Ops strikes the tenth byte of the
// requests as well as that of the replies.
//
// [Injector.SetPlan] never waits for traffic. What the old plan was holding
// back (delays, hangs) goes on at once under the new one; connections it has
// broken stay broken. All rules begin anew. With [Injector.Update], those that
// are in both plans go on instead, with their counts, offsets and clocks, and
// with what they hold.
//
// # What stays true
//
//   - Deadlines and Close win over every fault. A delayed Read returns
//     [os.ErrDeadlineExceeded] when its deadline comes, loses no byte, and
//     succeeds once the deadline has moved; Close wakes it with [net.ErrClosed].
//   - Errors are those of a real network: a *net.OpError around an
//     *os.SyscallError around the errno. End of stream is bare io.EOF. There is
//     no mark that tells an injected error from a real one; events do that.
//   - A reset is a real RST wherever the wrapped connection can send one
//     (*net.TCPConn, memnet, whatever has SetLinger(int) error), also through
//     NetConn() of a wrapper in between. After it, as in the kernel, the first
//     operation fails with ECONNRESET, later reads give io.EOF and later writes
//     EPIPE; deadlines and options can be set all the same.
//   - What the wrapped connection offers (CloseWrite, CloseRead, ReadFrom,
//     WriteTo, SyscallConn, SetLinger ...) the wrapper offers, and no more.
//   - Bytes keep their order. No fault reorders a stream.
//
// # In tests
//
// Package faulttest puts a plan in force for one test, fails the test if a rule
// has never struck, and tells the seed if it has failed. Package memnet is a
// network in memory to run it all over. [Injector.Replay] repeats a run from the
// log of its events.
//
// # Where a wrapped connection differs
//
// What each fault does to the contract of net.Conn is in the table of package
// fault. Beyond that:
//
//   - With a plan, a Read returns at most up to the place where a rule has
//     something to say, and a Write reaches the wrapped connection in several
//     pieces if a rule strikes inside it.
//   - SyscallConn and File lead past all faults, as they lead past the wrapper.
//     Who looks at the socket while data are late finds neither those nor what
//     was read behind them, but finds the end of the stream, early.
//   - While io.Copy moves data with splice or sendfile (no plan in force), up
//     to 256 KiB that it is moving when a plan is set pass under none.
//   - A type assertion to *net.TCPConn or *tls.Conn fails. Wrap below TLS, and
//     assert interfaces.
//   - While data are late, a goroutine of the connection reads ahead, up to 256
//     KiB behind as many that are late, and goes on until the next data after
//     the last late ones; Close waits for it. So the data may be gone from the
//     wrapped connection before anybody has asked for them, and what ends it, be
//     it a reset by the peer, is seen behind the data that came before.
//   - A Read or Write of no bytes is no operation to rules, and such a Read does
//     not wait for data that are late.
//   - Where several goroutines read, or write, one stream at the same time, a Read
//     or Write that is under way when a plan is set does not take its turn: such a
//     Read may keep its data until another has some, such a Write may come out
//     between the pieces of one that the plan cuts. To know of it would cost every
//     operation without a plan more than all else the wrapper does.
//   - Connection numbers count from 1 for each point, in the order of dials and
//     accepts. Where those race, so do the numbers; draws depend on nothing else.
//
// # Concurrency and time
//
// All methods may be called from any goroutine. There are no background
// goroutines, but for one on each connection whose data are late. Timers are
// stopped by Close and when their rule goes. Waits are on channels and timers of
// package time, so a fault of twenty seconds costs a test under testing/synctest
// no time. Reads, and Writes, of several goroutines take turns as on a socket: a
// Write that a plan cuts into pieces comes out whole all the same.
//
// In a bubble of testing/synctest, set the plan inside: When then counts from
// there. A rule that came into force outside counts from when it finds each
// connection. An injector can serve several bubbles one after the other, if what
// it has wrapped in one is closed before that ends; set the plan anew in each, or
// counts and shared rates go on from the one before.
package faultconn
