// gort/net/net.h: TCP, UDP and unix sockets, and waiting for descriptors of other libraries.
// What      Listen, Dial, ListenPacket; Conn, Listener, PacketConn; Pipe, ReadFull, LineReader;
//           SocketAddr; WaitReadable and WaitWritable. Goroutines park where threads would block;
//           foreign threads block.
// Layer     11. Public. The parts may be included alone. The runtime must have been started.
#ifndef GORT_NET_NET_H_
#define GORT_NET_NET_H_

#include "gort/net/addr.h"
#include "gort/net/conn.h"
#include "gort/net/dial.h"
#include "gort/net/listen.h"
#include "gort/net/packet.h"
#include "gort/net/pipe.h"
#include "gort/net/stream.h"
#include "gort/netpoll/wait_fd.h"

#endif  // GORT_NET_NET_H_
