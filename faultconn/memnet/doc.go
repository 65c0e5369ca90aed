// Package memnet is a network in memory whose connections are shaped like TCP.
//
// A test that uses it needs no ports, cannot meet the machine's firewall, and
// runs under testing/synctest: every wait is on a timer or a sync.Cond, so the
// bubble's clock moves and a day of latency costs no real time. What runs over
// it is the real thing: net/http with HTTP/1 and HTTP/2, crypto/tls, database
// and cache clients; whatever accepts a dial function and a net.Listener.
//
//	func TestSlowDatabase(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			n := &memnet.Network{Link: memnet.Link{Latency: 20 * time.Second}}
//			defer n.Close()
//			l, err := n.Listen("tcp", "db:5432")
//			...
//			conn, err := n.Dial("tcp", "db:5432") // 40 s later, at once
//		})
//	}
//
// A bubble of synctest panics if goroutines are left in it that all wait. So end,
// before the test function returns, what they wait for: Close of the network
// wakes every Accept, Dial, Read and Write in it, and with them the servers and
// the idle connections of clients; of a [Pipe], close both ends. What package
// faultconn holds back is woken by Close of the wrapped connection, or by
// another plan.
//
// # Hosts, names and addresses
//
// Every host name used on a [Network] gets an address of its own, 10.0.0.1,
// 10.0.0.2 and so on in the order of first use, and an IP address stands for
// itself, so LocalAddr and RemoteAddr are a *net.TCPAddr and can be dialled.
// All names resolve; one that nobody listens on refuses connections.
//
// The methods Listen and Dial of a Network act for the host "localhost". Those
// of a [Host] act for that host, and there an empty host or "localhost" is the
// host itself. Port 0 takes a free port.
//
// # What is like TCP
//
//   - A dial succeeds once the connection is in the listener's queue, before
//     Accept. Where nothing listens it fails with ECONNREFUSED, after a round
//     trip. Where packets are lost ([Network.Partition]), or the queue of the
//     listener is full, it waits for its context, or for 127 seconds and then
//     fails with ETIMEDOUT.
//   - Write returns when its bytes are in the buffer of the connection, and
//     blocks while that is full. Message boundaries are not kept.
//   - CloseWrite sends a FIN: the peer reads what is left and then io.EOF, and
//     can go on writing. Close sends a FIN too, or an RST where SetLinger(0)
//     was called or received bytes are unread.
//   - After an RST the bytes that came before it can still be read. Then one
//     Read or Write, whichever is first, fails with ECONNRESET; after that
//     reads give io.EOF and writes EPIPE. After a FIN and an RST reads give
//     io.EOF and writes EPIPE. Writing to a peer that has closed succeeds once
//     and is answered with an RST.
//   - Errors are what the net package returns: a *net.OpError around an
//     *os.SyscallError around the errno, net.ErrClosed after a local Close,
//     os.ErrDeadlineExceeded after a deadline; io.EOF comes bare. The tests
//     run the same scripts over memnet and over the loopback interface and
//     compare.
//
// # What is not
//
//   - Hosts, not packets, are the unit: there is no loss, reordering or window
//     scaling, and an acknowledgement costs nothing. A partition in one
//     direction stops only that direction.
//   - There are no keep-alives and no retransmission limit: a connection
//     across a partition lives until the partition heals or a side closes it.
//   - Retransmission is immediate: a partition that heals delivers what was
//     written during it at once (plus the link's latency).
//   - After both CloseWrite and CloseRead Linux answers further bytes with an
//     RST, here they are kept until Close.
//   - SetLinger with a positive time does not make Close wait.
//   - There is one buffer for each direction, not one at each end.
//   - SyscallConn and File do not exist, and there is no UDP.
package memnet
